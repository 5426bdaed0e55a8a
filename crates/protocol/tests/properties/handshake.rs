//! Messages of the handshake.

use proptest::option;
use proptest::prelude::*;
use smp_protocol::handshake::{CertChainPubKey, ClientHello, ClientService, ServerHello, ServiceResponse, ServiceRole};
use smp_protocol::version::Version;

use crate::errors::transport_error;
use crate::values::{bytes, chain, dh_key, id, short_id, version, version_range};

fn client_service() -> impl Strategy<Value = ClientService> {
    let role = prop::sample::select(vec![ServiceRole::Messaging, ServiceRole::Notifier, ServiceRole::Proxy]);
    (role, chain()).prop_map(|(role, key)| ClientService { role, key })
}

/// A hello with what its version carries.
pub(crate) fn client_hello() -> impl Strategy<Value = ClientHello> {
    let parts = (option::of(dh_key()), any::<bool>(), option::of(client_service()));
    (version(), bytes(255), parts).prop_map(|(version, key_hash, (key, proxy, service))| ClientHello {
        version,
        key_hash,
        key: key.filter(|_| version >= Version::IMPLICIT_SESSION_ID),
        proxy: proxy && version >= Version::PROXY_FLAG,
        service: service.filter(|_| version >= Version::SERVICES),
    })
}

pub(crate) fn server_hello() -> impl Strategy<Value = ServerHello> {
    (version_range(), short_id(), option::of(chain())).prop_map(|(versions, session_id, key)| ServerHello {
        versions,
        session_id,
        key,
    })
}

proptest! {
    /// Trailing bytes are ignored. Before version 14 nothing separates an absent key from them.
    #[test]
    fn client_hellos_round_trip(hello in client_hello(), surplus in bytes(30)) {
        let mut content = Vec::new();
        hello.encode(&mut content).unwrap();
        content.extend(surplus);
        prop_assert_eq!(ClientHello::decode(&content), Ok(hello));
    }

    #[test]
    fn server_hellos_round_trip(hello in server_hello(), surplus in bytes(30)) {
        let mut content = Vec::new();
        hello.encode(&mut content).unwrap();
        if hello.key.is_some() {
            content.extend(surplus);
        }
        prop_assert_eq!(ServerHello::decode(&content), Ok(hello));
    }

    #[test]
    fn service_responses_round_trip(id in id(), error in transport_error()) {
        for response in [ServiceResponse::Accepted(id), ServiceResponse::Refused(error)] {
            let mut content = Vec::new();
            response.encode(&mut content);
            prop_assert_eq!(ServiceResponse::decode(&content), Ok(response));
        }
    }

    #[test]
    fn cut_chains_are_malformed(key in chain(), cut in any::<prop::sample::Index>()) {
        let mut content = Vec::new();
        key.encode(&mut content).unwrap();
        content.truncate(cut.index(content.len()));
        prop_assert!(CertChainPubKey::decode(&mut smp_protocol::encoding::Reader::new(&content)).is_err());
    }
}
