//! Transmissions and batches.

use proptest::prelude::*;
use smp_protocol::authorization::{AuthPrivateKey, Verifier};
use smp_protocol::batch::{self, BatchWriter, Pushed};
use smp_protocol::command::Command;
use smp_protocol::id::{CorrId, EntityId, SessionId};
use smp_protocol::key::{DhPrivateKey, SigningKey};
use smp_protocol::transmission::{Credentials, ServiceCredentials, Wire};
use smp_protocol::version::Version;

use crate::commands::{command, encoded};
use crate::responses::{self, response};
use crate::values::{bytes, short_id, version};

fn key() -> impl Strategy<Value = Option<AuthPrivateKey>> {
    (0..4, any::<[u8; 32]>()).prop_map(|(kind, seed)| match kind {
        0 => None,
        1 => Some(AuthPrivateKey::Signing(SigningKey::ed25519(&seed))),
        2 => Some(AuthPrivateKey::Dh(DhPrivateKey::from_bytes(&seed))),
        _ => {
            let mut long = [1; 57];
            long[..32].copy_from_slice(&seed);
            Some(AuthPrivateKey::Signing(SigningKey::ed448(&long)))
        }
    })
}

type Ids = (SessionId, CorrId, EntityId);

fn ids() -> impl Strategy<Value = Ids> {
    (short_id(), short_id(), short_id())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is written with a key is read and verified; one flipped bit in what is authorized and it is not.
    #[test]
    fn commands_are_authorized(
        command in command(), version in version(), (session_id, corr_id, entity) in ids(), key in key(),
        in_service: bool, flipped in any::<prop::sample::Index>()
    ) {
        let (server_key, service_key, fingerprint) = (DhPrivateKey::generate(), SigningKey::generate_ed25519(), [9; 32]);
        let service = ServiceCredentials { fingerprint: &fingerprint, session_key: &service_key };
        let service = (in_service && version >= Version::SERVICES && key.is_some()).then_some(service);
        let credentials = Credentials { key: key.as_ref(), session_key: Some(&server_key.public()), service };
        let wire = Wire::connection(version, &session_id);
        let mut transmission = Vec::new();
        wire.write_command(&command, &corr_id, &entity, &credentials, &mut transmission);

        let read = wire.read(&transmission).unwrap();
        prop_assert_eq!((&read.corr_id, &read.entity), (&corr_id, &entity));
        prop_assert_eq!(read.body, &encoded(&command, version)[..]);
        prop_assert_eq!(read.service_signature.is_some(), service.is_some());
        let Some(key) = key else {
            prop_assert!(read.authorization.is_none());
            return Ok(());
        };
        let verifies = |transmission: &[u8]| {
            let Ok(read) = wire.read(transmission) else { return false };
            let authorized = if service.is_some() { read.authorized.by_service(&fingerprint) } else { read.authorized };
            let verifier = Verifier { session_key: &server_key };
            verifier.verify(&read.authorization, &key.public(), &authorized, &read.corr_id)
        };
        prop_assert!(verifies(&transmission));
        let last = transmission.len() - 1;
        transmission[last - flipped.index(read_length(&command, version))] ^= 1;
        prop_assert!(!verifies(&transmission));
    }

    #[test]
    fn responses_are_read(response in response(), version in version(), (session_id, corr_id, entity) in ids()) {
        let (wire, mut out) = (Wire::connection(version, &session_id), Vec::new());
        let body = responses::encoded(&response, version);
        wire.write(&corr_id, &entity, &mut out, |out| out.extend_from_slice(&body));
        let read = wire.read(&out).unwrap();
        prop_assert_eq!((read.corr_id, read.entity, read.body), (corr_id, entity, &body[..]));
    }

    /// Every block takes as many transmissions as fit, and all of them are found again.
    #[test]
    fn batches_are_full(items in prop::collection::vec(bytes(4000), 1..40)) {
        let mut batch = BatchWriter::new();
        let mut inside = 0;
        for item in &items {
            let room = batch.room();
            let pushed = batch.push(|out| out.extend_from_slice(item));
            prop_assert_eq!(pushed == Pushed::Added, item.len() <= room);
            prop_assert_ne!(pushed, Pushed::TooLong);
            if pushed == Pushed::Full {
                break;
            }
            inside += 1;
        }
        let found = batch::split(batch.content()).unwrap();
        prop_assert_eq!(found, items[..inside].iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
}

/// Bytes of the command at the end of a transmission.
fn read_length(command: &Command, version: Version) -> usize {
    encoded(command, version).len()
}
