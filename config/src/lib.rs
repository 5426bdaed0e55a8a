//! Configuration of an SMP relay server: `smp-server.ini`, certificates and identity, addresses, paths.
//!
//! This crate reads and writes files but prints nothing: it returns values, warnings and errors whose `Display` is one
//! line for the operator. Section numbers in the docs refer to the specifications of this project.

pub mod certificates;
pub mod change_password;
mod duration_words;
pub mod ini;
pub mod ini_template;
pub mod init;
pub mod init_options;
mod known_keys;
pub mod paths;
mod remedy;
pub mod secret;
pub mod settings;
mod spelling;
mod staged_files;

pub use duration_words::duration_words;
pub use known_keys::known_keys;
pub use staged_files::{WriteError, finish_rewriting};
