//! `RSLV`: names, and a resolver that answers well or badly.

use futures_util::future::join_all;
use smp_client::protocol::command::{Command, Name};
use smp_client::protocol::error::{CommandError, ErrorType, NameError};
use smp_client::protocol::id::{CorrId, EntityId};
use smp_client::protocol::response::{NameRecord, Response};
use smp_client::protocol::version::Version;
use smp_client::{Client, ClientError};

use crate::harness::ini::Setting;
use crate::harness::relay::{SilentRelay, free_port};
use crate::harness::request::{By, ask_raw, err};
use crate::harness::resolver::{Answer, Resolver};
use crate::harness::server::Server;
use crate::harness::wire::{Blocks, batch_of};

const RECORD: &str = r#"{"name":"alice.simplex","nickname":"Alice","website":"https://example.com","location":"",
    "simplexContact":["simplex:/contact#abc"],"simplexChannel":[],"eth":"0x0123","btc":null,"xmr":null,"dot":null,
    "owner":"0xabc","resolver":"0xdef"}"#;

const NOT_FOUND: ErrorType = ErrorType::Name(NameError::NotFound);

fn record() -> NameRecord {
    NameRecord::decode(RECORD.as_bytes()).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes()).unwrap()
}

/// A server with a resolver, and settings of its own for it.
async fn resolving(settings: &[Setting<'_>]) -> (Resolver, Server) {
    let resolver = Resolver::start().await;
    let endpoint = resolver.endpoint();
    let own = [("NAMES", "enable", "on"), ("NAMES", "resolver_endpoint", &*endpoint)];
    let server = Server::start_with(&[&own, settings].concat()).await;
    server.logs(0, "[NAMES] resolver").await;
    resolver.requests();
    (resolver, server)
}

fn refused(result: Result<NameRecord, ClientError>) -> ErrorType {
    match result {
        Err(ClientError::Server(error) | ClientError::Relay(error)) => error,
        other => panic!("the server should have answered ERR, but: {other:?}"),
    }
}

fn resolver_error(text: &str) -> ErrorType {
    ErrorType::Name(NameError::Resolver(text.to_owned()))
}

/// `RSLV` with any bytes for a name.
async fn resolve(client: &Client, name: impl AsRef<[u8]>) -> Response {
    let answer = ask_raw(client, EntityId::EMPTY, &[b"RSLV ", name.as_ref()].concat(), By::Nobody).await;
    assert!(answer.entity.is_empty());
    answer.response
}

#[tokio::test]
async fn b_220_221_223_226_answers_of_the_resolver() {
    let (resolver, server) = resolving(&[("NAMES", "resolver_auth", "bearer t0ken")]).await;
    let client = server.connect().await;
    assert_eq!(refused(client.resolve(&name("ghost.simplex")).await), NOT_FOUND);
    let request = resolver.requests().remove(0);
    assert_eq!(request[0], "GET /resolve/ghost.simplex HTTP/1.1");
    assert!(request.iter().any(|line| line.to_lowercase() == "authorization: bearer t0ken"), "{request:?}");

    resolver.answers(Answer::with(502, "bad gateway"));
    assert_eq!(refused(client.resolve(&name("alice.simplex")).await), resolver_error("HTTP 502"));
    resolver.answers(Answer::with(200, RECORD));
    assert_eq!(client.resolve(&name("alice.simplex")).await.unwrap(), record());
    resolver.requests();
    for _ in 0..2 {
        client.resolve(&name("alice.simplex")).await.unwrap();
    }
    assert_eq!(resolver.request_lines(), ["GET /resolve/alice.simplex HTTP/1.1"; 2]);
}

#[tokio::test]
async fn b_222_no_resolver() {
    let server = Server::start().await;
    assert_eq!(
        refused(server.connect().await.resolve(&name("alice.simplex")).await),
        ErrorType::Name(NameError::NoResolver)
    );
}

#[tokio::test]
async fn b_224_names_behind_a_proxy() {
    let (resolver, server) = resolving(&[]).await;
    let proxy = Server::start().await;
    let through = proxy.connect().await.proxied_relay(server.address(), None).await.unwrap();
    assert_eq!(refused(through.resolve(&name("ghost.simplex")).await), NOT_FOUND);
    resolver.answers(Answer::with(200, RECORD));
    assert_eq!(through.resolve(&name("alice.simplex")).await.unwrap(), record());
}

#[tokio::test]
async fn b_225_resolver_that_misbehaves() {
    let (resolver, server) =
        resolving(&[("NAMES", "resolver_timeout_ms", "300"), ("NAMES", "resolver_max_response_bytes", "1024")]).await;
    let client = server.connect().await;
    let ok = |body: &[u8]| [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", body].concat();
    let mut elsewhere = SilentRelay::start().await;
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/\r\nContent-Length: 0\r\n\r\n", elsewhere.port);
    let long_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 2\r\n\r\n{{}}", "x".repeat(100_000));
    let many_heads = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\n{{}}", "X: y\r\n".repeat(10_000));
    let extra = RECORD.replace("\"owner\":\"0xabc\"", "\"owner\":7");
    for (answer, error) in [
        (Answer::with(400, ""), NOT_FOUND),
        (Answer::with(404, RECORD), NOT_FOUND),
        (Answer::with(500, RECORD), resolver_error("HTTP 500")),
        (Answer::with(429, ""), resolver_error("HTTP 429")),
        (Answer::with(200, "x".repeat(2000)), resolver_error("response too large")),
        (Answer::Endless, resolver_error("response too large")),
        (Answer::with(200, "no json"), resolver_error("invalid response")),
        (Answer::with(200, "{}"), resolver_error("invalid response")),
        (Answer::with(200, "[]"), resolver_error("invalid response")),
        (Answer::with(200, ""), resolver_error("invalid response")),
        (Answer::with(200, b"\xff\xfe"), resolver_error("invalid response")),
        (Answer::with(200, "[".repeat(1000)), resolver_error("invalid response")),
        (Answer::with(200, extra), resolver_error("invalid response")),
        // Not followed.
        (Answer::Bytes(redirect.into_bytes()), resolver_error("invalid response")),
        (Answer::Silence, resolver_error("timeout")),
        (Answer::Bytes(b"HTTP/1.1 200 OK\r\n".to_vec()), resolver_error("timeout")),
        (Answer::Bytes(ok(b"{\"name\":")), resolver_error("timeout")),
        (Answer::Last(Vec::new()), resolver_error("transport failure")),
        (Answer::Last(ok(b"{\"name\":")), resolver_error("transport failure")),
        (Answer::Last(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()), resolver_error("transport failure")),
        (Answer::Last(long_head.into_bytes()), resolver_error("transport failure")),
        (Answer::Last(many_heads.into_bytes()), resolver_error("transport failure")),
    ] {
        resolver.answers(answer.clone());
        let refused = refused(client.resolve(&name("alice.simplex")).await);
        assert_eq!(refused, error, "{answer:?}");
    }
    assert!(elsewhere.is_untried());
    // Other commands do not wait for it, and it is asked again when it is well.
    resolver.answers(Answer::Silence);
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.resolve(&name("alice.simplex")).await }
    });
    client.ping().await.unwrap();
    assert_eq!(refused(waiting.await.unwrap()), resolver_error("timeout"));
    resolver.answers(Answer::with(200, RECORD));
    assert_eq!(client.resolve(&name("alice.simplex")).await.unwrap(), record());
}

