//! What authorizes a transmission, and its verification in time that does not depend on the queue (wire.md §5.6,
//! behaviour.md §2.6).

mod covered;

use std::fmt;
use std::hint::black_box;
use std::sync::LazyLock;

use crrl::ed448;
use ed25519_dalek::{VerifyingKey, verify_batch};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

pub use covered::Covered;

use crate::crypto::secret_box::{self, Nonce, TAG_LENGTH};
use crate::encoding::{Decoded, Malformed};
use crate::id::{CorrId, SessionId};
use crate::key::{AuthKey, DhPrivateKey, DhPublicKey, Signature, SigningKey};

/// Bytes of an X25519 authenticator: tag and encrypted SHA-512 digest.
const AUTHENTICATOR_LENGTH: usize = TAG_LENGTH + 64;

/// The `auth` field of a transmission; its length tells the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// 0 bytes.
    None,
    /// 64 bytes (Ed25519) or 114 bytes (Ed448).
    Signature(Signature),
    /// 80 bytes.
    Authenticator([u8; AUTHENTICATOR_LENGTH]),
}

impl Authorization {
    /// Fails for every length but 0, 64, 80 and 114.
    pub fn from_bytes(bytes: &[u8]) -> Decoded<Self> {
        match bytes.len() {
            0 => Ok(Self::None),
            AUTHENTICATOR_LENGTH => bytes.try_into().map(Self::Authenticator).map_err(|_| Malformed),
            _ => Signature::from_bytes(bytes).map(Self::Signature),
        }
    }

    /// Whether nothing was provided.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl AsRef<[u8]> for Authorization {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Signature(signature) => signature.as_ref(),
            Self::Authenticator(bytes) => bytes,
        }
    }
}

/// The bytes that an authorization covers: `[fingerprint] ‖ s(session ID) ‖ s(corrId) ‖ s(entityId) ‖ command`.
///
/// From version 7 the session ID is not transmitted but covered all the same.
#[derive(Clone)]
pub struct Authorized<'a> {
    fingerprint: &'a [u8],
    prefix: Vec<u8>,
    transmitted: &'a [u8],
    has_password: bool,
}

/// The bytes hold IDs, which never reach a log (behaviour.md I-16).
impl fmt::Debug for Authorized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorized")
    }
}

impl<'a> Authorized<'a> {
    /// For versions from 7 on: `transmitted` starts with the correlation ID.
    pub fn with_session(session_id: &SessionId, transmitted: &'a [u8]) -> Self {
        let id = session_id.as_ref();
        let mut prefix = Vec::with_capacity(1 + id.len());
        crate::encoding::Encode::put_short(&mut prefix, id);
        Self { fingerprint: &[], prefix, transmitted, has_password: false }
    }

    /// For version 6: `transmitted` starts with the session ID.
    pub fn with_sent_session(transmitted: &'a [u8]) -> Self {
        Self { fingerprint: &[], prefix: Vec::new(), transmitted, has_password: false }
    }

    /// The same, prefixed with the SHA-256 fingerprint of a service certificate: what a queue key authorizes in NEW, SUB and
    /// NSUB of a service session (wire.md §5.7).
    #[must_use]
    pub fn by_service(mut self, fingerprint: &'a [u8; 32]) -> Self {
        self.fingerprint = fingerprint;
        self
    }

    /// The same: copies of it are wiped if there is a password in it.
    #[must_use]
    pub fn with_password_if(mut self, has_password: bool) -> Self {
        self.has_password = has_password;
        self
    }

    fn parts(&self) -> [&[u8]; 3] {
        [self.fingerprint, &self.prefix, self.transmitted]
    }

    fn digest(&self) -> [u8; 64] {
        let mut digest = Sha512::new();
        self.parts().iter().for_each(|part| digest.update(part));
        digest.finalize().into()
    }

    /// A copy of all covered bytes.
    pub fn copied(&self) -> Covered {
        Covered { bytes: self.parts().concat(), has_password: self.has_password }
    }

