//! `password`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use smp_config::settings::Settings;

use crate::support::Place;

fn password(place: &Place) -> Option<String> {
    let (settings, _) = Settings::load(&place.directories).unwrap();
    settings.auth.create_password.map(|password| password.expose().to_owned())
}

#[test]
fn only_the_password_changes() {
    let place = Place::with_server();
    let before = place.ini();
    let made = password(&place).expect("init makes one");
    let ended = place.run(["password", "--password", "another"]);
    let text = &ended.succeeded().stdout;
    assert!(text.contains(":another@smp.example.org") && text.contains("systemctl reload"), "{text}");
    assert_eq!(place.ini(), before.replace(&made, "another"));
    assert_eq!(fs::metadata(place.directories.ini()).unwrap().permissions().mode() & 0o777, 0o600);

    place.run(["password", "--random"]).succeeded();
    assert_eq!(password(&place).unwrap().len(), 44);
    let ended = place.run(["password", "--none"]);
    assert!(!ended.succeeded().stdout.contains(":another@"));
    assert_eq!(password(&place), None);
    // Comments and all other settings are still there.
    place.run(["password", "--password", &made]).succeeded();
    assert_eq!(place.ini(), before);
}

#[test]
fn it_is_asked_for() {
    let place = Place::with_server();
    let ended = place.answer(["password"], "not@allowed\ntyped\n");
    assert!(ended.succeeded().stdout.contains("Invalid password. a password cannot contain '@'"), "{ended:?}");
    assert_eq!(password(&place).as_deref(), Some("typed"));
    let ended = place.answer(["password"], "");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("password NOT changed") && ended.stderr.contains("--random"), "{}", ended.stderr);
    assert_eq!(password(&place).as_deref(), Some("typed"));
}

#[test]
fn what_cannot_be_changed_stays() {
    let place = Place::with_server();
    let before = place.snapshot();
    for (arguments, complaint) in [
        (&["password", "--password", "a b"][..], "a password cannot contain ' '"),
        (&["password", "--random", "--none"], "cannot be used with"),
    ] {
        let ended = place.run(arguments.iter().copied());
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(complaint), "{}", ended.stderr);
    }
    assert_eq!(place.snapshot(), before);
    // Nobody knows which of the two is meant.
    place.write_ini(place.ini().replace("[AUTH]\n", "[AUTH]\ncreate_password: one\n"));
    let ended = place.run(["password", "--none"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("create_password in section [AUTH] is set in line "), "{}", ended.stderr);
    assert_eq!(Place::empty().run(["password", "--none"]).code, Some(1));
}
