//! A client, a proxy made from this crate, and a scripted relay.

use std::sync::Arc;

use smp_client::protocol::address::ServerAddress;
use smp_client::protocol::authorization::{AuthPrivateKey, Verifier};
use smp_client::protocol::command::{Command, ForwardedCommand, ProxyCommand, SendMessage, SenderCommand};
use smp_client::protocol::error::{BrokerError, CommandError, ErrorType, ProxyError, TransportError};
use smp_client::protocol::forward::RelayForward;
use smp_client::protocol::id::{CorrId, EntityId, SenderId};
use smp_client::protocol::key::{DhPrivateKey, SigningKey};
use smp_client::protocol::response::{RelaySession, Response};
use smp_client::protocol::transmission::{Transmission, Wire};
use smp_client::protocol::version::{Version, VersionRange};
use smp_client::transport::tls::TlsClient;
use smp_client::{Client, ClientError, Options, ProxiedRelay};

use crate::peer::{Peer, Server};

/// The three parties, connected.
struct Parties {
    client: Client,
    /// The proxy's end towards the client.
    proxy: Peer,
    /// The proxy's end towards the relay.
    to_relay: Client,
    relay: Peer,
    address: ServerAddress,
}

impl Parties {
    async fn connect(client_max: u16, relay_max: u16) -> Self {
        let (proxy_server, relay_server) = (Server::start().await, Server::up_to(relay_max).await);
        let versions = VersionRange::new(Version::MIN, Version(client_max)).unwrap();
        let (client, proxy) = proxy_server.session(&Options { versions, ..Options::default() }).await;
        let (to_relay, relay) = relay_server.session(&Options::proxy()).await;
        Self { client, proxy, to_relay, relay, address: relay_server.address() }
    }

    /// PRXY, answered with this session.
    async fn open(&mut self, session: RelaySession) -> Result<ProxiedRelay, ClientError> {
        let serve = self.proxy.serve(|_| Response::RelaySession(std::sync::Arc::new(session)));
        let (relay, incoming) = tokio::join!(self.client.proxied_relay(&self.address, None), serve);
        let Command::Proxy(ProxyCommand::Connect(connect)) = incoming.command else { panic!("not PRXY") };
        assert_eq!(connect.0.hosts, self.address.hosts);
        assert_eq!(Some(connect.0.port), self.address.port);
        assert_eq!(connect.0.key_hash, self.address.key_hash.0);
        relay
    }

    async fn opened(&mut self) -> ProxiedRelay {
        let session = self.to_relay.relay_session().unwrap();
        self.open(session).await.unwrap()
    }

    /// The proxy forwards one command; the relay checks it with `inspect`, which also answers.
    async fn forward(&mut self, inspect: impl FnOnce(&Relayed<'_>) -> Response) {
        let incoming = self.proxy.receive_one().await;
        let Command::Proxy(ProxyCommand::Forward(command)) = &incoming.command else { panic!("not PFWD") };
        assert_eq!(incoming.entity.as_ref(), self.relay.session.session_id.as_ref());
        let relay = async {
            let incoming = self.relay.receive_one().await;
            let response = relay_response(&self.relay, &incoming.command, &incoming.corr_id, inspect);
            let response = self.relay.encode(&incoming.corr_id, &EntityId::EMPTY, &response);
            self.relay.send(&[response]).await;
        };
        let (response, ()) = tokio::join!(self.to_relay.forward(&incoming.corr_id, command), relay);
        self.proxy.answer(&incoming, Response::ProxiedResponse(response.unwrap())).await;
    }
}

/// What the relay found in a forward.
struct Relayed<'a> {
    version: Version,
    transmission: &'a Transmission<'a>,
    command: Command,
    session_key: &'a DhPrivateKey,
}

impl Relayed<'_> {
    fn is_authorized_by(&self, key: &AuthPrivateKey) -> bool {
        let Transmission { authorization, authorized, corr_id, .. } = self.transmission;
        Verifier { session_key: self.session_key }.verify(authorization, &key.public(), authorized, corr_id)
    }
}

