//! Decoders given anything: they answer, and what they accept is written and read as the same again.

use proptest::prelude::*;
use smp_protocol::address::{Host, ServerAddress};
use smp_protocol::batch;
use smp_protocol::block::{self, BLOCK_SIZE, SEALED_CONTENT};
use smp_protocol::command::{BasicAuth, Command, ForwardedCommand, Name, ProxyCommand};
use smp_protocol::crypto::secret_box;
use smp_protocol::encoding::Reader;
use smp_protocol::error::{BlockingInfo, ErrorType, TransportError};
use smp_protocol::forward::{ClientForward, ProxyForward, RelayForward};
use smp_protocol::handshake::{ClientHello, ServerHello, ServiceResponse};
use smp_protocol::id::{CorrId, MessageId, SessionId};
use smp_protocol::key::{AuthKey, DhPrivateKey, DhPublicKey, DhSecret, Signature, SigningKey, VerifyingKey};
use smp_protocol::message;
use smp_protocol::response::{NameRecord, Response};
use smp_protocol::seal::BlockChains;
use smp_protocol::signed_key;
use smp_protocol::transmission::Wire;
use smp_protocol::version::Version;

use crate::commands::{self, command};
use crate::handshake::{client_hello, server_hello};
use crate::responses::{self, response};
use crate::values::{bytes, version};

/// Bytes that were valid before a few changes.
fn damaged(valid: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 0..4);
    (valid, changes).prop_map(|(mut bytes, changes)| {
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at),
                _ if at == bytes.len() => bytes.push(byte),
                2 => drop(bytes.remove(at)),
                _ => bytes[at] = byte,
            }
        }
        bytes
    })
}

fn encoded_command() -> impl Strategy<Value = Vec<u8>> {
    (command(), version()).prop_map(|(command, version)| commands::encoded(&command, version))
}

fn encoded_response() -> impl Strategy<Value = Vec<u8>> {
    (response(), version()).prop_map(|(response, version)| responses::encoded(&response, version))
}