#[tokio::test]
async fn resolver_that_is_not_there() {
    let endpoint = format!("http://127.0.0.1:{}", free_port().await);
    let settings = [("NAMES", "enable", "on"), ("NAMES", "resolver_endpoint", &*endpoint)];
    let server = Server::start_with(&settings).await;
    let failure = resolver_error("transport failure");
    assert_eq!(refused(server.connect().await.resolve(&name("alice.simplex")).await), failure);
}

#[tokio::test]
async fn b_227_resolver_is_probed_at_start() {
    let (resolver, mut server) = resolving(&[]).await;
    for (status, said) in [(200, "healthy"), (500, "HTTP 500")] {
        resolver.health(status);
        server.restart().await;
        let line = server.logs(0, "[NAMES] resolver").await;
        assert!(line.contains(said), "{line}");
        assert_eq!(resolver.request_lines(), ["GET /health HTTP/1.1"]);
    }
}

#[tokio::test]
async fn b_228_229_grammar_of_names() {
    let (resolver, server) = resolving(&[]).await;
    resolver.answers(Answer::with(200, RECORD));
    let client = server.connect().await;
    let longest_label = format!("{}.simplex", "a".repeat(63));
    for (text, path) in [
        ("Alice.SIMPLEX", "alice.simplex"),
        ("bob.testing", "bob.testing"),
        ("example.com", "example.com"),
        ("a-b.simplex", "a-b.simplex"),
        (&longest_label, &longest_label),
        ("a.b and more", "a.b"),
    ] {
        assert_eq!(resolve(&client, text).await, Response::Name(Box::new(record())));
        assert_eq!(resolver.request_lines(), [format!("GET /resolve/{path} HTTP/1.1")]);
    }
    let (long_label, long_name) = (format!("{}.simplex", "a".repeat(64)), format!("{}simplex", "a.".repeat(130)));
    for text in [
        "privacy",
        "é.simplex",
        &long_label,
        &long_name,
        "",
        ".",
        "a..b",
        ".a",
        "a.",
        "-a.b",
        "a-.b",
        "a--b.c",
        "a_b.c",
        "a.b/../health",
        "a.b%2f",
        "a.b?c",
        "a.b#c",
        "a.b:80",
        "a@b.c",
        "a.b\0",
    ] {
        assert_eq!(resolve(&client, text).await, Response::Error(CommandError::Syntax.into()), "{text:?}");
    }
    assert!(resolver.requests().is_empty());
}

