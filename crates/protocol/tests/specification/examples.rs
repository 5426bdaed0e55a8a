//! Examples and tables of the other sections.

use smp_protocol::address::Host;
use smp_protocol::command::{
    Command, NewQueue, ProxyCommand, QueueRequest, RecipientCommand, RelayAddress, ServiceCommand, SubscribeMode,
};
use smp_protocol::error::CommandError;
use smp_protocol::id::{CorrId, EntityId, ServiceId, SessionId};
use smp_protocol::key::{AuthKey, DhPrivateKey};
use smp_protocol::response::Response;
use smp_protocol::transmission::Wire;
use smp_protocol::version::Version;

fn session_id() -> SessionId {
    [3; 32][..].try_into().unwrap()
}

const SIGNATURE: [u8; 65] = {
    let mut signature = [1; 65];
    signature[0] = 64;
    signature
};

/// Start of a SUB in each generation of the protocol (wire.md §5.1).
#[test]
fn subscription_of_every_generation() {
    let (session_id, id) = (session_id(), [b"\x18", &[5; 24][..]].concat());
    let slot = [b"1", &SIGNATURE[..]].concat();
    for (versions, middle, service) in [
        (6..=6, [&b"\x20"[..], session_id.as_ref()].concat(), false),
        (7..=15, vec![], false),
        (16..=20, b"0".to_vec(), false),
        (16..=20, slot, true),
    ] {
        for version in versions {
            let transmission = [&SIGNATURE[..], &middle, &id, &id, b"SUB"].concat();
            let read = Wire::connection(Version(version), &session_id).read(&transmission).unwrap();
            assert_eq!(read.command(Version(version)), Ok(Command::Recipient(RecipientCommand::Subscribe)));
            assert_eq!(read.service_signature.is_some(), service);
        }
    }
}

#[test]
fn responses_of_every_generation() {
    let (session_id, corr_id) = (session_id(), CorrId::random());
    let entity: EntityId = [5; 24][..].try_into().unwrap();
    let written = |version, corr_id: &CorrId, response: &Response| {
        let mut out = Vec::new();
        Wire::connection(Version(version), &session_id).write(corr_id, &entity, &mut out, |out| {
            response.encode(Version(version), out).unwrap();
        });
        out
    };
    for version in 7..=20 {
        let end = [b"\x00\x00\x18", entity.as_ref(), b"END"].concat();
        assert_eq!(written(version, &CorrId::EMPTY, &Response::End), end);
        let word: &[u8] = if version >= 16 { b"SOK 0" } else { b"OK" };
        let ok = [b"\x00\x18", corr_id.as_ref(), b"\x18", entity.as_ref(), word].concat();
        assert_eq!(written(version, &corr_id, &Response::Subscribed(None)), ok);
    }
    let with_session = [b"\x00\x20", session_id.as_ref(), b"\x00\x18", entity.as_ref(), b"END"].concat();
    assert_eq!(written(6, &CorrId::EMPTY, &Response::End), with_session);
    let service_id = ServiceId::random();
    let mut sok = Vec::new();
    Response::Subscribed(Some(service_id)).encode(Version(16), &mut sok).unwrap();
    assert_eq!(sok, [b"SOK 1\x18", service_id.as_ref()].concat());
}

/// wire.md §6.2: the minimal NEW of version 20.
#[test]
fn minimal_new() {
    let key = DhPrivateKey::generate().public();
    let spki = key.to_spki();
    let body = [b"NEW \x2c", &spki[..], b"\x2c", &spki, b"0S1M00"].concat();
    let new = NewQueue {
        recipient_key: AuthKey::X25519(key),
        recipient_dh_key: key,
        password: None,
        subscribe: SubscribeMode::Subscribe,
        request: Some(QueueRequest::Messaging(None)),
        notifier: None,
    };
    assert_eq!(Command::parse(&body, Version(20)), Ok(Command::New(Box::new(new))));
}

/// wire.md §6.4: the service commands before and from version 19.
#[test]
fn service_subscriptions() {
    for (version, arguments, other) in [(18, &b""[..], &b" \0\0\0\0\0\0\0\x01\x10"[..]), (19, b" ", b"")] {
        let full = if version >= 19 { [arguments, &[0; 8], b"\x10", &[9; 16]].concat() } else { vec![] };
        for tag in [&b"SUBS"[..], b"NSUBS"] {
            let command = Command::parse(&[tag, &full].concat(), Version(version)).unwrap();
            let Command::Service(ServiceCommand::SubscribeQueues(set) | ServiceCommand::SubscribeNotifiers(set)) =
                command
            else {
                panic!("a service command")
            };
            assert_eq!(set.count, if version >= 19 { 0 } else { -1 });
            assert_eq!(Command::parse(&[tag, other].concat(), Version(version)), Err(CommandError::Syntax));
        }
    }
    // The hash may have any length.
    assert!(Command::parse(b"SUBS \0\0\0\0\0\0\0\x01\x02ab", Version(19)).is_ok());
}

