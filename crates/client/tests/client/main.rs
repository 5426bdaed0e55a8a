//! The client against a scripted peer: a real TLS and SMP handshake on loopback, then blocks written by hand.

mod batches;
mod correlation;
mod disconnection;
mod events;
mod flow_control;
mod forwarding;
mod peer;
mod queues;
mod services;
mod timeouts;
mod versions;
