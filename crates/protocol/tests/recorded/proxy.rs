//! `proxy.json`: forwarding through a proxy, and to a relay by a client that plays the proxy.

use serde::Deserialize;
use smp_protocol::command::{Command, ForwardedCommand};
use smp_protocol::error::ErrorType;
use smp_protocol::forward::{ClientForward, ForwardError, ProxyForward, RelayForward};
use smp_protocol::id::{CorrId, EntityId, SessionId};
use smp_protocol::key::{DhPrivateKey, DhPublicKey, DhSecret};
use smp_protocol::response::Response;
use smp_protocol::transmission::{Credentials, Wire};
use smp_protocol::version::{Version, VersionRange};

use crate::handshake::{client_hello, is_encrypted, server_hello, session_public};
use crate::vectors::{Hex, Key, Long, load};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forwarding {
    relay_key_hash: Hex,
    pkey_message: Hex,
    relay_session_id: Hex,
    min_version: u16,
    max_version: u16,
    relay_session_public: Hex,
    client: Vec<Forwarded>,
    proxy_link: Link,
    proxy: Vec<FromProxy>,
}

/// A command and its response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forwarded {
    name: String,
    fwd_version: u16,
    client_corr_id: Hex,
    command_key: Key,
    client_secret: Hex,
    entity: Hex,
    command: Hex,
    queue_key: Option<Key>,
    enc_transmission: Long,
    response: Hex,
    /// From a real proxy.
    pres: Option<Long>,
    /// To and from a relay.
    proxy_corr_id: Option<Hex>,
    rfwd: Option<Long>,
    rres: Option<Long>,
    enc_response: Option<Long>,
}

/// What a relay answers with a plain error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    name: String,
    proxy_corr_id: Hex,
    rfwd: Long,
    error: Hex,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FromProxy {
    Forwarded(Box<Forwarded>),
    Refused(Refused),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    session_id: Hex,
    version: u16,
    relay_session_public: Hex,
    proxy_session_key: Key,
    proxy_secret: Hex,
    server_hello: Hex,
    client_hello: Hex,
}

/// The session in which a relay sees the command.
struct RelaySession {
    id: SessionId,
    key: DhPublicKey,
}

impl Forwarded {
    fn version(&self) -> Version {
        Version(self.fwd_version)
    }

    fn corr_id(&self) -> CorrId {
        self.client_corr_id.id()
    }

    /// The inner transmission, authorized and encrypted again.
    fn seal(&self, session: &RelaySession) -> (Vec<u8>, ClientForward, ForwardedCommand) {
        let (version, corr_id, entity): (_, _, EntityId) = (self.version(), self.corr_id(), self.entity.id());
        let wire = Wire::forwarded(version, &session.id);
        let command = Command::parse(&self.command, version).unwrap();
        let key = self.queue_key.as_ref().map(Key::auth);
        let credentials = Credentials { key: key.as_ref(), session_key: Some(&session.key), service: None };
        let mut inner = Vec::new();
        wire.write_command(&command, &corr_id, &entity, &credentials, &mut inner);
        let command_key = self.command_key.dh();
        assert_eq!(&self.client_secret, &command_key.agree(&session.key).as_bytes()[..]);
        let (client, forwarded) = ClientForward::seal(&command_key, &session.key, &corr_id, version, &inner).unwrap();
        self.enc_transmission.check(&forwarded.encrypted);
        (inner, client, forwarded)
    }

    /// The inner response.
    fn response(&self, session: &RelaySession) -> Vec<u8> {
        let response = Response::decode(&self.response, self.version()).unwrap();
        let mut transmission = Vec::new();
        Wire::forwarded(self.version(), &session.id).write(
            &self.corr_id(),
            &self.entity.id(),
            &mut transmission,
            |out| response.encode(self.version(), out).unwrap(),
        );
        assert!(transmission.ends_with(&self.response));
        transmission
    }

    /// What the relay makes of a command and its response. Its session key is not recorded: here the keys of command and
    /// session change places, which leaves their secret as it is.
    fn relay(&self, session: &RelaySession, proxy_secret: &DhSecret, proxy_corr_id: &CorrId) -> (Vec<u8>, Vec<u8>) {
        let (inner, _, command) = self.seal(session);
        let mirrored = ForwardedCommand { key: session.key, ..command };
        let (_, rfwd) = ProxyForward::seal(proxy_secret, proxy_corr_id, &self.corr_id(), &mirrored);
        let opened = RelayForward::open(proxy_secret, &self.command_key.dh(), proxy_corr_id, &rfwd).unwrap();
        assert_eq!((opened.version, opened.transmission.as_deref()), (self.version(), Ok(&inner[..])));
        let response = self.response(session);
        let rres = opened.reply.seal(proxy_secret, &response).unwrap();
        (rres, response)
    }
}

