//! `backup` and `restore`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{Place, names};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of a test is text")
}

/// All files of a place with their content and mode, without the names of its directories.
fn content(place: &Place) -> Vec<(String, u32, Vec<u8>)> {
    let root = place.directories.config.parent().unwrap();
    let files = place.snapshot().into_iter().filter(|(path, _)| path.is_file());
    files.map(|(path, (mode, _, content))| (text(path.strip_prefix(root).unwrap()).to_owned(), mode, content)).collect()
}

#[test]
fn a_server_moves_to_another_machine() {
    let old = Place::with_server();
    old.with_messages(3, 30);
    let elsewhere = tempfile::tempdir().unwrap();
    let archive = elsewhere.path().join("backup.tar.gz");
    // Certificates of other programs are often links.
    let certificate = elsewhere.path().join("fullchain.pem");
    fs::write(&certificate, "a certificate").unwrap();
    symlink(&certificate, old.directories.web_certificate()).unwrap();
    symlink("/nowhere/at/all", old.directories.web_key()).unwrap();

    let ended = old.run(["backup", text(&archive)]);
    assert!(ended.succeeded().stdout.contains("keep it where nobody else can read it"), "{ended:?}");
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);

    let new = Place::empty();
    new.run(["restore", text(&archive)]).succeeded();
    fs::remove_file(old.directories.web_certificate()).unwrap();
    fs::remove_file(old.directories.web_key()).unwrap();
    fs::write(old.directories.web_certificate(), "a certificate").unwrap();
    assert_eq!(content(&new), content(&old));
    let address = old.run(["address"]).stdout;
    assert_eq!(new.run(["address"]).stdout, address);
    assert!(new.start_and_stop([]).stderr.contains("messages stored: 3"));

    // Anybody can look into it without the program.
    let listed = Command::new("tar").arg("-tzf").arg(&archive).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("config/smp-server.ini\n") && listed.contains("state/smp-server-store.log\n"), "{listed}");
    assert!(!listed.contains("lock"), "{listed}");
}

#[test]
fn what_root_restores_belongs_to_the_server() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let old = Place::with_server();
    let archive = old.directories.config.with_file_name("backup");
    old.run(["backup", text(&archive)]).succeeded();
    let new = Place::empty();
    for directory in [&new.directories.config, &new.directories.state] {
        fs::create_dir(directory).unwrap();
        chown(directory, Some(12345), Some(12345)).unwrap();
    }
    new.run(["restore", text(&archive)]).succeeded();
    let ini = fs::metadata(new.directories.ini()).unwrap();
    assert_eq!((ini.uid(), ini.gid()), (12345, 12345));
}

#[test]
fn a_running_server_is_not_copied() {
    let place = Place::with_server();
    let archive = place.directories.config.with_file_name("backup");
    let server = place.start([]);
    let ended = place.run(["backup", text(&archive)]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("another server runs in") && !archive.exists(), "{}", ended.stderr);
    drop(server);
}

#[test]
fn nothing_is_overwritten() {
    let place = Place::with_server();
    let archive = place.directories.config.with_file_name("backup");
    fs::write(&archive, "something else").unwrap();
    let ended = place.run(["backup", text(&archive)]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("exists already"), "{}", ended.stderr);
    assert_eq!(fs::read(&archive).unwrap(), b"something else");

    fs::remove_file(&archive).unwrap();
    place.run(["backup", text(&archive)]).succeeded();
    let before = place.snapshot();
    let ended = place.run(["restore", text(&archive)]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("is not empty"), "{}", ended.stderr);
    assert_eq!(place.snapshot(), before);
}

/// A tar archive, compressed as backups are, of what these commands of a shell make.
fn packed(directory: &Path, script: &str) -> std::path::PathBuf {
    let archive = directory.join("archive");
    let made = Command::new("sh").args(["-ec", script]).current_dir(directory).status().unwrap();
    assert!(made.success());
    archive
}

#[test]
fn broken_and_hostile_archives_restore_nothing() {
    let place = Place::with_server();
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole");
    place.run(["backup", text(&whole)]).succeeded();
    let bytes = fs::read(&whole).unwrap();
    let half = directory.path().join("half");
    fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    let damaged_file = directory.path().join("damaged");
    fs::write(&damaged_file, damaged).unwrap();
    let scripts = [
        "mkdir -p config; echo x > escaped; tar -czPf archive --transform='s,escaped,config/../../escaped,' escaped; rm escaped",
        "echo x > other; tar -czf archive other",
        "mkdir -p config; ln -s /etc/passwd config/smp-server.ini; tar -czf archive config",
        "mkdir -p empty/config empty/state; tar -czf archive -C empty config state",
        "echo nothing of the kind > archive",
    ];
    let hostile = scripts.iter().enumerate().map(|(number, script)| {
        let own = directory.path().join(number.to_string());
        fs::create_dir(&own).unwrap();
        packed(&own, script)
    });
    let hostile: Vec<_> = hostile.collect();
    for archive in [half, damaged_file].into_iter().chain(hostile) {
        let new = Place::empty();
        let ended = new.run(["restore", text(&archive)]);
        assert_eq!(ended.code, Some(1), "{}: {ended:?}", archive.display());
        assert!(ended.stderr.contains("nothing was restored"), "{}", ended.stderr);
        assert!(names(&new.directories.config).is_empty() && names(&new.directories.state).is_empty());
        assert!(!new.directories.config.with_file_name("escaped").exists());
    }
}
