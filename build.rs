//! Tells the program the commit it is built from.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/refs/heads");
    println!("cargo::rerun-if-env-changed=SMP_SERVER_COMMIT");
    let commit = std::env::var("SMP_SERVER_COMMIT").ok().or_else(commit_of_checkout).unwrap_or_default();
    println!("cargo::rustc-env=SMP_SERVER_COMMIT={commit}");
}

fn commit_of_checkout() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=7", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
