//! `init -y`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use smp_config::certificates::{Credentials, SignAlgorithm};
use smp_config::settings::Settings;

use crate::support::{Ended, Place, Program, lines, names};

const FILES: [&str; 10] = [
    "ca.crt",
    "ca.key",
    "ca.srl",
    "fingerprint",
    "openssl_ca.conf",
    "openssl_server.conf",
    "server.crt",
    "server.csr",
    "server.key",
    "smp-server.ini",
];

/// Lines that the INI file must have; each begins a line, so that `key = ` also says that the key is set.
type Expected = &'static [&'static str];

const SOURCE: &str = "--source-code=https://example.org/source";

/// Options of `init -y`, and what they write.
const OPTIONS: [(&[&str], Expected); 33] = [
    (
        &[],
        &[
            "enable = on",
            "restore_messages = on",
            "log_stats = off",
            "host = <hostnames>",
            "port = 5223,443",
            "https = 443",
            "create_password = ",
            "# control_port = 5224",
            "# control_port_admin_password = ",
            "# db_connection = postgresql://smp@/smp_server_store",
            "# db_schema = smp_server",
            "# db_pool_size = 10",
            "# source_code = ",
            "# socks_proxy = 127.0.0.1:9050",
            "# own_server_domains = ",
        ],
    ),
    (&["-l"], &["enable = on", "restore_messages = on", "log_stats = off"]),
    (&["-ls"], &["enable = on", "log_stats = on"]),
    (&["-sl"], &["enable = on", "log_stats = on"]),
    (&["--store-log", "--daily-stats"], &["enable = on", "log_stats = on"]),
    (&["--disable-store-log"], &["enable = off", "restore_messages = off"]),
    (&["--ip", "192.168.1.5"], &["host = 192.168.1.5"]),
    (&["--ip=127.0.0.1"], &["host = <hostnames>"]),
    (&["-n", "smp.example.org", "--ip", "192.0.2.1"], &["host = smp.example.org"]),
    (&["-nsmp.example.org"], &["host = smp.example.org"]),
    (&["--fqdn=smp.example.org"], &["host = smp.example.org"]),
    (&["--no-password"], &["# create_password = "]),
    (&["--password", "test"], &["create_password = test\n"]),
    (&["--password=#1=%!"], &["create_password = #1=%!\n"]),
    (
        &["-d", "host=/run dbname=smp", "--schema=other"],
        &["db_connection = host=/run dbname=smp\n", "db_schema = other\n"],
    ),
    (
        &["--database=postgresql://a@/b", "--pool-size", "3"],
        &["db_connection = postgresql://a@/b\n", "db_pool_size = 3\n"],
    ),
    (
        &["--control-port"],
        &["control_port = 5224\n", "control_port_admin_password = ", "control_port_user_password = "],
    ),
    (&["--control-port=5225"], &["control_port = 5225\n"]),
    (&["--control-port", "5226"], &["control_port = 5226\n"]),
    (&["--control-port", "-l"], &["control_port = 5224\n"]),
    (&["--socks-proxy"], &["socks_proxy = 127.0.0.1:9050\n"]),
    (&["--socks-proxy=192.0.2.1:9051"], &["socks_proxy = 192.0.2.1:9051\n"]),
    (&["--socks-proxy", "user:pass@192.0.2.1"], &["socks_proxy = user:pass@192.0.2.1\n"]),
    (&["--own-domains=example.org,example.net"], &["own_server_domains = example.org example.net\n"]),
    (&["--own-domains", "example.org"], &["own_server_domains = example.org\n"]),
    (&["--source-code"], &["source_code = https://github.com/simplex-chat/simplexmq\n"]),
    (&[SOURCE], &["source_code = https://example.org/source\n"]),
    (
        &[SOURCE, "--operator", "Some Body", "--operator-country=cz", "--operator-website", "https://example.org"],
        &["operator = Some Body\n", "operator_country = CZ\n", "website = https://example.org\n"],
    ),
    (
        &[SOURCE, "--hosting=Some Host", "--hosting-country", "DE", "--hosting-type=owned", "--server-country", "fr"],
        &["hosting = Some Host\n", "hosting_country = DE\n", "hosting_type = owned\n", "server_country = FR\n"],
    ),
    (&[SOURCE, "--hosting-type", "colocation"], &["hosting_type = colocation\n"]),
    (&["--web-path", "/srv/www"], &["static_path = /srv/www\n"]),
    (&["--disable-web"], &["# https = 443", "# cert = ", "# key = ", "static_path = "]),
    (&["+RTS", "-N", "-RTS", "--disable-web"], &["# https = 443"]),
];

