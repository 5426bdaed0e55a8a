//! Test vectors of wire.md §14.

use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use sha2::{Digest, Sha256};
use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::block::{self, BLOCK_SIZE, SEALED_CONTENT};
use smp_protocol::command::{Command, QueueIdsHash};
use smp_protocol::crypto::hkdf::hkdf_sha512;
use smp_protocol::crypto::secret_box;
use smp_protocol::encoding::Encode;
use smp_protocol::forward::{ClientForward, ProxyForward, RelayForward};
use smp_protocol::id::{CorrId, EntityId, MessageId, SenderId, SessionId};
use smp_protocol::key::{AuthKey, DhPrivateKey, DhSecret, SigningKey};
use smp_protocol::message::{self, Content, Plain};
use smp_protocol::response::Response;
use smp_protocol::seal::{BlockChain, BlockChains};
use smp_protocol::signed_key;
use smp_protocol::transmission::{Credentials, Wire};
use smp_protocol::version::Version;

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace([' ', '\n'], "")).unwrap()
}

/// Consecutive bytes.
fn counting<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|i| first + u8::try_from(i).unwrap())
}

fn private_a() -> DhPrivateKey {
    DhPrivateKey::from_bytes(&counting(0x01))
}

fn private_b() -> DhPrivateKey {
    DhPrivateKey::from_bytes(&counting(0x41))
}

fn dh() -> DhSecret {
    private_a().agree(&private_b().public())
}

fn session_id() -> SessionId {
    counting::<32>(0)[..].try_into().unwrap()
}

const NONCE: u8 = 0x80;

fn corr_id() -> CorrId {
    counting::<24>(0xa0)[..].try_into().unwrap()
}

fn entity() -> EntityId {
    counting::<24>(0xc0)[..].try_into().unwrap()
}

fn send_hello() -> Command {
    Command::parse(b"SEND F hello", Version::MAX).unwrap()
}

#[test]
fn keys() {
    let public_a = bytes("07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c");
    let public_b = bytes("64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466");
    assert_eq!(&private_a().public().as_bytes()[..], public_a);
    assert_eq!(&private_b().public().as_bytes()[..], public_b);
    let secret = bytes("26c2c17fdb82161cb21ad16e721315355b64d1763119b10bfc962530dc7cc163");
    assert_eq!(&dh().as_bytes()[..], secret);
}

#[test]
fn n14_1_box_and_pad() {
    let mut padded = block::pad(b"abc", 16).unwrap();
    assert_eq!(padded, bytes("00036162632323232323232323232323"));
    let boxed = secret_box::seal(&dh(), &counting(NONCE), &padded);
    assert_eq!(boxed, bytes("487db2cfe6e99fd822b659d55c60f3c5 dbfaeb2952b34286a898251e0c860e42"));
    let plain_secretbox = XSalsa20Poly1305::new(dh().as_bytes().into());
    let tag = plain_secretbox.encrypt_in_place_detached(&counting(NONCE).into(), b"", &mut padded).unwrap();
    let wrong = bytes("c660929df8d02cc2df828a365157bf9d 829d50dd3d32df9dffca3960532475a9");
    assert_eq!([&tag[..], &padded].concat(), wrong);
}

/// One step of a chain: chain key afterwards, key, nonce.
fn step(chain_key: &[u8]) -> ([u8; 32], DhSecret, [u8; 24]) {
    let mut okm = [0; 88];
    hkdf_sha512(b"", chain_key, b"SimpleXSbChain", &mut okm);
    let key: [u8; 32] = okm[32..64].try_into().unwrap();
    (okm[..32].try_into().unwrap(), key.into(), okm[64..].try_into().unwrap())
}

struct ChainVector {
    chain_key: &'static str,
    keys: [(&'static str, &'static str); 2],
    content: &'static str,
    start: &'static str,
    sha256: &'static str,
}

