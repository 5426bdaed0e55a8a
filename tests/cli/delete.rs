//! `delete`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{Ended, Place, Program, names};

#[test]
fn only_a_capital_y_deletes() {
    let place = Place::with_server();
    let before = place.snapshot();
    for answer in ["y\n", "\n", "n\n", "yes\n", "Yes\n", " Y\n", "Y \n"] {
        let ended = place.answer(["delete"], answer);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{answer:?}");
        assert!(ended.stdout.starts_with("WARNING: "), "{ended:#?}");
        assert!(ended.stdout.contains("THIS CANNOT BE UNDONE!\nContinue (Y/n): Server NOT deleted\n"), "{ended:#?}");
        assert_eq!(place.snapshot(), before, "{answer:?}");
    }
    let ended = place.answer(["delete"], "Y\n");
    assert!(ended.succeeded().stdout.ends_with("Continue (Y/n): Deleted configuration and log files\n"), "{ended:#?}");
    assert!(!place.directories.config.exists() && !place.directories.state.exists());
}

#[test]
fn the_warning_names_the_directories() {
    let place = Place::empty();
    let Ended { stdout, .. } = place.answer(["delete"], "n\n");
    for directory in [&place.directories.config, &place.directories.state] {
        assert!(stdout.contains(directory.to_str().unwrap()), "{stdout}");
    }
}

#[test]
fn the_end_of_input_deletes_nothing() {
    let place = Place::with_server();
    let before = place.snapshot();
    let ended = place.answer(["delete"], "");
    let text = "Error: server NOT deleted: standard input ended before the answer\n";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), text));
    assert_eq!(place.snapshot(), before);
}

#[test]
fn what_does_not_exist_is_deleted_already() {
    let place = Place::empty();
    place.answer(["delete"], "Y\n").succeeded();
}

#[test]
fn a_directory_in_the_possession_of_another_user_is_emptied() {
    let place = Place::with_server();
    fs::create_dir(place.directories.state.join("www")).unwrap();
    fs::write(place.directories.state.join("www/index.html"), "page").unwrap();
    let parent = place.directories.config.parent().unwrap();
    fs::set_permissions(parent, fs::Permissions::from_mode(0o500)).unwrap();
    let ended = Program::start(&mut place.command_without_privileges(["delete"]), "Y\n").end();
    fs::set_permissions(parent, fs::Permissions::from_mode(0o700)).unwrap();
    ended.succeeded();
    assert!(names(&place.directories.config).is_empty() && place.directories.config.exists());
    assert!(names(&place.directories.state).is_empty() && place.directories.state.exists());
}

#[test]
fn symbolic_links_are_removed_and_not_followed() {
    let place = Place::with_server();
    let outside = place.directories.config.parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "kept").unwrap();
    symlink(&outside, place.directories.state.join("link")).unwrap();
    place.answer(["delete"], "Y\n").succeeded();
    assert_eq!(names(&outside), ["kept"]);
}

#[test]
fn a_directory_that_cannot_be_emptied_is_named() {
    let place = Place::with_server();
    fs::set_permissions(&place.directories.config, fs::Permissions::from_mode(0o500)).unwrap();
    let ended = Program::start(&mut place.command_without_privileges(["delete"]), "Y\n").end();
    assert_eq!(ended.code, Some(1));
    let start = format!("Error: cannot remove {}: Permission denied", place.directories.config.display());
    assert!(ended.stderr.starts_with(&start), "{ended:#?}");
}