fn encoded_hello() -> impl Strategy<Value = Vec<u8>> {
    let encoded = |encode: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        encode(&mut out);
        out
    };
    prop_oneof![
        client_hello().prop_map(move |hello| encoded(&|out| hello.encode(out).unwrap())),
        server_hello().prop_map(move |hello| encoded(&|out| hello.encode(out).unwrap())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn command_parser(body in prop_oneof![bytes(300), damaged(encoded_command())], version in version()) {
        if let Ok(command) = Command::parse(&body, version) {
            let again = commands::encoded(&command, version);
            prop_assert_eq!(Command::parse(&again, version), Ok(command));
        }
    }

    #[test]
    fn response_decoder(body in prop_oneof![bytes(300), damaged(encoded_response())], version in version()) {
        if let Ok(response) = Response::decode(&body, version) {
            let again = responses::encoded(&response, version);
            prop_assert!(Response::decode(&again, version).is_ok());
        }
    }

    #[test]
    fn handshake_decoders(content in prop_oneof![bytes(300), damaged(encoded_hello())]) {
        if let Ok(hello) = ClientHello::decode(&content) {
            let mut again = Vec::new();
            hello.encode(&mut again).unwrap();
            prop_assert_eq!(ClientHello::decode(&again), Ok(hello));
        }
        if let Ok(hello) = ServerHello::decode(&content) {
            let mut again = Vec::new();
            hello.encode(&mut again).unwrap();
            prop_assert_eq!(ServerHello::decode(&again), Ok(hello));
        }
        if let Ok(response) = ServiceResponse::decode(&content) {
            let mut again = Vec::new();
            response.encode(&mut again);
            prop_assert_eq!(ServiceResponse::decode(&again), Ok(response));
        }
    }

    #[test]
    fn batches_and_transmissions(content in bytes(300), version in version(), count in 1..4u8, forwarded: bool) {
        let session_id = SessionId::EMPTY;
        let wire = if forwarded { Wire::forwarded(version, &session_id) } else { Wire::connection(version, &session_id) };
        let _ = wire.read(&content).map(|read| read.command(version).map(|_| ()));
        let _ = batch::single(&content);
        let items: Vec<u8> = [&[count][..], &content].concat();
        if let Ok(found) = batch::split(&items) {
            prop_assert_eq!(found.len(), usize::from(count));
            prop_assert_eq!(found.iter().map(|item| item.len() + 2).sum::<usize>(), content.len());
        }
    }

    #[test]
    fn small_decoders(bytes in bytes(300)) {
        let _ = ErrorType::decode(&bytes);
        let _ = TransportError::decode(&bytes);
        let _ = BlockingInfo::decode_prefix(&bytes);
        let _ = NameRecord::decode(&bytes);
        let _ = String::from_utf8_lossy(&bytes).parse::<ServerAddress>();
        let _ = Name::parse(&bytes);
        let _ = BasicAuth::new(&bytes);
        let _ = AuthKey::from_spki(&bytes);
        let _ = DhPublicKey::from_spki(&bytes);
        let _ = VerifyingKey::from_spki(&bytes);
        let _ = SigningKey::from_pkcs8(&bytes);
        let _ = Signature::from_bytes(&bytes);
        let _ = block::unpad(&bytes);
        let _ = ForwardedCommand::decode(&mut Reader::new(&bytes));
        let signer = SigningKey::generate_ed25519().verifying_key();
        prop_assert!(signed_key::verify_dh_key(&bytes, &signer).is_err());
    }

    #[test]
    fn hosts(text in "[0-9.]{0,16}|[0-9a-f:.]{0,20}|\\[[0-9a-f:]{0,20}\\]?|[a-z0-9.]{0,8}(\\.onion)?[a-z.]{0,3}|\\PC{0,10}") {
        let relay = |host: &str| {
            let length = u8::try_from(host.len()).unwrap();
            let body = [b"PRXY \x01", &[length][..], host.as_bytes(), b"\x00\x00\x30"].concat();
            match Command::parse(&body, Version::MAX) {
                Ok(Command::Proxy(ProxyCommand::Connect(relay))) => Some(relay.0.hosts),
                _ => None,
            }
        };
        if let Some(hosts) = relay(&text) {
            prop_assert_eq!(relay(&hosts[0].to_string()), Some(hosts));
        }
        if let Ok(host) = text.parse::<Host>() {
            prop_assert_eq!(host.to_string().parse(), Ok(host));
        }
    }
}

const SECRET: [u8; 32] = [7; 32];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Anything encrypted with the right key.
    #[test]
    fn decrypted_bytes(plain in bytes(300), id: [u8; 24]) {
        let secret = DhSecret::from(SECRET);
        let sealed = secret_box::seal(&secret, &id, &plain);
        let _ = message::open_message(&secret, &MessageId::from(id), &sealed);
        let _ = message::open_notification(&secret, &id, &sealed);
        prop_assert!(message::open_message(&secret, &MessageId::from(id), &plain).is_err());
    }

    #[test]
    fn blocks(plain in bytes(300), length: u16) {
        let mut block = [b'#'; BLOCK_SIZE];
        block[..2].copy_from_slice(&length.to_be_bytes());
        block[2..2 + plain.len()].copy_from_slice(&plain);
        let chains = BlockChains::new(&DhSecret::from(SECRET), b"session");
        let (mut sender, mut receiver) = (chains.client_to_server.clone(), chains.client_to_server);
        sender.seal(&mut block);
        let mut again = block;
        let opened = receiver.open(&mut block).map(<[u8]>::len);
        prop_assert_eq!(opened.ok(), Some(usize::from(length)).filter(|&length| length <= SEALED_CONTENT - 2));
        prop_assert!(receiver.open(&mut again).is_err());
    }

    #[test]
    fn forwards(plain in bytes(300), version: u16, inner in bytes(100)) {
        let relay = DhPrivateKey::from_bytes(&SECRET);
        let (proxy_secret, corr_id) = (DhSecret::from(SECRET), CorrId::random());
        let sealed = secret_box::seal(&proxy_secret, &corr_id.nonce(), &plain);
        let _ = RelayForward::open(&proxy_secret, &relay, &corr_id, &sealed);

        let client_key = DhPrivateKey::generate();
        let (client, _) =
            ClientForward::seal(&client_key, &relay.public(), &corr_id, Version(version), b"").unwrap();
        prop_assert!(client.open_response(&plain).is_err());
        let encrypted = secret_box::seal(&client_key.agree(&relay.public()), &corr_id.nonce(), &inner).into();
        let command = ForwardedCommand { version: Version(version), key: client_key.public(), encrypted };
        let (proxy, rfwd) = ProxyForward::seal(&proxy_secret, &corr_id, &corr_id, &command);
        if let Ok(opened) = RelayForward::open(&proxy_secret, &relay, &corr_id, &rfwd) {
            prop_assert_eq!(opened.version, Version(version));
        }
        prop_assert!(proxy.open_response(&proxy_secret, &plain).is_err());
    }
}