#[test]
fn every_option_is_written_to_the_ini_file() {
    for (options, expected) in OPTIONS {
        let place = Place::empty();
        place.run(["init", "-y"].into_iter().chain(options.iter().copied())).succeeded();
        let ini = place.ini();
        for line in expected {
            assert!(ini.contains(&format!("\n{line}")), "{options:?} write {line:?}:\n{ini}");
        }
        assert!(Settings::load(&place.directories).is_ok(), "{options:?} can be read back");
    }
}

#[test]
fn it_says_what_it_made() {
    let place = Place::empty();
    let ended = place.run(["init", "-y", "--fqdn", "smp.example.org", "--password", "my-password"]);
    let fingerprint = fs::read_to_string(place.directories.fingerprint()).unwrap();
    let fingerprint = fingerprint.trim_end();
    let text = lines(&ended.succeeded().stdout);
    let version = place.run(["-v"]).stdout;
    assert_eq!(
        text[..3],
        [
            &format!(
                "Server initialized, please provide additional server information in {}.",
                place.directories.ini().display()
            ),
            "Run `smp-server start` to start server.",
            "----------",
        ]
    );
    assert_eq!(
        text[text.len() - 8..],
        [
            "CA private key location:",
            place.directories.ca_key().to_str().unwrap(),
            "----------",
            version.trim_end_matches('\n'),
            &format!("Fingerprint: {fingerprint}"),
            &format!("Server address: smp://{fingerprint}:my-password@smp.example.org"),
            "Warning: server source code is not specified.",
            "Add 'source_code' property to [INFORMATION] section of INI file.",
        ]
    );
    assert_eq!(fingerprint.len(), 44);
    assert_eq!(ended.stdout.matches("my-password").count(), 1, "the password is in the address and nowhere else");
}

#[test]
fn the_address_has_the_host_that_was_given() {
    for (options, end) in [
        (&["--no-password"][..], "=@<hostnames>"),
        (&["--no-password", "--ip", "192.0.2.1"], "=@192.0.2.1"),
        (&["--no-password", "--ip", "2001:db8::1"], "=@[2001:db8::1]"),
        (&["--password=test", "--ip", "192.168.1.5"], "=:test@192.168.1.5"),
        (&["--password=test", "--ip", "192.168.1.5", "-n", "smp.example.org"], "=:test@smp.example.org"),
    ] {
        let ended = Place::empty().run(["init", "-y"].into_iter().chain(options.iter().copied()));
        let address = ended.stdout.lines().find_map(|line| line.strip_prefix("Server address: ")).unwrap();
        assert!(address.starts_with("smp://") && address.ends_with(end), "{address}");
    }
}

#[test]
fn random_passwords_have_the_documented_lengths() {
    let place = Place::empty();
    let ended = place.run(["init", "-y", "--control-port"]);
    let auth = Settings::load(&place.directories).unwrap().0.auth;
    for password in [&auth.control_port_admin_password, &auth.control_port_user_password].into_iter().flatten() {
        assert!(!ended.succeeded().stdout.contains(password.expose()), "these are for the operator alone");
    }
    let length = |password: Option<smp_protocol::password::Password>| password.map(|password| password.expose().len());
    assert_eq!(length(auth.create_password), Some(44));
    assert_eq!(length(auth.control_port_admin_password), Some(24));
    assert_eq!(length(auth.control_port_user_password), Some(24));
}

#[test]
fn the_name_and_the_algorithm_are_in_the_certificate() {
    for (options, algorithm, name) in [
        (&["-a", "ED448", "--fqdn=smp.example.org"][..], SignAlgorithm::Ed448, "smp.example.org"),
        (&["--sign-algorithm=ED25519", "--ip", "192.0.2.1"], SignAlgorithm::Ed25519, "192.0.2.1"),
        (&[], SignAlgorithm::Ed25519, "127.0.0.1"),
    ] {
        let place = Place::empty();
        place.run(["init", "-y"].into_iter().chain(options.iter().copied())).succeeded();
        assert_eq!(Credentials::load(&place.directories).unwrap().key.algorithm(), algorithm);
        assert_eq!(place.certificate_subject(), format!("subject=CN = {name}"));
    }
}

