//! Properties of all values and of all bytes.

mod any_bytes;
mod commands;
mod errors;
mod handshake;
mod responses;
mod transmissions;
mod values;
