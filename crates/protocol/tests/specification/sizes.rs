//! Size arithmetic of wire.md §13: transmissions as long as they get, written for real.

use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::batch::{BatchWriter, MAX_PACKED, MAX_PACKED_TRANSMISSION, Pushed};
use smp_protocol::block::{BLOCK_SIZE, MAX_PLAIN_CONTENT, MAX_SEALED_CONTENT};
use smp_protocol::command::{Command, LinkData, ProxyCommand, RecipientCommand, SendMessage, SenderCommand};
use smp_protocol::forward::{ClientForward, PADDED, PADDED_BEFORE_V11, ProxyForward, RelayForward};
use smp_protocol::id::{CorrId, EntityId, MessageId, RecipientId, SenderId, ServiceId, SessionId};
use smp_protocol::key::{DhPrivateKey, SigningKey};
use smp_protocol::message::{MAX_STORED_BODY, SEALED_MESSAGE, SEALED_META};
use smp_protocol::response::{EncryptedMessage, EncryptedNotification, NameRecord, Response};
use smp_protocol::transmission::{Credentials, ServiceCredentials, Wire};
use smp_protocol::version::Version;

fn session_id() -> SessionId {
    [7; 32][..].try_into().unwrap()
}

fn entity() -> EntityId {
    RecipientId::random().into()
}

/// Keys of each kind, by name.
fn keys() -> [(&'static str, Option<AuthPrivateKey>); 4] {
    [
        ("none", None),
        ("Ed25519", Some(AuthPrivateKey::Signing(SigningKey::generate_ed25519()))),
        ("X25519", Some(AuthPrivateKey::Dh(DhPrivateKey::generate()))),
        ("Ed448", Some(AuthPrivateKey::Signing(SigningKey::generate_ed448()))),
    ]
}

/// A command as a transmission of `version` with IDs of 24 bytes.
fn command(command: &Command, version: u16, entity: &EntityId, credentials: &Credentials<'_>) -> Vec<u8> {
    let (session_id, mut out) = (session_id(), Vec::new());
    let wire = Wire::connection(Version(version), &session_id);
    wire.write_command(command, &CorrId::random(), entity, credentials, &mut out);
    out
}

/// A response as a transmission of `version`.
fn response(response: &Response, version: u16, corr_id: &CorrId, entity: &EntityId) -> Vec<u8> {
    let (session_id, mut out) = (session_id(), Vec::new());
    Wire::connection(Version(version), &session_id).write(corr_id, entity, &mut out, |out| {
        response.encode(Version(version), out).unwrap();
    });
    out
}

fn largest_send(version: u16) -> Command {
    let body = vec![0; Version(version).max_body()].into();
    Command::Sender(SenderCommand::Send(SendMessage { notify: false, body }))
}

fn authorized<'a>(key: Option<&'a AuthPrivateKey>, session_key: &'a DhPrivateKey) -> Vec<(u16, usize)> {
    let public = session_key.public();
    let credentials = Credentials { key, session_key: Some(&public), service: None };
    [20, 15, 11, 10, 8, 7, 6]
        .map(|version| (version, command(&largest_send(version), version, &entity(), &credentials).len()))
        .to_vec()
}

#[test]
fn constants() {
    assert_eq!((BLOCK_SIZE, MAX_PLAIN_CONTENT, MAX_SEALED_CONTENT), (16384, 16382, 16366));
    assert_eq!((MAX_PACKED, MAX_PACKED_TRANSMISSION), (16365, 16363));
    let bodies = [6, 7, 8, 10, 11, 20].map(|version| Version(version).max_body());
    assert_eq!(bodies, [16088, 16088, 16064, 16064, 16048, 16048]);
    assert_eq!((MAX_STORED_BODY, SEALED_MESSAGE, SEALED_META), (16088, 16122, 144));
    assert_eq!((PADDED, PADDED_BEFORE_V11), (16226, 16242));
}

#[test]
fn send() {
    let lengths = [
        ("none", [16106, 16106, 16106, 16122, 16122, 16146, 16179]),
        ("Ed25519", [16171, 16170, 16170, 16186, 16186, 16210, 16243]),
        ("X25519", [16187, 16186, 16186, 16202, 16202, 16226, 16259]),
        ("Ed448", [16221, 16220, 16220, 16236, 16236, 16260, 16293]),
    ];
    let session_key = DhPrivateKey::generate();
    for ((name, key), (expected_name, expected)) in keys().iter().zip(lengths) {
        assert_eq!(*name, expected_name);
        let lengths: Vec<usize> = authorized(key.as_ref(), &session_key).iter().map(|(_, length)| *length).collect();
        assert_eq!(lengths, expected, "{name}");
    }
}

