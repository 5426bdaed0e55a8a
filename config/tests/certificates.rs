//! Certificates as files: made, rotated and loaded here, examined and made by the `openssl` command.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use smp_config::certificates::{CertificateError, Credentials, NewChain, Rotation, SignAlgorithm, rotate};
use smp_config::paths::Directories;
use tempfile::TempDir;

const ALGORITHMS: [SignAlgorithm; 2] = [SignAlgorithm::Ed25519, SignAlgorithm::Ed448];

fn openssl(directory: &Path, arguments: &str) -> String {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .output()
        .expect("these tests need the openssl command");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn directories() -> (TempDir, Directories) {
    let parent = tempfile::tempdir().unwrap();
    let directories = Directories::below(parent.path());
    fs::create_dir(&directories.config).unwrap();
    (parent, directories)
}

fn new_chain(algorithm: SignAlgorithm) -> (TempDir, Directories) {
    let (parent, directories) = directories();
    NewChain::generate(algorithm, "smp.example.org").unwrap().write(&directories).unwrap();
    (parent, directories)
}

fn reference_chain() -> (TempDir, Directories) {
    let (parent, directories) = directories();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference-6.5.5/cfg");
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), directories.config.join(entry.file_name())).unwrap();
    }
    (parent, directories)
}

/// The chain as the reference makes it: with the openssl command and the two configuration files.
fn openssl_chain(algorithm: SignAlgorithm) -> (TempDir, Directories) {
    let (parent, directories) = new_chain(SignAlgorithm::Ed25519);
    let here = &directories.config;
    openssl(here, &format!("genpkey -algorithm {algorithm} -out ca.key"));
    openssl(here, "req -new -x509 -days 999999 -config openssl_ca.conf -extensions v3 -key ca.key -out ca.crt");
    openssl_leaf(here, algorithm);
    let fingerprint = NewChain::generate(algorithm, "x").unwrap().identity();
    fs::write(directories.fingerprint(), format!("{fingerprint}\n")).unwrap();
    (parent, directories)
}

fn openssl_leaf(here: &Path, algorithm: SignAlgorithm) {
    openssl(here, &format!("genpkey -algorithm {algorithm} -out server.key"));
    openssl(here, "req -new -config openssl_server.conf -reqexts v3 -key server.key -out server.csr");
    openssl(
        here,
        "x509 -req -days 999999 -extfile openssl_server.conf -extensions v3 -in server.csr -CA ca.crt -CAkey ca.key \
         -CAcreateserial -out server.crt",
    );
}

fn load_error(directories: &Directories) -> String {
    Credentials::load(directories).unwrap_err().to_string()
}

