//! Forwarded commands and responses. The first byte tells which layer decrypts to the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smp_protocol::command::ForwardedCommand;
use smp_protocol::crypto::secret_box;
use smp_protocol::forward::{ClientForward, ForwardError, ProxyForward, RelayForward};
use smp_protocol::id::CorrId;
use smp_protocol::key::{DhPrivateKey, DhSecret};
use smp_protocol::version::Version;

fuzz_target!(|input: &[u8]| {
    let Some((&layer, plain)) = input.split_first() else { return };
    let (client_key, relay_key) = (DhPrivateKey::from_bytes(&[1; 32]), DhPrivateKey::from_bytes(&[2; 32]));
    let proxy_secret = DhSecret::from([3; 32]);
    let corr_id = CorrId::try_from(&[4; 24][..]).expect("24 bytes");
    let reversed = corr_id.nonce();
    match layer % 4 {
        0 => {
            let rfwd = secret_box::seal(&proxy_secret, &corr_id.nonce(), plain);
            let _ = RelayForward::open(&proxy_secret, &relay_key, &corr_id, &rfwd);
        }
        1 => {
            let secret = client_key.agree(&relay_key.public());
            let encrypted = secret_box::seal(&secret, &corr_id.nonce(), plain).into();
            let command = ForwardedCommand { version: Version::MAX, key: client_key.public(), encrypted };
            let (_, rfwd) = ProxyForward::seal(&proxy_secret, &corr_id, &corr_id, &command);
            if let Ok(opened) = RelayForward::open(&proxy_secret, &relay_key, &corr_id, &rfwd) {
                opened.reply.seal(&proxy_secret, b"response").expect("a short response fits");
            }
        }
        // The nonce of the response, reversed, is the same here.
        2 => {
            let (client, command) =
                ClientForward::seal(&client_key, &relay_key.public(), &corr_id, Version::MAX, b"").expect("fits");
            let secret = client_key.agree(&relay_key.public());
            let _ = client.open_response(&secret_box::seal(&secret, &reversed, plain));
            let (proxy, _) = ProxyForward::seal(&proxy_secret, &corr_id, &corr_id, &command);
            let _ = proxy.open_response(&proxy_secret, &secret_box::seal(&proxy_secret, &reversed, plain));
        }
        _ => {
            let opened = RelayForward::open(&proxy_secret, &relay_key, &corr_id, plain);
            assert_eq!(opened.err(), Some(ForwardError::Crypto));
        }
    }
});