fn check_chain(mut chain: BlockChain, vector: &ChainVector) {
    let mut chain_key: [u8; 32] = bytes(vector.chain_key).try_into().unwrap();
    let content = bytes(vector.content);
    for (index, (key, nonce)) in vector.keys.into_iter().enumerate() {
        let (next, derived_key, derived_nonce) = step(&chain_key);
        assert_eq!((derived_key.as_bytes().to_vec(), derived_nonce.to_vec()), (bytes(key), bytes(nonce)));
        let mut sealed = [0; BLOCK_SIZE];
        chain.seal_content(&content, &mut sealed).unwrap();
        let padded = block::pad(&content, SEALED_CONTENT).unwrap();
        assert_eq!(&sealed[..], secret_box::seal(&derived_key, &derived_nonce, &padded));
        if index == 0 {
            assert_eq!(sealed[..48], bytes(vector.start));
            assert_eq!(Sha256::digest(sealed)[..], bytes(vector.sha256));
        }
        chain_key = next;
    }
}

#[test]
fn n14_2_block_encryption() {
    let chains = BlockChains::new(&dh(), session_id().as_ref());
    check_chain(
        chains.client_to_server,
        &ChainVector {
            chain_key: "01f6c98ca70bae701aac7dbad4b7eb269fa42d9b6c6085aad7736537b00d0ec9",
            keys: [
                (
                    "60c473e1aa6115acf2117bfbcd90e10a75d0ea5d4319f2c21aa08d3e38b5b83c",
                    "a7b1f41be1ff155ab318a505aa447d9f4645f9cbf058cfa6",
                ),
                (
                    "71ea3ba4e419a13034104463a37e4c9029b809c65451d2cad87de20d7031b18c",
                    "f2aec1904c00740d3132c4253f0233bb11632754238f8706",
                ),
            ],
            content: "01000b0004616263640050494e47",
            start: "d9a73e6c5e6ba18cb2ea7c959800ca599dadc709d3d5459240b860718175c638209fa5416cc5a35daa1a6037e6b8bcba",
            sha256: "ec8a6245c0656abdb374ca22c680acb13cbb736b30627cdf6876ccbc5a459314",
        },
    );
    check_chain(
        chains.server_to_client,
        &ChainVector {
            chain_key: "6101f2a2ee98236df3f690018a78ad542fc406db45eb7282b2f5d889da0217af",
            keys: [
                (
                    "08f6b66e0a700706d04ea7368697fad639fc22f647f84f6b8e8329b60271ac45",
                    "28c68096aff2d0259c2cfba4155269628d7ec6667fd6606a",
                ),
                (
                    "53f386f03d7fd333f3f818590658ad228380e768e4998fa458ed26e8e0f76cc1",
                    "4adcfa219728f931274f49a06b5dc0bed872d28569fdec66",
                ),
            ],
            content: "01000b00046162636400504f4e47",
            start: "9e01979bd447f8891ddb5305095083644bd916ba8ac02a5b834739151e5a8a25342ac43cfdacb829f16328acfe008522",
            sha256: "39d9098c167bd34ed5c198704f61477e2f8319046f04e404be789e988b1f54dd",
        },
    );
}

#[test]
fn n14_3_authorization() {
    let expected = [
        bytes(
            "7097cd9f80a48762400fea65e4fcfd1dee47f121645efaf27cf203f08f04a6400801d5cf4ae90bc78d9c9e5d7ceff2ee
             a3459adb106e9c20aee2ed7beba81a477674a1870d5f4b4e46f8ccdc203f68f0",
        ),
        bytes(
            "4fb08edbe2ea69c08dab562004a087de7cc8b5f6b20760ac09eb8674c6e13161
             5256705fa499117f6c23ea239b517b34dd869182c48c9005dcd71585c9689706",
        ),
    ];
    let keys = [AuthPrivateKey::Dh(private_a()), AuthPrivateKey::Signing(SigningKey::ed25519(&counting(0x01)))];
    let ed25519 = bytes("79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664");
    assert_eq!(keys[1].public(), AuthKey::Ed25519(ed25519.try_into().unwrap()));
    let session_id = session_id();
    let wire = Wire::connection(Version::MAX, &session_id);
    for (key, expected) in keys.iter().zip(expected) {
        let session_key = private_b().public();
        let credentials = Credentials { key: Some(key), session_key: Some(&session_key), service: None };
        let mut transmission = Vec::new();
        wire.write_command(&send_hello(), &corr_id(), &entity(), &credentials, &mut transmission);
        let read = wire.read(&transmission).unwrap();
        assert_eq!(read.authorization.as_ref(), expected);
        let authorized = [
            &b"\x20"[..],
            session_id.as_ref(),
            b"\x18",
            corr_id().as_ref(),
            b"\x18",
            entity().as_ref(),
            &bytes("53454e4420462068656c6c6f"),
        ]
        .concat();
        assert_eq!(read.authorized.copied()[..], authorized);
    }
}