#[tokio::test]
async fn b_230_form_of_a_record() {
    let (resolver, server) = resolving(&[]).await;
    resolver.answers(Answer::with(
        200,
        r#"{"resolver":"r","owner":"o","simplexChannel":[],"simplexContact":[],"location":"","website":"","nickname":"",
            "name":"alice.simplex","more":1}"#,
    ));
    let mut blocks = Blocks::connect(&server, Version::MAX).await;
    let rslv = [b"\0\x18", &[7; 24][..], b"\0RSLV alice.simplex"].concat();
    blocks.send(&batch_of(&[rslv])).await;
    let answers = blocks.receive_raw().await;
    let expected = br#"RNAME {"name":"alice.simplex","nickname":"","website":"","location":"","simplexContact":[],"simplexChannel":[],"eth":null,"btc":null,"xmr":null,"dot":null,"owner":"o","resolver":"r"}"#;
    let corr_id = CorrId::try_from(&[7; 24][..]).unwrap();
    assert_eq!(answers, [(corr_id, expected.to_vec())]);
}

#[tokio::test]
async fn b_231_232_endpoints() {
    let bearer = Some("bearer token");
    let basic = Some("basic user:password");
    let accepts = async |endpoint: &str, auth: Option<&str>| {
        let mut settings = vec![("NAMES", "enable", "on"), ("NAMES", "resolver_endpoint", endpoint)];
        settings.extend(auth.map(|auth| ("NAMES", "resolver_auth", auth)));
        Server::start_with(&settings).await.stop().await;
    };
    join_all([
        accepts("https://127.0.0.1:1/a/path", None),
        accepts("http://127.0.0.1:1", None),
        accepts("http://localhost", None),
        accepts("https://127.0.0.1:1", bearer),
        accepts("http://127.0.0.1:1", basic),
        accepts("http://[::1]:1/", bearer),
    ])
    .await;
    for (endpoint, auth) in [
        ("/resolve", None),
        ("127.0.0.1", None),
        ("ftp://127.0.0.1", None),
        ("http://", None),
        ("http://:80", None),
        ("http://10.0.0.1", bearer),
        ("http://127.evil.com", basic),
        ("http://127.0.0.1.evil.com", bearer),
        ("https://user@127.0.0.1", None),
        ("https://user:password@127.0.0.1", None),
    ] {
        let mut server = Server::new(&[], &[("NAMES", "enable", "on"), ("NAMES", "resolver_endpoint", endpoint)]);
        if let Some(auth) = auth {
            server.set(("NAMES", "resolver_auth", auth));
        }
        let (status, output) = server.run_to_failure().await;
        assert_eq!(status.code(), Some(1), "{endpoint}");
        assert!(output.iter().any(|line| line.contains("resolver_endpoint")), "{endpoint}: {output:?}");
        assert!(!output.iter().any(|line| line.contains("password@") || line.contains("token")), "{output:?}");
    }
}

/// Two names at a time, and one: whether what comes behind two names waits for the first.
#[tokio::test]
async fn concurrency_of_a_client_is_limited() {
    for (limit, ping_is_first) in [("2", true), ("1", false)] {
        let settings = [("NAMES", "resolver_concurrency", limit), ("NAMES", "resolver_timeout_ms", "1000")];
        let (resolver, server) = resolving(&settings).await;
        resolver.answers(Answer::Silence);
        let mut blocks = Blocks::connect(&server, Version::MAX).await;
        let mut sent = Vec::new();
        for command in [Command::Resolve(name("a.b")), Command::Resolve(name("c.d")), Command::Ping] {
            let (corr_id, transmission) = blocks.command(EntityId::EMPTY, &command, None);
            blocks.send(&batch_of(&[transmission])).await;
            sent.push(corr_id);
        }
        let mut answers = Vec::new();
        while answers.len() < sent.len() {
            answers.extend(blocks.receive().await);
        }
        let pong = answers.iter().position(|answer| answer.corr_id == sent[2]).unwrap();
        assert_eq!(pong == 0, ping_is_first, "limit {limit}: {answers:?}");
        for corr_id in &sent[..2] {
            let answer = answers.iter().find(|answer| answer.corr_id == *corr_id).unwrap();
            assert_eq!(answer.reply, err(EntityId::EMPTY, resolver_error("timeout")));
        }
        assert_eq!(resolver.requests().len(), 2);
    }
}
