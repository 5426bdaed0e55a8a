//! X448 key exchange (RFC 7748, RFC 8446 §7.4.2), which the libraries behind rustls do not have. Reference clients send
//! a key share for this group only, so that without it every handshake would cost one more round trip (wire.md §2.1).

use std::fmt;

use crrl::x448::{x448, x448_base};
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};
use smp_protocol::id::fill_random;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const KEY_LENGTH: usize = 56;

/// The group `x448` (0x001E); keys and secrets have 56 bytes.
#[derive(Debug)]
pub(super) struct X448;

impl SupportedKxGroup for X448 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut private = Zeroizing::new([0; KEY_LENGTH]);
        fill_random(&mut *private);
        let public = x448_base(&private);
        Ok(Box::new(Exchange { private, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X448
    }
}

/// Our half of one key exchange.
struct Exchange {
    private: Zeroizing<[u8; KEY_LENGTH]>,
    public: [u8; KEY_LENGTH],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = peer.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let secret = Zeroizing::new(x448(peer, &self.private));
        // A point of low order: the secret would not depend on our key (RFC 8446 §7.4.2).
        if secret.ct_eq(&[0; KEY_LENGTH]).into() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(&secret[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X448
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x448::Exchange")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(private: &str) -> Exchange {
        let private = Zeroizing::new(bytes(private));
        let public = x448_base(&private);
        Exchange { private, public }
    }

    fn bytes(hex: &str) -> [u8; KEY_LENGTH] {
        hex::decode(hex).unwrap().try_into().unwrap()
    }

    /// RFC 7748 §6.2.
    #[test]
    fn agrees_with_the_rfc() {
        let alice = Box::new(exchange(
            "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
        ));
        let bob = Box::new(exchange(
            "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
        ));
        let bob_public = bytes(
            "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609",
        );
        let secret = bytes(
            "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a5037514a879d",
        );
        assert_eq!(bob.pub_key(), bob_public);
        let alice_public = alice.public;
        assert_eq!(alice.complete(&bob_public).unwrap().secret_bytes(), secret);
        assert_eq!(bob.complete(&alice_public).unwrap().secret_bytes(), secret);
    }

    #[test]
    fn points_of_low_order_and_wrong_lengths_are_refused() {
        let mut one = [0; KEY_LENGTH];
        one[0] = 1;
        for peer in [&[0; KEY_LENGTH][..], &one[..], &[7; 55], &[7; 57], &[]] {
            let exchange = X448.start().unwrap();
            assert_eq!(exchange.complete(peer).err(), Some(PeerMisbehaved::InvalidKeyShare.into()));
        }
    }
}