    /// Authorizes with the key of a queue. `nonce` is that of the correlation ID; `session_key` the other side's session
    /// key, used only by authenticators.
    pub fn authorize(&self, key: &AuthPrivateKey, session_key: Option<&DhPublicKey>, nonce: &Nonce) -> Authorization {
        match (key, session_key) {
            (AuthPrivateKey::Signing(key), _) => Authorization::Signature(key.sign(&self.copied())),
            (AuthPrivateKey::Dh(_), None) => Authorization::None,
            (AuthPrivateKey::Dh(key), Some(session_key)) => {
                let mut bytes = [0; AUTHENTICATOR_LENGTH];
                secret_box::seal_into(&key.agree(session_key), nonce, &self.digest(), &mut bytes);
                Authorization::Authenticator(bytes)
            }
        }
    }
}

/// The private half of an [`AuthKey`].
#[derive(Debug)]
pub enum AuthPrivateKey {
    /// Signs.
    Signing(SigningKey),
    /// Makes authenticators.
    Dh(DhPrivateKey),
}

impl AuthPrivateKey {
    /// The public half.
    pub fn public(&self) -> AuthKey {
        match self {
            Self::Signing(key) => key.verifying_key().into(),
            Self::Dh(key) => AuthKey::X25519(key.public()),
        }
    }
}

/// Checks authorizations on one connection.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a> {
    /// The server's session key of this connection.
    pub session_key: &'a DhPrivateKey,
}

impl Verifier<'_> {
    /// Whether `authorization` is that of `key`.
    ///
    /// A wrong outcome takes as long as [`Self::reject`] with the same authorization, whatever the key is.
    pub fn verify(
        self,
        authorization: &Authorization,
        key: &AuthKey,
        authorized: &Authorized<'_>,
        corr_id: &CorrId,
    ) -> bool {
        match (authorization, key) {
            (Authorization::Signature(Signature::Ed25519(signature)), AuthKey::Ed25519(key)) => {
                match VerifyingKey::from_bytes(key) {
                    Ok(key) => verify_ed25519(&key, signature, authorized),
                    Err(_) => self.reject(authorization, authorized, corr_id),
                }
            }
            (Authorization::Signature(Signature::Ed448(signature)), AuthKey::Ed448(key)) => {
                match ed448::PublicKey::decode(&key[..]) {
                    Some(key) => key.verify_raw(signature, &authorized.copied()),
                    None => self.reject(authorization, authorized, corr_id),
                }
            }
            (Authorization::Authenticator(bytes), AuthKey::X25519(key)) => {
                self.verify_authenticator(key, bytes, authorized, corr_id)
            }
            _ => self.reject(authorization, authorized, corr_id),
        }
    }

    /// Does the work of a verification of this kind of authorization and returns false: for queues that do not exist and keys
    /// of another kind.
    pub fn reject(self, authorization: &Authorization, authorized: &Authorized<'_>, corr_id: &CorrId) -> bool {
        let dummy = &*DUMMY_KEYS;
        match authorization {
            Authorization::None => {}
            Authorization::Signature(Signature::Ed25519(signature)) => {
                // Decoding the point is part of the time of a real verification.
                if let Ok(key) = VerifyingKey::from_bytes(&dummy.ed25519) {
                    black_box(verify_ed25519(&key, signature, authorized));
                }
            }
            Authorization::Signature(Signature::Ed448(signature)) => {
                if let Some(key) = ed448::PublicKey::decode(&dummy.ed448) {
                    black_box(key.verify_raw(signature, &authorized.copied()));
                }
            }
            Authorization::Authenticator(bytes) => {
                black_box(self.verify_authenticator(&dummy.x25519, bytes, authorized, corr_id));
            }
        }
        false
    }

    fn verify_authenticator(
        self,
        key: &DhPublicKey,
        authenticator: &[u8; AUTHENTICATOR_LENGTH],
        authorized: &Authorized<'_>,
        corr_id: &CorrId,
    ) -> bool {
        let secret = self.session_key.agree(key);
        let digest = authorized.digest();
        let mut claimed = [0; 64];
        secret_box::open_into(&secret, &corr_id.nonce(), authenticator, &mut claimed).is_ok()
            && bool::from(claimed.ct_eq(&digest))
    }
}