/// Tags do not depend on the version (wire.md §0.2).
#[test]
fn every_tag_parses_in_every_version() {
    for version in 6..=20 {
        for body in ["LGET", "QUE", "LDEL", "NSUB", "RSLV alice.simplex", "RFWD x", "PING", "GET", "OFF"] {
            assert!(Command::parse(body.as_bytes(), Version(version)).is_ok(), "{body} in {version}");
        }
    }
}

/// wire.md §6.6.
#[test]
fn relay_addresses() {
    let parse = |host: &str, port: &str| {
        let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let body = [b"PRXY \x01", &text(host)[..], &text(port), b"\x02hh0"].concat();
        match Command::parse(&body, Version::MAX)? {
            Command::Proxy(ProxyCommand::Connect(relay)) => Ok(relay.0),
            _ => panic!("PRXY"),
        }
    };
    let domain =
        |name: &str, port| Ok(RelayAddress { hosts: vec![Host::Domain(name.into())], port, key_hash: b"hh".to_vec() });
    assert_eq!(parse("smp.example.org", ""), domain("smp.example.org", 5223));
    assert_eq!(parse("192.256.0.1", "443"), domain("192.256.0.1", 443));
    for (host, port) in [
        ("192.168.0.0.1", ""),
        ("abc.onion.org", ""),
        ("x.abc.onion", ""),
        ("::1x", ""),
        ("a", "port"),
        ("a", "99999"),
        ("a", "-1"),
        ("a", "+1"),
        ("a", "1x"),
        ("", ""),
    ] {
        assert_eq!(parse(host, port), Err(CommandError::Syntax), "{host}:{port}");
    }
}

/// wire.md §7.4.
#[test]
fn queue_information() {
    let body = br#"INFO {"qiSnd":true,"qiNtf":false,"qiSub":{"qSubThread":"noSub","qDelivered":"gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaX"},"qiSize":1,"qiMsg":{"msgId":"gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaX","msgTs":"2023-11-14T22:13:20Z","msgType":"message"}}"#;
    let mut again = Vec::new();
    Response::decode(body, Version(20)).unwrap().encode(Version(20), &mut again).unwrap();
    assert_eq!(again, body);
}

/// The checklist of wire.md §15: what is answered before a queue is looked for. No error is a command that goes on.
#[test]
fn checklist_of_syntax() {
    use CommandError::{HasAuth, NoAuth, NoEntity, Syntax, Unknown};
    let spki = [b"\x2c", &DhPrivateKey::generate().public().to_spki()[..]].concat();
    let with_key = |tag: &[u8]| [tag, &spki].concat();
    let new = [b"NEW ", &spki[..], &spki, b"0S00"].concat();
    let id = "12345678";
    let checks: &[(&[u8], &str, bool, Option<CommandError>)] = &[
        (b"HELLO", "1234", false, Some(Unknown)),
        (b"NEW", "", true, Some(Syntax)),
        (&new, "", true, None),
        (&new, "", false, Some(NoAuth)),
        (&new, id, true, Some(HasAuth)),
        (&with_key(b"KEY "), id, true, None),
        (b"KEY", id, true, Some(Syntax)),
        (&with_key(b"KEY "), id, false, Some(NoAuth)),
        (&with_key(b"KEY "), "", true, Some(NoAuth)),
        (b"SUB", id, true, None),
        (b"OFF", id, true, None),
        (b"DEL", id, true, None),
        (b"SUB=", id, true, Some(Unknown)),
        (b"SUB", id, false, Some(NoAuth)),
        (b"SUB", "", true, Some(NoAuth)),
        (b"SEND F \x05hello", id, true, None),
        (b"SEND", id, true, Some(Syntax)),
        (b"SEND F hello", "", true, Some(NoEntity)),
        (b"ACK \x041234", id, true, None),
        (b"ACK \x041234", id, false, Some(NoAuth)),
        (b"ACK", id, true, Some(Syntax)),
        (b"PING", "", false, None),
        (b"OK", id, true, Some(Unknown)),
        (b"LGET", id, true, Some(HasAuth)),
        (b"LGET", "", true, Some(NoEntity)),
        (&with_key(b"LKEY "), id, false, Some(NoAuth)),
        (b"SUBS \0\0\0\0\0\0\0\0\x00", "", true, Some(NoAuth)),
        (b"RSLV a.b", "", false, None),
        (b"RSLV a.b", id, false, Some(HasAuth)),
        (b"PING", id, false, Some(HasAuth)),
    ];
    let session_id = session_id();
    for (body, entity, signed, expected) in checks {
        let auth = if *signed { [&SIGNATURE[..], b"0"].concat() } else { vec![0] };
        let length = u8::try_from(entity.len()).unwrap();
        let transmission = [&auth, &b"\x04corr"[..], &[length], entity.as_bytes(), body].concat();
        let read = Wire::connection(Version::MAX, &session_id).read(&transmission).unwrap();
        let error = read.command(Version::MAX).err();
        assert_eq!(error, expected.map(|error| read.reject(error)), "{}", String::from_utf8_lossy(body));
    }
}
