//! `cert`.

use std::fs;

use smp_config::certificates::{Credentials, SignAlgorithm};

use crate::support::{Ended, Place};

/// What is told when there is no server.
fn not_initialized(place: &Place) -> Ended {
    let ini = place.directories.ini();
    let stdout =
        format!("Error: server is not initialized ({} does not exist).\nRun `smp-server init`.\n", ini.display());
    Ended { code: Some(1), stdout, stderr: String::new() }
}

#[test]
fn the_certificate_is_new_and_the_server_is_the_same() {
    let place = Place::with_server();
    let read = |name: &str| fs::read(place.directories.config.join(name)).unwrap();
    for (options, algorithm, name) in [
        (&[][..], SignAlgorithm::Ed25519, "smp.example.org"),
        (&["-a", "ED448"], SignAlgorithm::Ed448, "smp.example.org"),
        (&["--cn", "smp.example.net"], SignAlgorithm::Ed25519, "smp.example.net"),
        (&["--cn=192.0.2.1", "--sign-algorithm=ED448"], SignAlgorithm::Ed448, "192.0.2.1"),
    ] {
        let kept = ["ca.key", "ca.crt", "fingerprint", "smp-server.ini", "openssl_ca.conf"];
        let replaced = ["server.key", "server.crt", "server.csr", "ca.srl"];
        let (kept_before, replaced_before) = (kept.map(read), replaced.map(read));
        let ended = place.run(["cert"].into_iter().chain(options.iter().copied()));

        let text: Vec<_> = ended.succeeded().stdout.lines().collect();
        assert_eq!(text[..2], ["Generated new server credentials", "----------"]);
        let ca_key = place.directories.ca_key();
        assert_eq!(text[text.len() - 3..], ["CA private key location:", ca_key.to_str().unwrap(), "----------"]);

        assert_eq!(kept.map(read), kept_before);
        for (name, before) in replaced.iter().zip(&replaced_before) {
            assert_ne!(&read(name), before, "{name} is new");
        }
        // Checks that the CA issued it and that the key belongs to it.
        assert_eq!(Credentials::load(&place.directories).unwrap().key.algorithm(), algorithm);
        assert_eq!(place.certificate_subject(), format!("subject=CN = {name}"));
    }
    assert_eq!(place.start_and_stop([]).code, Some(0));
}

type Change = fn(&Place);

#[test]
fn nothing_is_replaced_unless_all_can_be() {
    let failures: [(Change, &[&str], &str); 3] = [
        (
            |place| fs::remove_file(place.directories.ca_key()).unwrap(),
            &[],
            "CA private key {cfg}/ca.key not found: copy it there",
        ),
        (|_| (), &["--cn", ""], "invalid certificate name \"\""),
        (|place| fs::remove_file(place.directories.ca_certificate()).unwrap(), &[], "cannot read {cfg}/ca.crt: "),
    ];
    for (change, options, text) in failures {
        let place = Place::with_server();
        change(&place);
        let before = place.snapshot();
        let ended = place.run(["cert"].into_iter().chain(options.iter().copied()));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        let text = text.replace("{cfg}", place.directories.config.to_str().unwrap());
        assert!(ended.stderr.starts_with(&format!("Error: {text}")), "{ended:#?}");
        assert_eq!(place.snapshot(), before, "{text}");
    }
}

#[test]
fn there_must_be_a_server() {
    let place = Place::empty();
    assert_eq!(place.run(["cert"]), not_initialized(&place));
    assert!(!place.directories.config.exists());
}