/// The text of a certificate without what differs from one to the next: numbers, keys, times, signature.
fn shape(text: &str) -> String {
    let is_bytes = |line: &str| {
        let line = line.trim();
        !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
    };
    let lines = text.lines().filter(|line| !is_bytes(line) && !line.contains("Not "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_profile_is_what_openssl_makes_of_the_same_configuration() {
    for algorithm in ALGORITHMS {
        let (_ours, ours) = new_chain(algorithm);
        let (_theirs, theirs) = openssl_chain(algorithm);
        for name in ["ca.crt", "server.crt"] {
            let text = |directories: &Directories| {
                shape(&openssl(
                    &directories.config,
                    &format!("x509 -in {name} -noout -text -nameopt RFC2253,show_type"),
                ))
            };
            assert_eq!(text(&ours), text(&theirs));
        }
        let text = |directories: &Directories| {
            shape(&openssl(&directories.config, "req -in server.csr -noout -text -verify -nameopt RFC2253,show_type"))
        };
        assert_eq!(text(&ours), text(&theirs));
    }
}

#[test]
fn the_profile_is_that_of_the_reference() {
    let (_theirs, theirs) = reference_chain();
    let (_ours, ours) = directories();
    NewChain::generate(SignAlgorithm::Ed25519, "127.0.0.1").unwrap().write(&ours).unwrap();
    for name in ["ca.crt", "server.crt"] {
        let text = |directories: &Directories| {
            shape(&openssl(&directories.config, &format!("x509 -in {name} -noout -text -nameopt RFC2253,show_type")))
        };
        assert_eq!(text(&ours), text(&theirs));
    }
}

#[test]
fn openssl_accepts_keys_and_chain() {
    for algorithm in ALGORITHMS {
        let (_parent, directories) = new_chain(algorithm);
        let here = &directories.config;
        openssl(here, "verify -check_ss_sig -CAfile ca.crt server.crt");
        for (key, certificate) in [("ca.key", "ca.crt"), ("server.key", "server.crt")] {
            let of_key = openssl(here, &format!("pkey -in {key} -pubout"));
            assert_eq!(of_key, openssl(here, &format!("x509 -in {certificate} -noout -pubkey")));
            assert!(openssl(here, &format!("pkey -in {key} -noout -text")).starts_with(&algorithm.to_string()));
            assert_eq!(fs::metadata(here.join(key)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let end = openssl(here, "x509 -in server.crt -noout -enddate");
        assert!(end.contains("GMT") && end.split(' ').any(|word| word.starts_with("47")), "{end}");
        let serial = openssl(here, "x509 -in server.crt -noout -serial");
        assert_eq!(
            serial.trim().trim_start_matches("serial="),
            fs::read_to_string(directories.ca_serial()).unwrap().trim()
        );
    }
}

#[test]
fn written_chains_load() {
    for algorithm in ALGORITHMS {
        let (_parent, directories) = directories();
        let chain = NewChain::generate(algorithm, "192.0.2.7").unwrap();
        chain.write(&directories).unwrap();
        let loaded = Credentials::load(&directories).unwrap();
        assert_eq!(loaded.identity, chain.identity());
        assert_eq!(loaded.chain, chain.credentials().chain);
        assert!(loaded.key == chain.credentials().key && loaded.key.algorithm() == algorithm);
        assert_eq!(fs::read_to_string(directories.fingerprint()).unwrap(), format!("{}\n", chain.identity()));
    }
}

#[test]
fn credentials_of_the_reference_load_and_rotate() {
    let (_parent, directories) = reference_chain();
    let old = Credentials::load(&directories).unwrap();
    assert_eq!(old.identity.to_string(), "rDuU7gVvQQulEHkZ4LsiH-nqhnyFvnlL2v4XaOiiG2U=");

    assert_eq!(rotate(&directories, &Rotation::default()).unwrap(), old.identity);
    let new = Credentials::load(&directories).unwrap();
    assert_eq!(new.identity, old.identity);
    assert_eq!(new.chain[1], old.chain[1]);
    assert!(new.chain[0] != old.chain[0] && new.key != old.key);
    openssl(&directories.config, "verify -CAfile ca.crt server.crt");
    assert!(openssl(&directories.config, "x509 -in server.crt -noout -subject").ends_with("CN = 127.0.0.1\n"));
}

#[test]
fn chains_made_by_openssl_rotate_with_any_mix_of_algorithms() {
    for ca in ALGORITHMS {
        for leaf in ALGORITHMS {
            let (_parent, directories) = openssl_chain(ca);
            let rotation = Rotation { algorithm: Some(leaf), common_name: Some("new.example.org".to_owned()) };
            rotate(&directories, &rotation).unwrap();
            let here = &directories.config;
            openssl(here, "verify -CAfile ca.crt server.crt");
            let text = openssl(here, "x509 -in server.crt -noout -text");
            assert!(text.contains("CN = new.example.org") && text.contains(&format!("{leaf} Public-Key")));
            assert_eq!(Credentials::load(&directories).unwrap().key.algorithm(), leaf);
        }
    }
}

#[test]
fn serial_numbers_count_up_whoever_issues() {
    let (_parent, directories) = new_chain(SignAlgorithm::Ed25519);
    let serial = || fs::read_to_string(directories.ca_serial()).unwrap();
    fs::write(directories.ca_serial(), "0FFE\n").unwrap();
    rotate(&directories, &Rotation::default()).unwrap();
    assert_eq!(serial(), "0FFF\n");
    openssl_leaf(&directories.config, SignAlgorithm::Ed25519);
    assert_eq!(serial(), "1000\n");
    rotate(&directories, &Rotation::default()).unwrap();
    assert_eq!(serial(), "1001\n");
    assert!(openssl(&directories.config, "x509 -in server.crt -noout -serial").ends_with("1001\n"));
}

#[test]
fn rotation_without_the_ca_key_changes_nothing() {
    let (_parent, directories) = new_chain(SignAlgorithm::Ed25519);
    fs::remove_file(directories.ca_key()).unwrap();
    let before = snapshot(&directories.config);
    let error = rotate(&directories, &Rotation::default()).unwrap_err();
    assert!(matches!(&error, CertificateError::NoCaKey(path) if *path == directories.ca_key()));
    assert_eq!(snapshot(&directories.config), before);
}

#[test]
fn rotation_names_what_is_wrong() {
    type Spoil = fn(&Directories);
    let cases: [(Spoil, &str); 5] = [
        (|d| fs::rename(d.server_key(), d.ca_key()).unwrap(), "does not belong to the certificate"),
        (|d| fs::write(d.ca_key(), "").unwrap(), "ca.key: no private key found; copy it there again"),
        // There are no settings that could tell a name.
        (|d| fs::write(d.server_certificate(), "").unwrap(), "give one with `smp-server cert --cn NAME`"),
        (|d| fs::write(d.ca_serial(), "xyz").unwrap(), "ca.srl: invalid serial number"),
        (|d| fs::remove_file(d.ca_certificate()).unwrap(), "cannot read "),
    ];
    for (spoil, message) in cases {
        let (_parent, directories) = new_chain(SignAlgorithm::Ed25519);
        spoil(&directories);
        let before = snapshot(&directories.config);
        let error = rotate(&directories, &Rotation::default()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(snapshot(&directories.config), before);
    }
}

#[test]
fn loading_names_what_is_wrong() {
    type Spoil = fn(&Directories);
    let cases: [(Spoil, &str); 13] = [
        (
            |d| fs::write(d.fingerprint(), "d5fcsc7hhtPpexYUbI2XPxDbyU2d3WsVmROimcL90ss=\n").unwrap(),
            "Stored fingerprint is invalid.",
        ),
        (|d| fs::write(d.fingerprint(), "x\n").unwrap(), "fingerprint holds no fingerprint; "),
        (|d| fs::remove_file(d.fingerprint()).unwrap(), "fingerprint holds no fingerprint; "),
        (|d| fs::remove_file(d.server_key()).unwrap(), "server.key: No such file"),
        (|d| fs::remove_file(d.server_certificate()).unwrap(), "server.crt: No such file"),
        (|d| fs::write(d.ca_certificate(), "").unwrap(), "No certificate found at "),
        (|d| fs::write(d.server_certificate(), pem_of(b"nonsense")).unwrap(), "server.crt: invalid certificate: "),
        (|d| fs::write(d.server_certificate(), "-----BEGIN CERTIFICATE-----\n*").unwrap(), "server.crt: invalid PEM: "),
        (|d| drop(openssl(&d.config, "genpkey -algorithm RSA -out server.key")), "unexpected key algorithm"),
        (|d| drop(openssl(&d.config, "genpkey -algorithm ED25519 -out server.key")), "invalid credential: the key in "),
        (make_rsa_leaf, "Unexpected signature algorithm 1.2.840.113549.1.1.1"),
        (make_foreign_leaf, "was not issued by"),
        (|d| double(&d.server_certificate()), "and at most two more"),
    ];
    for (spoil, message) in cases {
        let (_parent, directories) = new_chain(SignAlgorithm::Ed25519);
        spoil(&directories);
        let error = load_error(&directories);
        assert!(error.contains(message) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn the_chain_has_two_to_four_certificates() {
    for copies in 0..=3 {
        let (_parent, directories) = new_chain(SignAlgorithm::Ed448);
        let leaf = fs::read_to_string(directories.server_certificate()).unwrap();
        let ca = fs::read_to_string(directories.ca_certificate()).unwrap();
        fs::write(directories.server_certificate(), leaf + &ca.repeat(copies)).unwrap();
        let loaded = Credentials::load(&directories);
        if copies == 3 {
            assert!(matches!(loaded, Err(CertificateError::ChainShape { .. })));
        } else {
            assert_eq!(loaded.unwrap().chain.len(), 2 + copies);
        }
    }
}

fn make_rsa_leaf(directories: &Directories) {
    openssl(&directories.config, "req -x509 -newkey rsa:2048 -nodes -subj /CN=a -keyout server.key -out server.crt");
}

fn make_foreign_leaf(directories: &Directories) {
    openssl(&directories.config, "req -x509 -newkey ed25519 -nodes -subj /CN=a -keyout server.key -out server.crt");
}

fn double(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, text.repeat(2)).unwrap();
}

fn pem_of(bytes: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn snapshot(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}
