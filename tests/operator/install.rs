//! The installer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/install");
const PROGRAM: &str = env!("CARGO_BIN_EXE_smp-server");

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

#[test]
fn everything_is_put_in_its_place_and_again() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = Command::new(INSTALL).arg(PROGRAM).env("DESTDIR", root.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (path, expected) in [
            ("usr/local/bin/smp-server", 0o755),
            ("usr/local/share/man/man1/smp-server.1", 0o644),
            ("etc/systemd/system/smp-server.service", 0o644),
            ("etc/opt/simplex", 0o750),
            ("var/opt/simplex", 0o750),
        ] {
            assert_eq!(mode(&root.path().join(path)), expected, "{path}");
        }
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains("systemctl enable --now smp-server"), "{told}");
        // What belongs to the server is left alone the next time.
        fs::write(root.path().join("etc/opt/simplex/smp-server.ini"), "of the operator").unwrap();
    }
    assert_eq!(fs::read(root.path().join("etc/opt/simplex/smp-server.ini")).unwrap(), b"of the operator");
    let version = Command::new(root.path().join("usr/local/bin/smp-server")).arg("--version").output().unwrap();
    assert!(version.status.success());
}

#[test]
fn a_program_of_another_machine_is_not_installed() {
    let root = tempfile::tempdir().unwrap();
    let stranger = root.path().join("stranger");
    fs::write(&stranger, "of another machine").unwrap();
    let output = Command::new(INSTALL).arg(&stranger).env("DESTDIR", root.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not run on this machine"));
    assert!(!root.path().join("usr").exists());
}