#[test]
fn secrets_are_readable_by_their_owner_only() {
    for umask in ["000", "022", "077"] {
        let place = Place::empty();
        let init = place.command(["init", "-y"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {umask} && exec \"$0\" init -y")]).arg(init.get_program());
        shell.envs(init.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Program::start(&mut shell, "").end().succeeded();

        assert_eq!(names(&place.directories.config), FILES);
        assert!(names(&place.directories.state).is_empty());
        let public = 0o644 & !u32::from_str_radix(umask, 8).unwrap();
        for name in FILES {
            let expected = if ["ca.key", "server.key", "smp-server.ini"].contains(&name) { 0o600 } else { public };
            let mode = fs::metadata(place.directories.config.join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, expected, "{name} with umask {umask}: {mode:o}");
        }
    }
}

#[test]
fn options_that_contradict_each_other_are_refused_before_anything_is_written_or_asked() {
    for (options, text) in [
        (&["--operator", "Some Body"][..], "passing any server information requires passing --source-code"),
        (&["--hosting-type=owned"], "passing any server information requires passing --source-code"),
        (&[SOURCE, "--operator-country", "CZ"], "passing --operator-country requires passing --operator"),
        (&[SOURCE, "--hosting-country", "CZ"], "passing --hosting-country requires passing --hosting"),
        (
            &["--socks-proxy=host:port"],
            "invalid --socks-proxy: a SOCKS proxy has the form [user:password@][host][:port], with a port from 1 to 65535",
        ),
        (
            &["--schema", "a\nb"],
            "the value of --schema cannot be written to the INI file: it is not one line of printable text",
        ),
    ] {
        for mode in [&["init", "-y"][..], &["init"]] {
            let place = Place::empty();
            let ended = place.run(mode.iter().chain(options).copied());
            let expected = Ended { code: Some(1), stdout: String::new(), stderr: format!("Error: {text}\n") };
            assert_eq!(ended, expected);
            assert!(!place.directories.config.exists() && !place.directories.state.exists());
        }
    }
}

#[test]
fn a_host_that_no_client_can_use_is_refused() {
    for (option, host) in [("--fqdn", "smp example org"), ("--fqdn", "'a.org'"), ("--ip", "192.0.2.1:5223")] {
        let place = Place::empty();
        let ended = place.run(["init", "-y", option, host]);
        let expected = format!("Error: the value of {option} is no host name or IP address\n");
        assert_eq!((ended.code, ended.stderr), (Some(1), expected));
        assert!(!place.directories.config.exists());
    }
}

#[test]
fn an_initialized_server_stays_as_it_is() {
    let place = Place::with_server();
    let before = place.snapshot();
    let text = format!(
        "Error: server is already initialized ({} exists).\nRun `smp-server start`.\n",
        place.directories.ini().display()
    );
    for arguments in [&["init"][..], &["init", "-y"], &["init", "-y", "--operator", "Some Body"]] {
        let ended = place.run(arguments.iter().copied());
        assert_eq!(ended, Ended { code: Some(1), stdout: text.clone(), stderr: String::new() });
        assert_eq!(place.snapshot(), before);
    }
}

#[test]
fn files_of_a_server_are_never_replaced() {
    for name in
        ["config/ca.key", "config/server.crt", "config/fingerprint", "state/smp-server-store.log", "state/messages"]
    {
        for arguments in [&["init", "-y"][..], &["init"]] {
            let place = Place::empty();
            let path = place.directories.config.parent().unwrap().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "kept").unwrap();
            let before = place.snapshot();
            let ended = place.run(arguments.iter().copied());
            let text = format!("Error: {} exists: move it away if a new server is to be made here\n", path.display());
            assert_eq!(ended, Ended { code: Some(1), stdout: String::new(), stderr: text });
            assert_eq!(place.snapshot(), before);
        }
    }
}

#[test]
fn files_put_in_place_beforehand_stay() {
    let place = Place::empty();
    fs::create_dir_all(&place.directories.config).unwrap();
    fs::write(place.directories.web_certificate(), "certificate").unwrap();
    place.run(["init", "-y"]).succeeded();
    assert_eq!(fs::read_to_string(place.directories.web_certificate()).unwrap(), "certificate");
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let place = Place::empty();
    let config = &place.directories.config;
    fs::create_dir(config).unwrap();
    fs::set_permissions(config, fs::Permissions::from_mode(0o500)).unwrap();
    let ended = Program::start(&mut place.command_without_privileges(["init", "-y"]), "").end();
    assert_eq!(ended.code, Some(1));
    let start = format!("Error: cannot write {}", config.display());
    assert!(ended.stderr.starts_with(&start) && ended.stderr.contains("Permission denied"), "{ended:#?}");
    assert!(ended.stderr.contains("chown"), "{ended:#?}");
    assert!(names(config).is_empty());
}