#[test]
fn commands_through_a_proxy() {
    let vectors: Forwarding = load("proxy.json");
    let session = relay_session(&vectors);
    let names: Vec<&str> = vectors.client.iter().map(|recorded| &recorded.name[..]).collect();
    assert_eq!(names, ["SKEY", "SEND", "SEND unsigned", "SUB"]);
    let proxy_secret = DhSecret::from([0; 32]);
    for forwarded in &vectors.client {
        let pres = forwarded.pres.as_ref().unwrap();
        let corr_id = CorrId::random();
        let (_, client, command) = forwarded.seal(&session);
        let (proxy, _) = ProxyForward::seal(&proxy_secret, &corr_id, &forwarded.corr_id(), &command);
        let (rres, response) = forwarded.relay(&session, &proxy_secret, &corr_id);
        let encrypted = proxy.open_response(&proxy_secret, &rres).unwrap();
        pres.check(&encrypted);
        assert_eq!(client.open_response(&pres.bytes().unwrap_or(encrypted)), Ok(response));
    }
}

/// Checks the PKEY.
fn relay_session(vectors: &Forwarding) -> RelaySession {
    let response = Response::decode(&vectors.pkey_message, Version::MAX).unwrap();
    let mut again = Vec::new();
    response.encode(Version::MAX, &mut again).unwrap();
    assert_eq!(vectors.pkey_message, again[..]);
    let Response::RelaySession(pkey) = response else { panic!("PKEY") };
    assert_eq!(pkey.session_id, vectors.relay_session_id.id());
    let versions = VersionRange::new(Version(vectors.min_version), Version(vectors.max_version));
    assert_eq!(Some(pkey.versions), versions);
    let key = session_public(&pkey.key, &vectors.relay_key_hash);
    assert_eq!(key, vectors.relay_session_public.dh_public());
    RelaySession { id: pkey.session_id.clone(), key }
}

#[test]
fn commands_of_a_proxy() {
    let vectors: Forwarding = load("proxy.json");
    let (session, proxy_secret) = vectors.proxy_link.open(&vectors.relay_key_hash);
    let (mut answered, mut refused) = (0, 0);
    for recorded in &vectors.proxy {
        match recorded {
            FromProxy::Forwarded(forwarded) => {
                forwarded.check_with_proxy(&session, &proxy_secret);
                answered += 1;
            }
            FromProxy::Refused(vector) => {
                vector.check(&proxy_secret);
                refused += 1;
            }
        }
    }
    assert_eq!((answered, refused), (6, 2));
}

impl Forwarded {
    fn check_with_proxy(&self, session: &RelaySession, proxy_secret: &DhSecret) {
        assert_eq!(self.name, format!("SEND of a version {} client", self.fwd_version));
        let (Some(corr_id), Some(rfwd), Some(rres), Some(enc_response)) =
            (&self.proxy_corr_id, &self.rfwd, &self.rres, &self.enc_response)
        else {
            panic!("the layer of the proxy")
        };
        let corr_id: CorrId = corr_id.id();
        let (_, client, command) = self.seal(session);
        let (proxy, sealed) = ProxyForward::seal(proxy_secret, &corr_id, &self.corr_id(), &command);
        rfwd.check(&sealed);
        let (answer, response) = self.relay(session, proxy_secret, &corr_id);
        rres.check(&answer);
        let encrypted = proxy.open_response(proxy_secret, &rres.bytes().unwrap_or(answer)).unwrap();
        enc_response.check(&encrypted);
        assert_eq!(client.open_response(&encrypted), Ok(response));
    }
}

impl Refused {
    fn check(&self, proxy_secret: &DhSecret) {
        let expected = match &self.name[..] {
            "undecryptable" => ForwardError::Crypto,
            "not parsable" => ForwardError::Syntax,
            name => panic!("{name}"),
        };
        let (key, rfwd) = (DhPrivateKey::generate(), self.rfwd.bytes().unwrap());
        let opened = RelayForward::open(proxy_secret, &key, &self.proxy_corr_id.id(), &rfwd);
        assert_eq!(opened.unwrap_err(), expected);
        let answer = Response::decode(&self.error, Version::MAX);
        assert_eq!(answer, Ok(Response::Error(ErrorType::from(expected))));
    }
}

impl Link {
    /// The session with the relay, after a check of the hellos.
    fn open(&self, key_hash: &Hex) -> (RelaySession, DhSecret) {
        let (server, client) = (server_hello(&self.server_hello), client_hello(&self.client_hello));
        assert_eq!(server.session_id, self.session_id.id());
        let key = session_public(server.key.as_ref().unwrap(), key_hash);
        assert_eq!(key, self.relay_session_public.dh_public());
        let proxy_key = self.proxy_session_key.dh();
        assert_eq!((client.version, client.key), (Version(self.version), Some(proxy_key.public())));
        assert!(client.proxy && !is_encrypted(&client) && client.key_hash == key_hash[..]);
        let secret = proxy_key.agree(&key);
        assert_eq!(&self.proxy_secret, &secret.as_bytes()[..]);
        (RelaySession { id: server.session_id, key }, secret)
    }
}
