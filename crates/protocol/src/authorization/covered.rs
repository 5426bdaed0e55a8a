//! A copy of what an authorization covers.

use std::ops::Deref;

use zeroize::Zeroize;

/// All covered bytes in one piece. Wiped when dropped if there is a password in them: most commands are messages, which are encrypted
/// and large.
#[derive(Clone)]
pub struct Covered {
    pub(super) bytes: Vec<u8>,
    pub(super) has_password: bool,
}

impl Deref for Covered {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Covered {
    fn drop(&mut self) {
        if self.has_password {
            self.bytes.zeroize();
        }
    }
}