/// That these bytes are signed with this Ed25519 key.
#[derive(Clone)]
pub struct SignatureClaim {
    key: [u8; 32],
    signature: [u8; 64],
    message: Covered,
}

impl SignatureClaim {
    /// That `authorization` is that of `key`; without a key, or with one of another kind, a claim that does not hold and is as
    /// much work. `None` if the authorization is no Ed25519 signature.
    pub fn new(authorization: &Authorization, key: Option<&AuthKey>, authorized: &Authorized<'_>) -> Option<Self> {
        let Authorization::Signature(Signature::Ed25519(signature)) = authorization else { return None };
        let key = match key {
            Some(AuthKey::Ed25519(key)) => *key,
            _ => DUMMY_KEYS.ed25519,
        };
        Some(Self { key, signature: *signature, message: authorized.copied() })
    }

    /// The key that is claimed to have signed.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }
}

/// IDs and keys never reach a log (behaviour.md I-16).
impl fmt::Debug for SignatureClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignatureClaim")
    }
}

/// Whether all of these claims hold. From about four on it takes half the time of looking at each, or less. If one does not
/// hold, it is not known which.
///
/// Claims about keys with a part of small order, which only their owners can make, may hold here and not alone: whose key it
/// is has signed in either case.
pub fn all_hold(claims: &[SignatureClaim]) -> bool {
    let Ok(dummy) = VerifyingKey::from_bytes(&DUMMY_KEYS.ed25519) else { return false };
    // Not a point: nothing holds for it, and it must not take less time to find out.
    let keys: Vec<_> = claims.iter().map(|claim| VerifyingKey::from_bytes(&claim.key).unwrap_or(dummy)).collect();
    let messages: Vec<_> = claims.iter().map(|claim| &claim.message[..]).collect();
    let signatures: Vec<_> = claims.iter().map(|claim| claim.signature.into()).collect();
    let are_keys = claims.iter().zip(&keys).all(|(claim, key)| claim.key == key.to_bytes());
    verify_batch(&messages, &signatures, &keys).is_ok() && are_keys
}

fn verify_ed25519(key: &VerifyingKey, signature: &[u8; 64], authorized: &Authorized<'_>) -> bool {
    let Ok(mut verifier) = key.verify_stream(&signature.into()) else {
        return false;
    };
    authorized.parts().iter().for_each(|part| verifier.update(part));
    verifier.finalize_and_verify().is_ok()
}

/// One valid public key per algorithm; they verify nothing.
struct DummyKeys {
    ed25519: [u8; 32],
    ed448: [u8; 57],
    x25519: DhPublicKey,
}