/// `s(auth)` and slot, without and with a service signature.
#[test]
fn authorization() {
    let session_key = DhPrivateKey::generate().public();
    let service_key = SigningKey::generate_ed25519();
    let service = ServiceCredentials { fingerprint: &[1; 32], session_key: &service_key };
    let subscribe = Command::Recipient(RecipientCommand::Subscribe);
    for ((_, key), [before_16, alone, with_service]) in
        keys().iter().zip([[1, 1, 1], [65, 66, 131], [81, 82, 147], [115, 116, 181]])
    {
        let length = |version, service| {
            let credentials = Credentials { key: key.as_ref(), session_key: Some(&session_key), service };
            command(&subscribe, version, &entity(), &credentials).len() - 25 - 25 - 3
        };
        assert_eq!([length(15, None), length(16, None), length(16, Some(service))], [before_16, alone, with_service]);
    }
}

#[test]
fn largest_forwarded_send_fills_its_padding() {
    let (client, relay) = (DhPrivateKey::generate(), DhPrivateKey::generate());
    let (corr_id, session_id) = (CorrId::random(), session_id());
    let [.., (_, key)] = keys();
    let credentials = Credentials { key: key.as_ref(), session_key: None, service: None };
    let seal = |version: u16, surplus: usize| {
        let mut body = vec![0; Version(version).max_body() + surplus];
        body.fill(b'x');
        let send = Command::Sender(SenderCommand::Send(SendMessage { notify: false, body: body.into() }));
        let mut inner = Vec::new();
        let wire = Wire::forwarded(Version(version), &session_id);
        wire.write_command(&send, &corr_id, &entity(), &credentials, &mut inner);
        ClientForward::seal(&client, &relay.public(), &corr_id, Version(version), &inner)
    };
    assert!(seal(20, 0).is_ok());
    assert!(seal(20, 1).is_err());
    assert!(seal(15, 1).is_ok());
    assert!(seal(10, 0).is_ok());
}

#[test]
fn messages() {
    let body = vec![0; SEALED_MESSAGE].into();
    let message = Response::Message(EncryptedMessage { id: MessageId::random(), body });
    let length = |version, corr_id: &CorrId| response(&message, version, corr_id, &entity()).len();
    assert_eq!([7, 20].map(|version| length(version, &CorrId::EMPTY)), [16178; 2]);
    assert_eq!([7, 20].map(|version| length(version, &CorrId::random())), [16202; 2]);
    assert_eq!(length(6, &CorrId::random()), 16235);
}

/// PFWD, RFWD, RRES and PRES of one command whose client has `version`.
fn forwarded(version: u16) -> [usize; 5] {
    let (client, relay, proxy) = (DhPrivateKey::generate(), DhPrivateKey::generate(), DhPrivateKey::generate());
    let secret = proxy.agree(&relay.public());
    let (client_corr_id, proxy_corr_id) = (CorrId::random(), CorrId::random());
    let relay_session: EntityId = [9; 32][..].try_into().unwrap();
    let none = Credentials::default();

    let (_, forwarded) = ClientForward::seal(&client, &relay.public(), &client_corr_id, Version(version), b"").unwrap();
    let pfwd = command(&Command::Proxy(ProxyCommand::Forward(forwarded.clone())), 20, &relay_session, &none);
    let (waiting, encrypted) = ProxyForward::seal(&secret, &proxy_corr_id, &client_corr_id, &forwarded);
    let fwd = encrypted.len() - 16;
    let rfwd = command(&Command::Proxy(ProxyCommand::Relay(encrypted.clone().into())), 20, &EntityId::EMPTY, &none);
    let opened = RelayForward::open(&secret, &relay, &proxy_corr_id, &encrypted).unwrap();
    let answer = opened.reply.seal(&secret, b"").unwrap();
    let rres = response(&Response::RelayResponse(answer.clone().into()), 20, &proxy_corr_id, &EntityId::EMPTY);
    let answer = waiting.open_response(&secret, &answer).unwrap();
    let pres = response(&Response::ProxiedResponse(answer.into()), 20, &client_corr_id, &relay_session);
    [pfwd.len(), fwd, rfwd.len(), rres.len(), pres.len()]
}

