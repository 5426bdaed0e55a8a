//! The box that encrypts everything symmetric in SMP: XSalsa20-Poly1305 with one more HSalsa20 step than NaCl's
//! secretbox, tag first (wire.md §10.1).

use dryoc::classic::crypto_core::crypto_core_hsalsa20;
use dryoc::classic::crypto_secretbox::{
    crypto_secretbox_detached, crypto_secretbox_easy_inplace, crypto_secretbox_open_detached,
    crypto_secretbox_open_easy_inplace,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::key::DhSecret;

/// Bytes of the authentication tag in front of the ciphertext.
pub const TAG_LENGTH: usize = 16;

/// A 24-byte nonce.
pub type Nonce = [u8; 24];

/// A box that does not open: too short, or not made with this key and nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("decryption failed")]
pub struct DecryptionFailed;

/// Encrypts `plain` into `boxed`, which is exactly [`TAG_LENGTH`] bytes longer.
///
/// # Panics
///
/// If the lengths differ by anything else: both buffers are made by the caller.
pub fn seal_into(secret: &DhSecret, nonce: &Nonce, plain: &[u8], boxed: &mut [u8]) {
    assert_eq!(boxed.len(), plain.len() + TAG_LENGTH, "length of the box");
    let (tag, cipher) = boxed.split_first_chunk_mut().expect("a box is longer than its tag");
    crypto_secretbox_detached(cipher, tag, plain, nonce, &derive(secret)).expect("lengths were compared");
}

/// Encrypts all but the last [`TAG_LENGTH`] bytes of `buffer`, which is the box afterwards.
///
/// # Panics
///
/// If the buffer is shorter than the tag.
pub fn seal_in_place(secret: &DhSecret, nonce: &Nonce, buffer: &mut [u8]) {
    crypto_secretbox_easy_inplace(buffer, nonce, &derive(secret)).expect("a box is longer than its tag");
}

/// Decrypts the box that fills `buffer` and returns its content. A box that does not open is left as it is.
pub fn open_in_place<'p>(
    secret: &DhSecret,
    nonce: &Nonce,
    buffer: &'p mut [u8],
) -> Result<&'p mut [u8], DecryptionFailed> {
    crypto_secretbox_open_easy_inplace(buffer, nonce, &derive(secret)).map_err(|_| DecryptionFailed)?;
    let content = buffer.len() - TAG_LENGTH;
    Ok(&mut buffer[..content])
}

/// Encrypts `plain` into a new vector, 16 bytes longer.
pub fn seal(secret: &DhSecret, nonce: &Nonce, plain: &[u8]) -> Vec<u8> {
    let mut boxed = vec![0; plain.len() + TAG_LENGTH];
    seal_into(secret, nonce, plain, &mut boxed);
    boxed
}

/// Decrypts `boxed` into the first `boxed.len() - 16` bytes of `plain` and returns them.
///
/// Nothing is written to `plain` if the tag is wrong.
///
/// # Panics
///
/// If `plain` is too short for the content.
pub fn open_into<'p>(
    secret: &DhSecret,
    nonce: &Nonce,
    boxed: &[u8],
    plain: &'p mut [u8],
) -> Result<&'p mut [u8], DecryptionFailed> {
    let (tag, cipher) = boxed.split_first_chunk().ok_or(DecryptionFailed)?;
    let plain = &mut plain[..cipher.len()];
    crypto_secretbox_open_detached(plain, cipher, tag, nonce, &derive(secret)).map_err(|_| DecryptionFailed)?;
    Ok(plain)
}

/// Decrypts `boxed` into a new vector.
pub fn open(secret: &DhSecret, nonce: &Nonce, boxed: &[u8]) -> Result<Vec<u8>, DecryptionFailed> {
    let mut plain = vec![0; boxed.len().checked_sub(TAG_LENGTH).ok_or(DecryptionFailed)?];
    open_into(secret, nonce, boxed, &mut plain)?;
    Ok(plain)
}

/// The step that makes this box differ from NaCl's secretbox with the same key.
fn derive(secret: &DhSecret) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    crypto_core_hsalsa20(&mut key, &[0; 16], secret.as_bytes(), None);
    key
}

#[cfg(test)]
mod tests {
    use crypto_secretbox::aead::{AeadInPlace, KeyInit};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Differential test against an independent implementation, over lengths around every block border.
        #[test]
        fn agrees_with_rustcrypto(
            secret: [u8; 32], nonce: [u8; 24], plain in proptest::collection::vec(any::<u8>(), 0..17_000)
        ) {
            let secret = DhSecret::from(secret);
            let boxed = seal(&secret, &nonce, &plain);
            let oracle = crypto_secretbox::XSalsa20Poly1305::new(&(*derive(&secret)).into());
            let mut expected = plain.clone();
            let tag = oracle.encrypt_in_place_detached(&nonce.into(), b"", &mut expected).unwrap();
            prop_assert_eq!(&boxed[..16], &tag[..]);
            prop_assert_eq!(&boxed[16..], &expected[..]);
            prop_assert_eq!(open(&secret, &nonce, &boxed), Ok(plain.clone()));

            let mut buffer = [&plain[..], &[0; TAG_LENGTH]].concat();
            seal_in_place(&secret, &nonce, &mut buffer);
            prop_assert_eq!(&buffer, &boxed);
            prop_assert_eq!(open_in_place(&secret, &nonce, &mut buffer), Ok(&mut plain.clone()[..]));
        }
    }

    #[test]
    fn altered_or_short_boxes_do_not_open() {
        let secret = DhSecret::from([1; 32]);
        let mut boxed = seal(&secret, &[2; 24], b"message");
        boxed[20] ^= 1;
        assert_eq!(open(&secret, &[2; 24], &boxed), Err(DecryptionFailed));
        assert_eq!(open(&secret, &[2; 24], &boxed[..15]), Err(DecryptionFailed));
        let before = boxed.clone();
        assert_eq!(open_in_place(&secret, &[2; 24], &mut boxed), Err(DecryptionFailed));
        assert_eq!(open_in_place(&secret, &[2; 24], &mut boxed[..15]), Err(DecryptionFailed));
        assert_eq!(boxed, before);
    }
}
