//! The SimpleX Messaging Protocol, versions 6 to 20: bytes ⇄ transmissions ⇄ commands, and their cryptography.
//!
//! Pure functions over bytes: no I/O, no clock, no async runtime. The byte layouts follow the wire specification of this
//! project; section numbers in the docs refer to it.

pub mod address;
pub mod authorization;
pub mod batch;
pub mod block;
pub mod command;
pub mod crypto;
pub mod encoding;
pub mod error;
pub mod forward;
pub mod handshake;
pub mod id;
pub mod key;
pub mod message;
pub mod password;
pub mod response;
pub mod seal;
pub mod signed_key;
pub mod transmission;
pub mod version;
