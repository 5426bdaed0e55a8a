//! The password for new queues and for the proxy. The operator may change it while the server runs.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use smp_protocol::command::BasicAuth;
use smp_protocol::password::Password;

/// The password as it is now; clones share it.
#[derive(Clone, Default)]
pub struct CreatePassword(Arc<RwLock<Option<Password>>>);

impl CreatePassword {
    /// Without a password everybody is allowed to.
    pub fn new(password: Option<Password>) -> Self {
        Self(Arc::new(RwLock::new(password)))
    }

    /// Whether this is the password, if there is one. Compared in constant time.
    pub fn allows(&self, given: Option<&BasicAuth>) -> bool {
        let password = self.0.read();
        password.as_ref().is_none_or(|password| given.is_some_and(|given| password.matches(given.as_bytes())))
    }

    /// From now on it is this one.
    pub fn replace(&self, password: Option<Password>) {
        *self.0.write() = password;
    }
}

impl fmt::Debug for CreatePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CreatePassword")
    }
}
