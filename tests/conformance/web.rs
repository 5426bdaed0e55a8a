//! The web site over plain HTTP (operations.md §11).

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::harness::ini::Setting;
use crate::harness::party::Recipient;
use crate::harness::server::Server;
use crate::harness::website::Visitor;

const HTTP: Setting<'static> = ("WEB", "http", "0");

#[tokio::test]
async fn the_page_tells_what_the_settings_say() {
    let onion = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion";
    let server = Server::start_with(&[
        HTTP,
        ("TRANSPORT", "host", &format!("smp.example.org,{onion}")),
        ("AUTH", "create_password", "secret"),
        ("INFORMATION", "source_code", "https://example.org/source"),
        ("INFORMATION", "operator", "<script>alert(1)</script> & Sons"),
        ("INFORMATION", "operator_country", "cz"),
        ("INFORMATION", "website", "https://example.org/\"><b>"),
        ("INFORMATION", "usage_conditions", "https://example.org/conditions"),
        ("INFORMATION", "condition_amendments", "be kind"),
        ("INFORMATION", "admin_simplex", "https://smp.example.org/a#YWRtaW4"),
        ("INFORMATION", "admin_email", "admin@example.org"),
        ("INFORMATION", "admin_pgp", "https://example.org/admin.asc"),
        ("INFORMATION", "admin_pgp_fingerprint", "89AB CDEF"),
        ("INFORMATION", "complaints_simplex", "https://smp.example.org/a#YWJ1c2U"),
        ("INFORMATION", "complaints_email", "abuse@example.org"),
        ("INFORMATION", "complaints_pgp", "javascript:alert(2)"),
        ("INFORMATION", "complaints_pgp_fingerprint", "0123 4567"),
        ("INFORMATION", "hosting", "Example Hosting"),
        ("INFORMATION", "hosting_country", "fr"),
        ("INFORMATION", "hosting_type", "dedicated"),
        ("INFORMATION", "server_country", "de"),
    ])
    .await;
    let visitor = Visitor::of(&server).await;
    let page = visitor.get("/").await;
    assert_eq!((page.status(), page.header("content-type")), (200, "text/html"));
    let page = page.text();
    for expected in [
        "<h1>SMP server smp.example.org</h1>",
        "&#60;script&#62;alert(1)&#60;/script&#62; &#38; Sons, CZ",
        "<a href=\"https://example.org/&#34;&#62;&#60;b&#62;\" rel=\"noopener\">",
        "<a href=\"https://example.org/source\" rel=\"noopener\">",
        "be kind",
        "<a href=\"mailto:admin@example.org\">",
        "YWRtaW4",
        "https://example.org/admin.asc",
        "89AB CDEF",
        "YWJ1c2U",
        "mailto:abuse@example.org",
        "PGP key: javascript:alert(2)",
        "0123 4567",
        "Example Hosting, FR",
        "Dedicated",
        "<dd>21 days</dd>",
        onion,
        concat!("v", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(page.contains(expected), "{expected} is not in {page}");
    }
    assert!(!page.contains("secret"), "the password is on the page");

    let information = visitor.get("/info.json").await;
    assert_eq!(information.header("content-type"), "application/json");
    let information: Value = serde_json::from_str(information.text()).unwrap();
    assert_eq!(
        information,
        json!({
            "config": {"persistence": "messages", "messageExpiration": 1_814_400, "statsEnabled": false,
                "newQueuesAllowed": true, "basicAuthEnabled": true},
            "information": {"sourceCode": "https://example.org/source",
                "usageConditions": {"conditions": "https://example.org/conditions", "amendments": "be kind"},
                "operator": {"name": "<script>alert(1)</script> & Sons", "country": "CZ"},
                "website": "https://example.org/\"><b>",
                "adminContacts": {"simplex": "https://smp.example.org/a#YWRtaW4", "email": "admin@example.org",
                    "pgp": {"pkURI": "https://example.org/admin.asc", "pkFingerprint": "89AB CDEF"}},
                "complaintsContacts": {"simplex": "https://smp.example.org/a#YWJ1c2U", "email": "abuse@example.org", "pgp": {"pkURI": "javascript:alert(2)", "pkFingerprint": "0123 4567"}},
                "hosting": {"name": "Example Hosting", "country": "FR"}, "hostingType": "dedicated", "serverCountry": "DE"}
        })
    );
}

/// Rows without a value are left out.
#[tokio::test]
async fn without_information() {
    let server = Server::start_with(&[
        HTTP,
        ("STORE_LOG", "enable", "off"),
        ("STORE_LOG", "restore_messages", "off"),
        ("STORE_LOG", "store_messages", "memory"),
        ("AUTH", "new_queues", "off"),
    ])
    .await;
    let visitor = Visitor::of(&server).await;
    let page = visitor.get("/").await;
    assert!(page.text().contains("In-memory only") && page.text().contains("section [INFORMATION]"), "{}", page.text());
    assert!(!page.text().contains("Operator</"));
    let information: Value = serde_json::from_str(visitor.get("/info.json").await.text()).unwrap();
    let expected = json!({"config": {"persistence": "memoryOnly", "messageExpiration": 1_814_400,
        "statsEnabled": false, "newQueuesAllowed": false, "basicAuthEnabled": false}});
    assert_eq!(information, expected);
}

#[tokio::test]
async fn pages_for_links_and_what_belongs_to_them() {
    let server = Server::start_with(&[HTTP]).await;
    let visitor = Visitor::of(&server).await;
    for (path, heading) in [
        ("/a", "Contact address"),
        ("/contact/", "Contact address"),
        ("/i", "One-time invitation"),
        ("/invitation", "One-time invitation"),
        ("/c/", "Channel"),
        ("/g", "Group"),
        ("/r", "Chat relay"),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), 200, "{path}");
        assert!(page.text().contains(&format!("<h1>{heading}</h1>")), "{path}: {}", page.text());
    }
    for (path, kind) in [
        ("/media/style.css", "text/css"),
        ("/media/icon.svg", "image/svg+xml"),
        ("/media/link.mjs", "application/javascript"),
        ("/media/lean-qr.mjs", "application/javascript"),
        ("/media/lean-qr-svg.mjs", "application/javascript"),
        ("/.well-known/assetlinks.json", "application/json"),
        ("/.well-known/apple-app-site-association", "application/json"),
    ] {
        let file = visitor.get(path).await;
        assert_eq!((file.status(), file.header("content-type")), (200, kind), "{path}");
    }
    let association: Value =
        serde_json::from_str(visitor.get("/.well-known/apple-app-site-association").await.text()).unwrap();
    let details = &association["applinks"]["details"][0];
    assert_eq!(details["appIDs"], json!(["5NN7GUYB6T.chat.simplex.app"]));
    assert_eq!(details["components"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn what_is_not_of_the_site_is_not_served() {
    let server = Server::start_with(&[HTTP]).await;
    let site = server.state_file("www");
    fs::write(site.join("own.txt"), "by the operator").unwrap();
    fs::write(site.join(".hidden"), "secret").unwrap();
    fs::create_dir(site.join("empty")).unwrap();
    fs::create_dir_all(site.join(".well-known/acme-challenge")).unwrap();
    fs::write(site.join(".well-known/acme-challenge/token"), "challenge").unwrap();
    fs::write(site.join(".well-known/.hidden"), "secret").unwrap();
    symlink(server.state_file("smp-server-store.log"), site.join("store")).unwrap();
    symlink(server.state_file("."), site.join("state")).unwrap();
    let visitor = Visitor::of(&server).await;
    for (path, content) in [("/own.txt", "by the operator"), ("/.well-known/acme-challenge/token", "challenge")] {
        let file = visitor.get(path).await;
        assert_eq!((file.status(), file.text()), (200, content), "{path}");
    }
    for path in [
        "/nothing",
        "/.hidden",
        "/%2ehidden",
        "/.well-known/.hidden",
        "/empty/",
        "/empty",
        "/store",
        "/state/smp-server-store.log",
        "/../smp-server-store.log",
        "/media/../../smp-server-store.log",
        "/media/%2e%2e/%2e%2e/smp-server-store.log",
        "/..%2fsmp-server-store.log",
        "//etc/passwd",
        "/%ff",
    ] {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status(), 404, "{path}: {answer:?}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(visitor.ask(method, "/", &[]).await.status(), 405, "{method}");
        assert_eq!(visitor.ask(method, "/info.json", &[]).await.status(), 405, "{method}");
    }
}

#[tokio::test]
async fn every_answer_forbids_what_no_page_needs() {
    let server = Server::start_with(&[HTTP]).await;
    let visitor = Visitor::of(&server).await;
    for path in ["/", "/a/", "/media/style.css", "/info.json", "/healthz", "/nothing"] {
        let answer = visitor.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("server"), "", "{path}");
    }
    let health = visitor.get("/healthz").await;
    assert_eq!((health.status(), health.text()), (200, "ok\n"));

    let whole = visitor.get("/media/style.css").await;
    let packed = visitor.ask("GET", "/media/style.css", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.body.len() < whole.body.len());
    let head = visitor.ask("HEAD", "/media/style.css", &[]).await;
    assert_eq!(
        (head.status(), head.header("content-length"), head.body.len()),
        (200, &*whole.body.len().to_string(), 0)
    );
    let since = [("if-modified-since", whole.header("last-modified"))];
    assert_eq!(visitor.ask("GET", "/media/style.css", &since).await.status(), 304);
}

#[tokio::test]
async fn a_site_that_cannot_be_does_not_stop_the_server() {
    let taken = TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let server = Server::start_with(&[("WEB", "http", &port)]).await;
    server.logs(0, "web site: cannot listen on port").await;
    Recipient::secured(&server.connect().await, &server.connect().await).await;

    let server = Server::new(&[], &[HTTP]);
    fs::write(server.state_file("www"), "a file").unwrap();
    let mut server = server;
    server.run().await;
    server.logs(0, "no web site: cannot write").await;
    Recipient::secured(&server.connect().await, &server.connect().await).await;

    let server = Server::start_with(&[("WEB", "static_path", "")]).await;
    server.logs(0, "No server static path set").await;
}

#[tokio::test]
async fn ports_are_open_only_where_they_are_bound() {
    let settings = [HTTP, ("WEB", "bind", "127.0.0.1"), ("TRANSPORT", "bind", "127.0.0.1, [::1]")];
    let server = Server::start_with(&settings[..2]).await;
    let visitor = Visitor::of(&server).await;
    assert_eq!(visitor.get("/").await.status(), 200);

    let mut server = Server::new(&[], &settings[2..]);
    server.run().await;
    server.logs(0, "binding to [::1]:").await;
    let port = server.port();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    TcpStream::connect(("::1", port)).await.unwrap();
    TcpStream::connect(("127.0.0.2", port)).await.unwrap_err();
}
