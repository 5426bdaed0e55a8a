//! Exchanges recorded from a reference server, checked byte by byte. `../vectors/README.md` describes the files.
//!
//! The structs of these modules deny unknown fields and the compiler warns of fields that nobody reads: what is recorded is
//! checked.

mod chains;
mod crypto;
mod handshake;
mod malformed;
mod proxy;
mod quota;
mod sessions;
mod vectors;
