//! The conformance checklist, against the real program: what its clients and its operator see of every rule.
//!
//! A test is named after the checks it decides (`b_020_to_024_…`); `table.md` lists all checks with their tests, and
//! [`table`] keeps the list complete. Every test has a server of its own.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "../harness/in_process.rs"]
mod in_process;

mod bad_input;
mod blocking;
mod control_port;
mod conversation;
mod crowd;
mod expiry;
mod forgery;
mod full_disk;
mod get;
mod hand_over;
mod hanging_shard;
mod journal;
mod lifetimes;
mod links;
mod metrics;
mod metrics_over_http;
mod names;
mod notifications;
mod notifier_services;
mod persistence;
mod privacy;
mod proxy;
mod queues;
mod quota;
mod reload;
mod restart;
mod secrets;
mod services;
mod sessions;
mod settings;
mod stores;
mod stuck_clients;
mod syntax;
mod table;
mod timing;
mod unknown_queues;
mod versions;
mod web;
mod web_certificate;
mod websockets;
