//! Symmetric constructs (wire.md §10).

pub mod hkdf;
pub mod secret_box;
