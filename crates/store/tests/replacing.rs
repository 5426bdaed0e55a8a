//! What replacing a file leaves as the operator made it: links, devices, mode, owner and group.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::Arc;

use smp_store::atomic_file::{AtomicFile, remove_leftovers};
use smp_store::files::RealFiles;

fn new_content(path: &Path, content: &str) -> AtomicFile {
    let mut file = AtomicFile::create(Arc::new(RealFiles), path).unwrap();
    file.write(|out| out.extend_from_slice(content.as_bytes())).unwrap();
    file
}

#[test]
fn links_stay_and_what_they_lead_to_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let volume = directory.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let (link, second) = (directory.path().join("link"), volume.join("second"));
    symlink("volume/second", &link).unwrap();
    symlink("target", &second).unwrap();
    // At first they lead to nothing.
    for content in ["one", "two"] {
        new_content(&link, content).commit().unwrap();
        assert_eq!(fs::read_to_string(volume.join("target")).unwrap(), content);
        assert!(link.is_symlink() && second.is_symlink());
        assert_eq!(fs::read_dir(&volume).unwrap().count(), 2, "nothing is left beside it");
    }
    let circle = directory.path().join("circle");
    symlink("circle", &circle).unwrap();
    let error = AtomicFile::create(Arc::new(RealFiles), &circle).err().unwrap().to_string();
    assert!(error.contains("circle"), "{error}");
}

#[test]
fn a_device_is_written_to() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    symlink("/dev/null", &link).unwrap();
    new_content(&link, "content").commit_unsynced().unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file() && link.is_symlink());
}

#[test]
fn mode_owner_and_group_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "old").unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(&path, Some(12345), Some(54321)).unwrap();
    }
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let facts = |metadata: fs::Metadata| (metadata.mode(), metadata.uid(), metadata.gid());
    let before = facts(fs::metadata(&path).unwrap());
    new_content(&path, "new").commit().unwrap();
    assert_eq!(facts(fs::metadata(&path).unwrap()), before);
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn writers_of_one_file_do_not_meet() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let (first, second) = (new_content(&path, "first"), new_content(&path, "second"));
    second.commit().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "second");
    first.commit().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first");

    std::mem::forget(new_content(&path, "of a process that was killed"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    remove_leftovers(&RealFiles, &path).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}
