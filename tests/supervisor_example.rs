//! The example supervisor runs to its end: every fault it injects is survived.

use std::path::Path;
use std::process::Command;

#[test]
fn every_actor_may_fail() {
    let program = Path::new(env!("CARGO_BIN_EXE_smp-server")).with_file_name("examples").join("supervisor");
    let output = Command::new(program).output().expect("cargo builds the examples together with the tests");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    for restarted in [
        "Listener",
        "QueueRegistry",
        "StoreLogWriter",
        "Notifications",
        "Expirer",
        "Relays",
        "Names",
        "StatsCollector",
        "MetricsEndpoint",
        "Web",
    ] {
        let is_told = told.lines().any(|line| line.contains(restarted) && line.contains("restarted (1 of at most 5"));
        assert!(is_told, "{restarted} was not restarted:\n{told}");
    }
    assert!(told.contains("orderly end: 1 undelivered message saved"), "{told}");
}
