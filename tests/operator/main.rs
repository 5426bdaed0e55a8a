//! What an operator follows and installs: guides, service units, container, installer.

#[allow(dead_code, reason = "shared with other test programs, each of which needs its part")]
#[path = "../harness/mod.rs"]
mod harness;

mod container;
mod documents;
mod guide_2023;
mod host;
mod install;
mod unit;