#[test]
fn n14_4_signed_session_key() {
    let signed = bytes(
        "3078 302c302a300506032b656e03210064b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466
         300506032b6570
         034100b88262fd0e52ec9ee378604792ffdcbf654620dea4ea030a7e4691779acbb2946c2d965ffbe92ef6cf88381c3be864dd
         8ef09d1e20c098609fb05df28aa01302",
    );
    let signer = SigningKey::ed25519(&counting(0x01));
    assert_eq!(signed_key::sign_dh_key(&private_b().public(), &signer), signed);
    assert_eq!(signed_key::verify_dh_key(&signed, &signer.verifying_key()), Ok(private_b().public()));
}

#[test]
fn n14_5_derived_ids_and_hashes() {
    let sender_id = bytes("7de47b90163d262178956b4b72817512d5cbe12a79349ded");
    assert_eq!(SenderId::from_corr_id(&corr_id()).as_ref(), sender_id);
    let mut hash = QueueIdsHash::default();
    hash.toggle(corr_id().as_ref());
    assert_eq!(hash.0[..], bytes("861f81d4c980beb76c6c6582b9f41f65"));
    hash.toggle(entity().as_ref());
    assert_eq!(hash.0[..], bytes("4ab20872d8c44d9bf5ab1d8d237544e9"));
    hash.toggle(corr_id().as_ref());
    assert_eq!(hash.0[..], bytes("ccad89a61144f32c99c7780f9a815b8c"));
}

const TIMESTAMP: i64 = 1_700_000_000;

#[test]
fn n14_6_message() {
    let id = MessageId::from(counting(NONCE));
    let plain = Plain::Message { timestamp: TIMESTAMP, notify: true, body: b"hello" };
    let mut sealed = Vec::new();
    message::seal_message(&dh(), &id, plain, &mut sealed);
    assert_eq!(sealed.len(), 16122);
    assert_eq!(sealed[..32], bytes("8759a6970f585665f545927618df5749dbf68a4b319004f67abb521d47c0410d"));
    let sha256 = bytes("060516667efc6fe2e3f6e64f4915dca84d891f52fcb7b109c3537981f0a74a0d");
    assert_eq!(Sha256::digest(&sealed)[..], sha256);
    let padded = secret_box::open(&dh(), id.as_bytes(), &sealed).unwrap();
    assert_eq!(padded[..24], bytes("000f 000000006553f100 54 20 68656c6c6f 23232323232323"));
    let content = Content::Message { timestamp: TIMESTAMP, notify: true, body: b"hello".to_vec() };
    assert_eq!(message::open_message(&dh(), &id, &sealed), Ok(content));
}

#[test]
fn n14_6_quota_marker() {
    let id = MessageId::from(counting(NONCE));
    let mut sealed = Vec::new();
    message::seal_message(&dh(), &id, Plain::QuotaExceeded { timestamp: TIMESTAMP }, &mut sealed);
    let padded = secret_box::open(&dh(), id.as_bytes(), &sealed).unwrap();
    assert_eq!(padded[..20], bytes("000e 51554f5441 20 000000006553f100 23232323"));
}