fn relay_response(
    relay: &Peer,
    command: &Command,
    corr_id: &CorrId,
    inspect: impl FnOnce(&Relayed<'_>) -> Response,
) -> Response {
    let Command::Proxy(ProxyCommand::Relay(encrypted)) = command else { panic!("not RFWD") };
    let session_key = &relay.session.session_key;
    let secret = session_key.agree(&relay.session.peer_key.unwrap());
    let opened = RelayForward::open(&secret, session_key, corr_id, encrypted).unwrap();
    let wire = Wire::forwarded(opened.version, &relay.session.session_id);
    let bytes = opened.transmission.unwrap();
    let transmission = wire.read(&bytes).unwrap();
    let command = transmission.command(opened.version).unwrap();
    let version = opened.version;
    let response = inspect(&Relayed { version, transmission: &transmission, command, session_key });
    let mut out = Vec::new();
    wire.write(&transmission.corr_id, &transmission.entity, &mut out, |out| response.encode(version, out).unwrap());
    Response::RelayResponse(opened.reply.seal(&secret, &out).unwrap().into())
}

#[tokio::test]
async fn commands_travel_through_a_proxy_in_every_version() {
    for (client_max, relay_max) in (8..=20).map(|v| (v, 20)).chain([(20, 8), (20, 13), (20, 14)]) {
        let mut parties = Parties::connect(client_max, relay_max).await;
        let relay = parties.opened().await;
        let known = if relay_max < 14 { relay_max.min(10) } else { relay_max };
        assert_eq!(relay.version(), Version(client_max.min(known)));
        assert_eq!(relay.session_id(), &parties.relay.session.session_id);
        assert_eq!(relay.relay_key(), &parties.relay.session.session_key.public());

        let sender_id = SenderId::random();
        for key in [
            AuthPrivateKey::Signing(SigningKey::generate_ed25519()),
            AuthPrivateKey::Signing(SigningKey::generate_ed448()),
            AuthPrivateKey::Dh(DhPrivateKey::generate()),
        ] {
            let key = Arc::new(key);
            let sender = relay.sender(sender_id).with_key(Arc::clone(&key));
            // The longest body of the client's version just fits.
            let body = vec![7; Version(client_max).max_body()];
            let ((), ()) = tokio::join!(
                async { sender.send(body.clone()).await.unwrap() },
                parties.forward(|relayed| {
                    assert_eq!(relayed.version, relay.version());
                    assert_eq!(relayed.transmission.entity, sender_id.into());
                    let message = SendMessage { notify: false, body: body.clone().into() };
                    assert_eq!(relayed.command, Command::Sender(SenderCommand::Send(message)));
                    assert!(relayed.is_authorized_by(&key));
                    Response::Ok
                })
            );
        }
        let sender = relay.sender(sender_id);
        let (refused, ()) = tokio::join!(sender.send(*b""), parties.forward(|_| Response::Error(ErrorType::Quota)));
        assert!(matches!(refused, Err(ClientError::Relay(ErrorType::Quota))));
        let (strange, ()) = tokio::join!(sender.send(*b""), parties.forward(|_| Response::Pong));
        assert!(matches!(strange, Err(ClientError::Unexpected(tag)) if tag == "PONG"));
    }
}

#[tokio::test]
async fn a_relay_that_is_not_proved_is_refused() {
    let mut parties = Parties::connect(20, 20).await;
    let good = parties.to_relay.relay_session().unwrap();
    let other = Server::start().await.session(&Options::default()).await.0.relay_session().unwrap();
    let mut bad = vec![good.clone(), good.clone(), good.clone(), good.clone(), other.clone()];
    // A broken signature, no authority, an authority that did not issue the leaf, the key of another chain.
    bad[0].key.signed_key[20] ^= 1;
    bad[1].key.chain.truncate(1);
    bad[2].key.chain[0].clone_from(&other.key.chain[0]);
    bad[3].key.signed_key.clone_from(&other.key.signed_key);
    for session in bad {
        assert!(matches!(parties.open(session).await, Err(ClientError::RelayNotProved)));
    }
    let versions = VersionRange::new(Version(6), Version(7)).unwrap();
    let too_old = parties.open(RelaySession { versions, ..good.clone() }).await;
    assert!(matches!(too_old, Err(ClientError::VersionTooLow { needed: Version(8), agreed: Version(7) })));
    parties.open(good).await.unwrap();
    let refused = async { parties.proxy.serve(|_| Response::Error(ProxyError::BasicAuth.into())).await };
    let (relay, _) = tokio::join!(parties.client.proxied_relay(&parties.address, None), refused);
    assert_eq!(relay.unwrap_err().answered(), Some(&ProxyError::BasicAuth.into()));
}

#[tokio::test]
async fn tampered_responses_are_refused() {
    let mut parties = Parties::connect(20, 20).await;
    let relay = parties.opened().await;
    let sender = relay.sender(SenderId::random());
    let garbage = Response::ProxiedResponse(vec![1; 16242].into());
    let (refused, _) = tokio::join!(sender.send(*b""), parties.proxy.serve(|_| garbage));
    assert!(matches!(refused, Err(ClientError::Crypto)));
    let (refused, _) =
        tokio::join!(sender.send(*b""), parties.proxy.serve(|_| Response::Error(ProxyError::NoSession.into())));
    assert!(matches!(refused, Err(ClientError::Server(error)) if error == ProxyError::NoSession.into()));
    assert!(matches!(sender.send(vec![0; 16_300]).await, Err(ClientError::TooLong { .. })));
}

#[tokio::test]
async fn what_a_proxy_tells_about_failures_of_a_relay() {
    let parties = Parties::connect(20, 20).await;
    let (to_relay, mut relay) = (parties.to_relay, parties.relay);
    let command = ForwardedCommand {
        version: Version::MAX,
        key: DhPrivateKey::generate().public(),
        encrypted: vec![0; 16242].into(),
    };
    let corr_id = CorrId::random();
    let broker = |error: BrokerError| ErrorType::from(ProxyError::Broker(error));
    for (response, shown) in [
        (Response::Error(CommandError::Syntax.into()), ProxyError::Protocol(CommandError::Syntax.into()).into()),
        (Response::Pong, broker(BrokerError::Unexpected("PONG".into()))),
        (Response::RelayResponse(vec![0; 100].into()), ErrorType::Crypto),
    ] {
        let (failed, _) = tokio::join!(to_relay.forward(&corr_id, &command), relay.serve(|_| response));
        assert_eq!(failed.unwrap_err().to_forwarding_error(), shown);
    }
    for (body, shown) in [(&b"?"[..], "CMD UNKNOWN"), (b"ERR ?", "CMD SYNTAX")] {
        let unreadable = async {
            let incoming = relay.receive_one().await;
            let mut transmission = Vec::new();
            let wire = relay.wire();
            wire.write(&incoming.corr_id, &EntityId::EMPTY, &mut transmission, |out| out.extend_from_slice(body));
            relay.send(&[transmission]).await;
        };
        let (failed, ()) = tokio::join!(to_relay.forward(&corr_id, &command), unreadable);
        assert_eq!(failed.unwrap_err().to_forwarding_error(), broker(BrokerError::Response(shown.into())));
    }

    // What does not fit a block cannot be forwarded.
    let too_long = ForwardedCommand { encrypted: vec![0; 16_300].into(), ..command.clone() };
    let failed = to_relay.forward(&corr_id, &too_long).await.unwrap_err();
    assert_eq!(failed.to_forwarding_error(), broker(BrokerError::Transport(TransportError::LargeMessage)));
    let hasty = to_relay.with_request_timeout(std::time::Duration::ZERO);
    let failed = hasty.forward(&corr_id, &command).await.unwrap_err();
    assert_eq!(failed.to_forwarding_error(), broker(BrokerError::Timeout));
    drop(relay);
    let failed = to_relay.forward(&corr_id, &command).await.unwrap_err();
    assert_eq!(failed.to_forwarding_error(), broker(BrokerError::Network));
}

#[tokio::test]
async fn relays_that_cannot_be_forwarded_to() {
    let server = Server::up_to(7).await;
    let (client, _peer) = server.session(&Options::proxy()).await;
    assert_eq!(client.relay_session().unwrap_err(), TransportError::Version);
    let server = Server::start().await;
    let without_alpn = Options { tls: TlsClient::default().alpn(&[]), ..Options::proxy() };
    let (client, _peer) = server.session(&without_alpn).await;
    let command =
        ForwardedCommand { version: Version::MAX, key: DhPrivateKey::generate().public(), encrypted: [].into() };
    let failed = client.forward(&CorrId::random(), &command).await.unwrap_err();
    let no_auth = ProxyError::Broker(BrokerError::Transport(TransportError::NoAuth));
    assert_eq!(failed.to_forwarding_error(), no_auth.into());
}
