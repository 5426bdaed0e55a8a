//! The advice to keep the CA key elsewhere (operations.md §3.5).

use smp_config::paths::Directories;

/// Prints it, between two lines of dashes.
pub fn print(directories: &Directories) {
    say!("----------");
    say!("Keep the private key of the CA in a safe place and delete it from the server. It can sign a new TLS");
    say!("certificate if the one of this server is lost or stolen: the server keeps its identity and its address.");
    say!("CA private key location:");
    say!("{}", directories.ca_key().display());
    say!("----------");
}