static DUMMY_KEYS: LazyLock<DummyKeys> = LazyLock::new(|| DummyKeys {
    ed25519: ed25519_dalek::SigningKey::from_bytes(&[0x53; 32]).verifying_key().to_bytes(),
    ed448: ed448::PrivateKey::from_seed(&[0x53; 57]).public_key.encode(),
    x25519: DhPrivateKey::from_bytes(&[0x53; 32]).public(),
});

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> [AuthPrivateKey; 3] {
        [
            AuthPrivateKey::Signing(SigningKey::generate_ed25519()),
            AuthPrivateKey::Signing(SigningKey::generate_ed448()),
            AuthPrivateKey::Dh(DhPrivateKey::generate()),
        ]
    }

    #[test]
    fn each_key_verifies_only_its_own_authorization() {
        let session_key = DhPrivateKey::generate();
        let verifier = Verifier { session_key: &session_key };
        let session_id = (&[1; 32][..]).try_into().unwrap();
        let corr_id = CorrId::random();
        let authorized = Authorized::with_session(&session_id, b"transmitted");
        let (ours, others) = (keys(), keys());
        for (i, key) in ours.iter().enumerate() {
            let authorization = authorized.authorize(key, Some(&session_key.public()), &corr_id.nonce());
            assert_eq!(Authorization::from_bytes(authorization.as_ref()), Ok(authorization.clone()));
            for (j, candidate) in ours.iter().enumerate() {
                assert_eq!(verifier.verify(&authorization, &candidate.public(), &authorized, &corr_id), i == j);
            }
            assert!(!verifier.verify(&authorization, &others[i].public(), &authorized, &corr_id));
            assert!(!verifier.reject(&authorization, &authorized, &corr_id));
            let fingerprint = [9; 32];
            let by_service = authorized.clone().by_service(&fingerprint);
            assert!(!verifier.verify(&authorization, &key.public(), &by_service, &corr_id));
        }
    }

    #[test]
    fn keys_that_are_no_points_verify_nothing() {
        let session_key = DhPrivateKey::generate();
        let verifier = Verifier { session_key: &session_key };
        let authorized = Authorized::with_sent_session(b"x");
        let corr_id = CorrId::EMPTY;
        let signature = |n| Authorization::from_bytes(&vec![1; n]).unwrap();
        assert!(!verifier.verify(&signature(64), &AuthKey::Ed25519([0xff; 32]), &authorized, &corr_id));
        assert!(!verifier.verify(&signature(114), &AuthKey::Ed448(Box::new([0xff; 57])), &authorized, &corr_id));
    }

    #[test]
    fn claims_hold_together_or_not_at_all() {
        let session_id = (&[1; 32][..]).try_into().unwrap();
        let keys: Vec<_> = (0..9).map(|_| AuthPrivateKey::Signing(SigningKey::generate_ed25519())).collect();
        let texts: Vec<_> = (0..9).map(|n| vec![n; 40]).collect();
        let authorized: Vec<_> = texts.iter().map(|text| Authorized::with_session(&session_id, text)).collect();
        let claim = |by: &AuthPrivateKey, of: Option<&AuthPrivateKey>, n: usize| {
            let authorization = authorized[n].authorize(by, None, &[0; 24]);
            SignatureClaim::new(&authorization, of.map(AuthPrivateKey::public).as_ref(), &authorized[n])
        };
        let mut claims: Vec<_> = (0..9).map(|n| claim(&keys[n], Some(&keys[n]), n).unwrap()).collect();
        assert!(all_hold(&claims) && all_hold(&claims[..1]) && all_hold(&[]));
        let session_key = DhPrivateKey::generate();
        for wrong in [
            claim(&keys[3], Some(&keys[4]), 3),
            claim(&keys[3], None, 3),
            claim(&keys[3], Some(&AuthPrivateKey::Dh(session_key)), 3),
            claims.get(3).map(|claim| SignatureClaim { key: [0xff; 32], ..claim.clone() }),
            claims.get(3).map(|claim| SignatureClaim { signature: [0xff; 64], ..claim.clone() }),
            claims.get(3).map(|claim| SignatureClaim { signature: [1; 64], ..claim.clone() }),
        ] {
            let right = std::mem::replace(&mut claims[3], wrong.unwrap());
            assert!(!all_hold(&claims));
            claims[3] = right;
        }
        assert!(all_hold(&claims));
        assert!(SignatureClaim::new(&Authorization::None, Some(&keys[0].public()), &authorized[0]).is_none());
    }

    #[test]
    fn other_lengths_are_malformed() {
        for n in [1, 63, 65, 79, 81, 113, 115, 255] {
            assert_eq!(Authorization::from_bytes(&vec![0; n]), Err(Malformed));
        }
    }
}