#[test]
fn n14_6_notification() {
    let (nonce, id) = (corr_id().nonce(), MessageId::from(counting(NONCE)));
    let sealed = bytes(
        "dae8a5604136e243ba9e6054b4414eb106f8d102bc1d04096f87c4167ad203b6504898f5cfdc4b203f1f88e02d4a9927
         7c129e28ac3959951c5639fe004b93b45615c5f94a9367690ab46c2069aa34a6748933fc81bba6873b5c5dae31a98895
         1f06c0cb3f63014b01b5b72160a1c311021714ee037b39a3d9d98b8d67d764f42a7affddd2633818b1c1b8d874380e4d",
    );
    assert_eq!(message::seal_notification(&dh(), &nonce, &id, TIMESTAMP)[..], sealed);
    assert_eq!(message::open_notification(&dh(), &nonce, &sealed), Ok((id, TIMESTAMP)));
}

/// A transmission without authorization.
fn inner(body: &[u8]) -> Vec<u8> {
    [b"\x00\x18", corr_id().as_ref(), b"\x18", entity().as_ref(), body].concat()
}

#[track_caller]
fn check_long(value: &[u8], length: usize, start: &str, sha256: &str) {
    assert_eq!(value.len(), length);
    assert_eq!(value[..bytes(start).len()], bytes(start));
    assert_eq!(Sha256::digest(value)[..], bytes(sha256));
}

#[test]
fn n14_7_proxy_chain() {
    let (client_key, relay_key) = (private_a(), private_b());
    let proxy_key = DhPrivateKey::from_bytes(&counting(0x21));
    let public = bytes("5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b");
    assert_eq!(&proxy_key.public().as_bytes()[..], public);
    let secret = proxy_key.agree(&relay_key.public());
    let expected = bytes("b6ddcb217f2edb78fe01f0d967925f1e3fda132789e4566ddc2abcd3e2fd9526");
    assert_eq!(&secret.as_bytes()[..], expected);
    let proxy_corr_id: CorrId = counting::<24>(0xe0)[..].try_into().unwrap();

    let command = inner(b"SEND F hello");
    let (client, forwarded) =
        ClientForward::seal(&client_key, &relay_key.public(), &corr_id(), Version(20), &command).unwrap();
    check_long(
        &forwarded.encrypted,
        16242,
        "e06642a012ba7626f002c4911a0877de069bc882029f9f2d4ba3e03a56fe2f92",
        "327c820214e428c95c8707dd83d28b297241b2f4909a7bddb5cb7dd6f303dfeb",
    );
    let (proxy, rfwd) = ProxyForward::seal(&secret, &proxy_corr_id, &corr_id(), &forwarded);
    check_long(
        &rfwd,
        16330,
        "111de2d550dfa667fa11c6911b19b4ba06fd534e4bb9b60758eb206e8e08d6e0",
        "a86841ed3ac3c2d3323d9fa1647a19a76e8085658bf6a43ab765bc19cdbe7813",
    );
    let fwd = secret_box::open(&secret, &proxy_corr_id.nonce(), &rfwd).unwrap();
    let mut start = b"\x18".to_vec();
    start.put(corr_id().as_ref());
    start.put(&bytes("0014 2c 302a300506032b656e032100"));
    start.put(client_key.public().as_bytes());
    start.put(&bytes("e06642"));
    assert_eq!((fwd.len(), &fwd[..start.len()]), (16314, &start[..]));

    let opened = RelayForward::open(&secret, &relay_key, &proxy_corr_id, &rfwd).unwrap();
    assert_eq!((opened.version, opened.transmission), (Version(20), Ok(command)));
    let mut ok = Vec::new();
    Response::Ok.encode(Version(20), &mut ok).unwrap();
    let response = inner(&ok);
    let rres = opened.reply.seal(&secret, &response).unwrap();
    check_long(
        &rres,
        16283,
        "aa90e03a048c8559b1ebd5689696ed1f6a101927fcdbe36552df2c4135a9361e",
        "783454bb274508eda89f423d0f04f12071b380bf93d4dc6662f0138f269d1256",
    );
    let pres = proxy.open_response(&secret, &rres).unwrap();
    check_long(
        &pres,
        16242,
        "0e08202c41d94a478e58bb30c9bda53edec2c5b95ef3771ffa10db2487a3841a",
        "df2c26f3ffc5fcb8f70672662218c85cfa66b38ea3fee9df089283c49ca6539d",
    );
    assert_eq!(client.open_response(&pres), Ok(response));
}
