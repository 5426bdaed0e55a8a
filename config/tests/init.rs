//! `init` on real directories.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use smp_config::certificates::{Credentials, SignAlgorithm};
use smp_config::init::{InitError, initialize};
use smp_config::init_options::{InitOptions, PasswordChoice};
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_protocol::password::Password;

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_server_has_every_file_and_starts() {
    let parent = tempfile::tempdir().unwrap();
    let directories = Directories::below(&parent.path().join("not/there/yet"));
    let options = InitOptions {
        fqdn: Some("smp.example.org".into()),
        sign_algorithm: SignAlgorithm::Ed448,
        control_port: Some(5224),
        ..InitOptions::default()
    };
    let made = initialize(&directories, &options).unwrap();

    assert_eq!(
        names(&directories.config),
        [
            "ca.crt",
            "ca.key",
            "ca.srl",
            "fingerprint",
            "openssl_ca.conf",
            "openssl_server.conf",
            "server.crt",
            "server.csr",
            "server.key",
            "smp-server.ini"
        ]
    );
    assert_eq!(names(&directories.state), [""; 0]);
    for secret in [directories.ca_key(), directories.server_key(), directories.ini()] {
        assert_eq!(fs::metadata(secret).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let credentials = Credentials::load(&directories).unwrap();
    assert_eq!((credentials.identity, credentials.key.algorithm()), (made.identity, SignAlgorithm::Ed448));

    let (settings, warnings) = Settings::load(&directories).unwrap();
    assert_eq!(warnings.len(), 2, "web certificate and key are missing: {warnings:?}");
    assert_eq!(settings.address(credentials.identity), made.address);
    assert_eq!(made.address.password.unwrap().expose().len(), 44);
    let (admin, user) = (settings.auth.control_port_admin_password, settings.auth.control_port_user_password);
    assert!(admin != user && admin.unwrap().expose().len() == 24 && user.unwrap().expose().len() == 24);
}

#[test]
fn passwords_are_as_chosen() {
    for (choice, expected) in
        [(PasswordChoice::None, None), (PasswordChoice::Given("my-password".parse().unwrap()), Some("my-password"))]
    {
        let parent = tempfile::tempdir().unwrap();
        let directories = Directories::below(parent.path());
        let made = initialize(&directories, &InitOptions { password: choice, ..InitOptions::default() }).unwrap();
        assert_eq!(made.address.password.as_ref().map(Password::expose), expected);
        assert!(made.address.to_string().ends_with("@<hostnames>"));
        assert_eq!(Settings::load(&directories).unwrap().0.auth.create_password, made.address.password);
    }
}

#[test]
fn nothing_that_is_there_is_touched() {
    type Locate = fn(&Directories) -> PathBuf;
    let in_the_way: [Locate; 5] = [
        |directories| directories.ini(),
        |directories| directories.ca_key(),
        |directories| directories.server_certificate(),
        |directories| directories.store_log(),
        |directories| directories.journal(),
    ];
    for path in in_the_way {
        let parent = tempfile::tempdir().unwrap();
        let directories = Directories::below(parent.path());
        let path = path(&directories);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "old").unwrap();
        let error = initialize(&directories, &InitOptions::default()).unwrap_err();
        assert!(matches!(&error, InitError::AlreadyInitialized(named) | InitError::Leftover(named) if *named == path));
        assert!(error.to_string().contains(path.to_str().unwrap()));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(path.parent().unwrap()).len(), 1);
    }
}

#[test]
fn web_certificates_put_in_place_before_stay() {
    let parent = tempfile::tempdir().unwrap();
    let directories = Directories::below(parent.path());
    fs::create_dir_all(&directories.config).unwrap();
    fs::write(directories.web_certificate(), "certificate").unwrap();
    fs::write(directories.web_key(), "key").unwrap();
    initialize(&directories, &InitOptions::default()).unwrap();
    assert_eq!(fs::read(directories.web_certificate()).unwrap(), b"certificate");
    assert_eq!(Settings::load(&directories).unwrap().1, []);
}

#[test]
fn bad_options_write_nothing() {
    let long = "x".repeat(65);
    for fqdn in ["a b", "a\nb", "", long.as_str()] {
        let parent = tempfile::tempdir().unwrap();
        let directories = Directories::below(parent.path());
        let options = InitOptions { fqdn: Some(fqdn.to_owned()), ..InitOptions::default() };
        initialize(&directories, &options).unwrap_err();
        assert_eq!(names(parent.path()), [""; 0]);
    }
}
