//! A browser of its own for each look.

use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use url::{ParseError, Url};

/// How pages are seen.
pub struct Look {
    pub name: &'static str,
    pub dark: bool,
    pub width: u32,
    pub height: u32,
    pub scripts: bool,
}

/// A running browser. Dropping it kills its driver, which takes it along.
pub struct Browser {
    client: Client,
    _driver: (Child, BufReader<ChildStdout>),
    _profile: TempDir,
}

/// What WebDriver itself does not have.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    pub async fn open(look: &Look) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is installed");
        let mut output = BufReader::new(driver.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert!(output.read_line(&mut line).await.expect("it can be read") > 0, "chromedriver says its port");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim().trim_end_matches('.').to_owned();
            }
        };
        let profile = tempfile::tempdir().expect("there is room for temporary files");
        let scripts = if look.scripts { 1 } else { 2 };
        let capabilities = json!({
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
            "goog:chromeOptions": {
                "args": ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-dev-shm-usage", format!("--user-data-dir={}", profile.path().display())],
                "prefs": {"profile.managed_default_content_settings.javascript": scripts},
            },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("the browser starts");
        let browser = Self { client, _driver: (driver, output), _profile: profile };
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        browser.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
        let size = json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false});
        browser.devtools("Emulation.setDeviceMetricsOverride", size).await;
        browser
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.client.issue_cmd(Extension { path: "goog/cdp/execute", body }).await.expect("the browser obeys")
    }

    /// Loads a page anew, even if only the part after `#` is another.
    pub async fn go(&self, url: &str) {
        self.client.goto("about:blank").await.expect("there is such a page");
        // What the browser did by itself is not of the page.
        self.log("performance").await;
        self.client.goto(url).await.expect("the page loads");
    }

    /// What a script returns.
    pub async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the script runs")
    }

    /// The whole page as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let picture = self.devtools("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        STANDARD.decode(picture["data"].as_str().expect("it is text")).expect("it is Base64")
    }

    /// What the QR code in this element says.
    pub async fn scan(&self, selector: &str) -> String {
        let element = self.client.find(Locator::Css(selector)).await.expect("it is on the page");
        let png = element.screenshot().await.expect("it is visible");
        let picture = image::load_from_memory(&png).expect("it is a picture").to_luma8();
        let [width, height] = [picture.width(), picture.height()].map(|size| size as usize);
        let mut picture =
            rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| picture.as_raw()[y * width + x]);
        let codes = picture.detect_grids();
        assert_eq!(codes.len(), 1, "one code");
        codes[0].decode().expect("it can be read").1
    }

    /// What breaks the rules of axe: which rule, and where.
    pub async fn axe(&self, axe: &str) -> Vec<String> {
        self.ask(axe).await;
        let run = "const done = arguments[arguments.length - 1]; axe.run().then((results) => done(results.violations))";
        let violations = self.client.execute_async(run, Vec::new()).await.expect("axe runs");
        let violations = violations.as_array().expect("it is a list").clone();
        violations.iter().map(|found| format!("{}: {}", found["id"], found["nodes"])).collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let body = json!({"type": kind});
        let log = self.client.issue_cmd(Extension { path: "se/log", body }).await.expect("there is a log");
        log.as_array().expect("it is a list").clone()
    }

    /// Where everything was requested from since this was asked last, but for empty pages and data inside of pages.
    pub async fn requests(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let messages =
            entries.iter().filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let requests = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        let urls =
            requests.filter_map(|request| request["message"]["params"]["request"]["url"].as_str().map(str::to_owned));
        let urls: Vec<_> = urls.filter(|url| !url.starts_with("about:") && !url.starts_with("data:")).collect();
        assert!(!urls.is_empty(), "the page itself was requested");
        urls
    }

    /// Warnings and errors since this was asked last, of scripts and of the security policy among them.
    pub async fn complaints(&self) -> Vec<String> {
        self.log("browser").await.iter().map(ToString::to_string).collect()
    }

    pub async fn close(self) {
        self.client.close().await.expect("it ends");
    }
}
