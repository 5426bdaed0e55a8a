// The part of the address after "#" never leaves the browser: only here can it become a QR code and a link for the app.
import { generate } from "./lean-qr.mjs";
import { toSvg } from "./lean-qr-svg.mjs";

/** Kinds whose address is short: it does not say on which server it is. */
const SHORT_KINDS = ["a", "c", "g", "i", "r"];

/** Adds the server as the first host of a short link. */
function withHost(fragment, host) {
  const [key, query] = fragment.split("?", 2);
  if (query === undefined) {
    return `${key}?h=${host}`;
  }
  const settings = query.split("&");
  const hosts = settings.findIndex((setting) => setting.startsWith("h="));
  if (hosts < 0) {
    settings.push(`h=${host}`);
  } else {
    settings[hosts] = `h=${host},${settings[hosts].slice(2)}`;
  }
  return `${key}?${settings.join("&")}`;
}

function show() {
  const kind = location.pathname.split("/")[1];
  if (location.hash.length < 2) {
    document.getElementById("incomplete").hidden = false;
    return;
  }
  const fragment = SHORT_KINDS.includes(kind) ? withHost(location.hash, location.hostname) : location.hash;
  document.getElementById("open").href = `simplex:/${kind}${fragment}`;
  const code = generate(`https://${location.host}/${kind}${location.hash}`);
  document.getElementById("qr").replaceChildren(toSvg(code, document, { on: "#000000" }));
  for (const element of document.querySelectorAll("[data-needs-script]")) {
    element.hidden = false;
  }
}

show();
window.addEventListener("hashchange", () => location.reload());
