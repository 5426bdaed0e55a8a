//! The crate on real sockets: both sides of ours against each other, OpenSSL, recorded exchanges and hostile peers.

mod alpn;
mod blocks;
mod client_certificates;
mod connect;
mod groups;
mod hostile;
mod issue;
mod listener;
mod loopback;
mod openssl;
mod server_certificates;
mod services;
mod session_ids;
mod sessions;
mod upgrade;
mod vectors;
mod websocket;
mod websocket_frames;