#[test]
fn forwarding() {
    assert_eq!(forwarded(20), [16353, 16314, 16362, 16315, 16306]);
    assert_eq!(forwarded(10), [16369, 16330, 16378, 16315, 16306]);
    let fits = |mut batch: BatchWriter, length: usize| batch.push(|out| out.resize(out.len() + length, 0));
    assert_eq!(fits(BatchWriter::new(), 16362), Pushed::Added);
    assert_eq!(fits(BatchWriter::new(), 16378), Pushed::TooLong);
    assert_eq!(fits(BatchWriter::unencrypted(), 16378), Pushed::Added);
    assert_eq!(fits(BatchWriter::unencrypted(), 16379), Pushed::Added);
    assert_eq!(fits(BatchWriter::unencrypted(), 16380), Pushed::TooLong);
}

#[test]
fn other_responses() {
    let reply = |body: &Response| response(body, 20, &CorrId::random(), &entity()).len();
    let event = |body: &Response| response(body, 20, &CorrId::EMPTY, &entity()).len();
    let data = LinkData { fixed: vec![0; 2048].into(), user: vec![0; 13824].into() };
    assert_eq!(reply(&Response::Link(SenderId::random(), data)), 15956);
    let notification = EncryptedNotification { nonce: [0; 24], meta: [0; SEALED_META] };
    assert_eq!(event(&Response::Notification(Box::new(notification))), 201);
    assert_eq!(event(&Response::End), 30);
    assert_eq!(reply(&Response::Subscribed(None)), 56);
    assert_eq!(reply(&Response::Subscribed(Some(ServiceId::random()))), 81);
}

/// How many transmissions of this length a block takes.
fn per_block(length: usize) -> usize {
    let mut batch = BatchWriter::new();
    std::iter::from_fn(|| (batch.push(|out| out.resize(out.len() + length, 0)) == Pushed::Added).then_some(())).count()
}

#[test]
fn transmissions_per_block() {
    let key = AuthPrivateKey::Signing(SigningKey::generate_ed25519());
    let credentials = Credentials { key: Some(&key), ..Credentials::default() };
    let subscribe = Command::Recipient(RecipientCommand::Subscribe);
    let length = |version| command(&subscribe, version, &entity(), &credentials).len();
    assert_eq!([length(20), length(6)], [119, 151]);
    assert_eq!([per_block(119), per_block(151), per_block(30), per_block(201)], [135, 106, 255, 80]);
}

#[test]
fn room_beside_a_message() {
    let mut batch = BatchWriter::new();
    assert_eq!(batch.push(|out| out.resize(out.len() + 16178, 0)), Pushed::Added);
    let sok = |out: &mut Vec<u8>| out.resize(out.len() + 56, 0);
    let pushed: Vec<Pushed> = (0..4).map(|_| batch.push(sok)).collect();
    assert_eq!(pushed, [Pushed::Added, Pushed::Added, Pushed::Added, Pushed::Full]);
    assert_eq!(batch.content().len(), 1 + 16365 - (185 - 3 * 58));
}

/// The longest JSON of RNAME that is sent directly and through a proxy.
#[test]
fn longest_name_record() {
    let head = response(&name(String::new()), 20, &CorrId::random(), &EntityId::EMPTY).len();
    let json = name_json(String::new()).len();
    assert_eq!(MAX_PACKED_TRANSMISSION - (head - json), 16330);
    assert_eq!(PADDED - 2 - 3 - (head - json), 16188);
}

fn name(website: String) -> Response {
    let unset = String::new;
    Response::Name(Box::new(NameRecord {
        name: "a.b".into(),
        nickname: unset(),
        website,
        location: unset(),
        simplex_contact: vec![],
        simplex_channel: vec![],
        eth: None,
        btc: None,
        xmr: None,
        dot: None,
        owner: unset(),
        resolver: unset(),
    }))
}

fn name_json(website: String) -> Vec<u8> {
    let mut body = Vec::new();
    name(website).encode(Version(20), &mut body).unwrap();
    body.split_off(b"RNAME ".len())
}
