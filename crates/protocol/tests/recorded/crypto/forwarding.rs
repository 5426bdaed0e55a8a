//! One forwarded SEND with all its layers.

use serde::Deserialize;
use smp_protocol::command::ForwardedCommand;
use smp_protocol::forward::{ClientForward, ProxyForward, RelayForward};
use smp_protocol::id::{CorrId, SessionId};
use smp_protocol::transmission::{Credentials, Wire};
use smp_protocol::version::Version;

use super::vectors;
use crate::vectors::{Hex, Key, Long};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forwarded {
    command_key: Key,
    relay_session_key: Key,
    proxy_session_key: Key,
    relay_session_id: Hex,
    client_corr_id: Hex,
    proxy_corr_id: Hex,
    client_secret: Hex,
    proxy_secret: Hex,
    fwd_version: u16,
    inner: Hex,
    enc_transmission: Long,
    rfwd: Long,
    inner_response: Hex,
    enc_response: Long,
    rres: Long,
}

#[test]
fn forwarded_command_and_response() {
    let vector = vectors().proxy;
    let (client_key, relay_key) = (vector.command_key.dh(), vector.relay_session_key.dh());
    let proxy_secret = vector.proxy_session_key.dh().agree(&relay_key.public());
    assert_eq!(&vector.proxy_secret, &proxy_secret.as_bytes()[..]);
    assert_eq!(&vector.client_secret, &client_key.agree(&relay_key.public()).as_bytes()[..]);
    let (client_corr_id, proxy_corr_id): (CorrId, CorrId) = (vector.client_corr_id.id(), vector.proxy_corr_id.id());
    let version = Version(vector.fwd_version);
    assert_eq!(&vector.inner, &again(&vector.inner, version, &vector.relay_session_id.id())[..]);

    let (client, command) =
        ClientForward::seal(&client_key, &relay_key.public(), &client_corr_id, version, &vector.inner).unwrap();
    vector.enc_transmission.check(&command.encrypted);
    assert_eq!(vector.enc_transmission.bytes().as_deref(), Some(&command.encrypted[..]));
    let recorded = ForwardedCommand { version, key: client_key.public(), encrypted: command.encrypted.clone() };
    assert_eq!(command, recorded);
    let (proxy, rfwd) = ProxyForward::seal(&proxy_secret, &proxy_corr_id, &client_corr_id, &command);
    vector.rfwd.check(&rfwd);

    let opened = RelayForward::open(&proxy_secret, &relay_key, &proxy_corr_id, &vector.rfwd.bytes().unwrap()).unwrap();
    assert_eq!((opened.version, opened.transmission.as_deref()), (version, Ok(&vector.inner[..])));
    vector.rres.check(&opened.reply.seal(&proxy_secret, &vector.inner_response).unwrap());

    let pres = proxy.open_response(&proxy_secret, &vector.rres.bytes().unwrap()).unwrap();
    vector.enc_response.check(&pres);
    let response = client.open_response(&vector.enc_response.bytes().unwrap());
    assert_eq!(response.as_deref(), Ok(&vector.inner_response[..]));
}

/// The inner transmission read and written; the queue is not secured.
fn again(inner: &[u8], version: Version, session_id: &SessionId) -> Vec<u8> {
    let wire = Wire::forwarded(version, session_id);
    let read = wire.read(inner).unwrap();
    assert!(read.authorized.copied()[1..].starts_with(session_id.as_ref()));
    let command = read.command(version).unwrap();
    let mut written = Vec::new();
    wire.write_command(&command, &read.corr_id, &read.entity, &Credentials::default(), &mut written);
    written
}
