//! The web pages in a real browser: Chromium without a window, driven through ChromeDriver.
//!
//! Needs the programs `chromium` and `chromedriver`, and [axe](https://github.com/dequelabs/axe-core) for the rules of
//! accessibility, unpacked where [`AXE`] says: `npm pack axe-core@4.11.0`. With `SMP_TEST_SCREENSHOTS` set to a directory, the
//! rendered pages are left there.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "../harness/mod.rs"]
mod harness;

mod browser;

use std::fs;
use std::path::Path;

use browser::{Browser, Look};
use harness::server::Server;
use harness::website::Visitor;
use serde_json::Value;

const AXE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../axe-core/axe.min.js");

/// Every look in which pages are seen.
const LOOKS: [Look; 4] = [
    Look { name: "light", dark: false, width: 1200, height: 900, scripts: true },
    Look { name: "dark", dark: true, width: 1200, height: 900, scripts: true },
    Look { name: "phone", dark: false, width: 360, height: 740, scripts: true },
    Look { name: "no-scripts", dark: true, width: 360, height: 740, scripts: false },
];

const SHORT_LINK: &str = "/a#LXeyHUFRyOQcfAjbHIp-0bGFYxVYs8ORTGjeWBXFxMI?p=443&c=abc";
const INVITATION: &str = "/invitation#/?v=2-7&smp=smp%3A%2F%2F1234-w%3D%3D%40smp.example.org%2F3456-w%3D%3D&e2e=v%3D2";

async fn server() -> (Server, Visitor) {
    let server = Server::start_with(&[
        ("WEB", "http", "0"),
        ("INFORMATION", "source_code", "https://example.org/source"),
        ("INFORMATION", "operator", "Example Cooperative"),
        ("INFORMATION", "operator_country", "CZ"),
        ("INFORMATION", "website", "https://example.org"),
        ("INFORMATION", "usage_conditions", "https://example.org/conditions"),
        ("INFORMATION", "admin_email", "admin@example.org"),
        ("INFORMATION", "complaints_email", "complaints@example.org"),
        ("INFORMATION", "hosting", "Example Hosting"),
        ("INFORMATION", "hosting_country", "DE"),
        ("INFORMATION", "server_country", "DE"),
    ])
    .await;
    let visitor = Visitor::of(&server).await;
    (server, visitor)
}

/// Leaves a picture for people to look at.
fn keep(name: &str, png: &[u8]) {
    if let Some(directory) = std::env::var_os("SMP_TEST_SCREENSHOTS") {
        fs::create_dir_all(&directory).unwrap();
        fs::write(Path::new(&directory).join(format!("{name}.png")), png).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_accessible_and_load_nothing_from_elsewhere() {
    let (_server, visitor) = server().await;
    let axe = fs::read_to_string(AXE).unwrap_or_else(|error| panic!("{AXE}: {error}; get it with npm pack axe-core"));
    for look in LOOKS {
        let browser = Browser::open(&look).await;
        for (page, path) in [("information", "/"), ("address", SHORT_LINK), ("invitation", INVITATION), ("half", "/g")]
        {
            let origin = visitor.origin();
            browser.go(&format!("{origin}{path}")).await;
            keep(&format!("{page}-{}", look.name), &browser.screenshot().await);
            if look.scripts {
                let violations = browser.axe(&axe).await;
                assert!(violations.is_empty(), "{page}, {}: {violations:#?}", look.name);
                let overflow = browser.ask("return document.documentElement.scrollWidth - innerWidth").await;
                assert!(overflow.as_i64().unwrap() <= 0, "{page}, {}: wider than the screen", look.name);
            }
            for request in browser.requests().await {
                assert!(request.starts_with(&format!("{origin}/")), "{page}, {}: a request to {request}", look.name);
            }
            assert_eq!(browser.complaints().await, [] as [String; 0], "{page}, {}", look.name);
        }
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_into_the_app_and_their_code_is_the_link() {
    let (_server, visitor) = server().await;
    let browser = Browser::open(&LOOKS[0]).await;
    let host = visitor.origin().trim_start_matches("http://").to_owned();
    for (path, app) in [
        (SHORT_LINK, "simplex:/a#LXeyHUFRyOQcfAjbHIp-0bGFYxVYs8ORTGjeWBXFxMI?p=443&c=abc&h=localhost"),
        ("/i#id/key", "simplex:/i#id/key?h=localhost"),
        ("/g#key?h=onion.example", "simplex:/g#key?h=localhost,onion.example"),
        ("/c/#key?c=x&h=one&p=1", "simplex:/c#key?c=x&h=localhost,one&p=1"),
        (INVITATION, &format!("simplex:{INVITATION}")),
        ("/contact/#/?v=1", "simplex:/contact#/?v=1"),
    ] {
        browser.go(&format!("{}{path}", visitor.origin())).await;
        let href = browser.ask("return document.getElementById('open').getAttribute('href')").await;
        assert_eq!(href, app, "{path}");
        let scanned = browser.scan("#qr").await;
        assert_eq!(scanned, format!("https://{host}{}", path.replacen("/#", "#", 1)), "{path}");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_link_is_called_that() {
    let (_server, visitor) = server().await;
    let browser = Browser::open(&LOOKS[0]).await;
    browser.go(&format!("{}/i", visitor.origin())).await;
    let shown = browser.ask("return document.getElementById('incomplete').offsetHeight > 0").await;
    assert_eq!(shown, Value::Bool(true));
    let code = browser.ask("return document.getElementById('qr').childElementCount").await;
    assert_eq!(code, 0);
    browser.close().await;
}
