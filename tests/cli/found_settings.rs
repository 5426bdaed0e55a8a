//! Settings as people have them, found in packages, scripts and questions: they keep working, or it is said what is wrong.

use crate::support::{Ended, Place};

const ADDRESS: &str = "Server address: smp://";

/// Loads a server with these settings; its ports are not opened.
fn start(settings: &str) -> (Place, Ended) {
    let place = Place::with_server();
    place.write_ini(settings.replace("/var/opt/simplex", place.directories.state.to_str().unwrap()));
    let ended = place.run(["start", "--maintenance"]);
    (place, ended)
}

/// What a server says that does not start.
fn refusal(settings: &str) -> String {
    let (place, ended) = start(settings);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    ended.stderr.replace(&format!("{}/", place.directories.config.display()), "")
}

#[test]
fn they_start_as_they_are() {
    for (settings, end, password) in [
        (include_str!("found_settings/from-environment.ini"), "@192.0.2.5", true),
        (include_str!("found_settings/home-server-onion.ini"), ":pa$$w0rd!%&*@<hostnames>", true),
        (include_str!("found_settings/nas-container.ini"), "=@192.0.2.7", false),
        (include_str!("found_settings/patched-by-script.ini"), ":0123456789abcdef@relay.example.net", true),
        (include_str!("found_settings/smart-home-addon.ini"), ":hunter-two@relay.example.org", true),
        (include_str!("found_settings/port-443-only.ini"), "=@relay.example.org:443", false),
        // The second section adds to the first, and does not replace it.
        (include_str!("found_settings/auth-appended-twice.ini"), ":hunter-two@relay.example.org", true),
        (include_str!("found_settings/transport-appended-twice.ini"), "=@relay.example.org", false),
    ] {
        let (_, ended) = start(settings);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let address = ended.stdout.lines().find(|line| line.starts_with(ADDRESS));
        assert!(address.is_some_and(|address| address.ends_with(end)), "{address:?}");
        let creating = if password { "creating new queues requires password" } else { "creating new queues allowed" };
        assert!(ended.stdout.contains(creating), "{ended:#?}");
        assert!(!ended.stderr.contains("unknown key") && !ended.stderr.contains(" ignored"), "{ended:#?}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (settings, says) in [
        (
            include_str!("found_settings/invented-sections.ini"),
            &["no key port", "port in [SERVER], line 2", "host in [SERVER], line 3"][..],
        ),
        (include_str!("found_settings/quoted-host.ini"), &["smp-server.ini:4", "without quotes"]),
        (include_str!("found_settings/websockets-zero.ini"), &["smp-server.ini:6", "on, off, or ports from 1"]),
    ] {
        let refusal = refusal(settings);
        for words in says {
            assert!(refusal.contains(words), "{words}: {refusal}");
        }
    }
}

#[test]
fn a_lost_header_is_noticed() {
    let (_, ended) = start(include_str!("found_settings/section-header-lost.ini"));
    for words in ["enable in section [INFORMATION]", "belongs to section [STORE_LOG]", "will not survive a restart"] {
        assert!(ended.stderr.contains(words), "{words}: {ended:#?}");
    }
}
