//! Tells the program the commit it is built from.

use std::path::Path;
use std::process::Command;

/// Digits that are shown.
const DIGITS: usize = 7;

fn main() {
    println!("cargo::rerun-if-env-changed=SMP_SERVER_COMMIT");
    let commit = std::env::var("SMP_SERVER_COMMIT").ok().or_else(commit_of_checkout).unwrap_or_default();
    let digits: String = commit.chars().take(DIGITS).take_while(char::is_ascii_hexdigit).collect();
    println!("cargo::rustc-env=SMP_SERVER_COMMIT={digits}");
}

/// `None` for sources without a repository of their own, even if they lie inside another one.
fn commit_of_checkout() -> Option<String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join(".git");
    if !repository.exists() {
        return None;
    }
    for changing in ["HEAD", "refs/heads", "packed-refs"].map(|name| repository.join(name)) {
        if changing.exists() {
            println!("cargo::rerun-if-changed={}", changing.display());
        }
    }
    let output = Command::new("git").args(["rev-parse", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
