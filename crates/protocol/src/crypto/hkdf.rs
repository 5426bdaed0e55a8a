//! HKDF with HMAC-SHA512 (RFC 5869).

use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Salt};

struct OutputLength(usize);

impl KeyType for OutputLength {
    fn len(&self) -> usize {
        self.0
    }
}

/// Fills `output` (at most 16320 bytes) with key material; an empty `salt` is the HMAC with an empty key.
pub fn hkdf_sha512(salt: &[u8], input_key: &[u8], info: &[u8], output: &mut [u8]) {
    const LENGTH: &str = "callers ask for at most 255 times 64 bytes";
    let prk = Salt::new(HKDF_SHA512, salt).extract(input_key);
    let info = [info];
    let okm = prk.expand(&info, OutputLength(output.len())).expect(LENGTH);
    okm.fill(output).expect(LENGTH);
}
