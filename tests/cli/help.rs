//! Help and version.

use crate::support::{Place, lines, names};

/// Every command, its usage, and words that its help must have.
const COMMANDS: [(&[&str], &str, &[&str]); 20] = [
    (
        &[],
        "Usage: smp-server [-v|--version] COMMAND [OPTIONS]",
        &[
            "init",
            "start",
            "delete",
            "cert",
            "check",
            "address",
            "password",
            "backup",
            "restore",
            "man",
            "completions",
            "confirm-clock",
            "journal",
            "database",
            "-v, --version",
            "SMP_SERVER_CFG_PATH",
        ],
    ),
    (
        &["init"],
        "Usage: smp-server init [OPTIONS]",
        &[
            "-y, --yes",
            "-n, --fqdn <FQDN>",
            "--ip <IP>",
            "[default: 127.0.0.1]",
            "-a, --sign-algorithm <ALG>",
            "ED25519 or ED448",
            "--password <PASSWORD>",
            "--no-password",
            "-l, --store-log",
            "--disable-store-log",
            "-s, --daily-stats",
            "-d, --database <DB_CONN>",
            "postgresql://smp@/smp_server_store",
            "--schema <DB_SCHEMA>",
            "--pool-size <POOL_SIZE>",
            "--control-port <PORT>",
            "--socks-proxy <PROXY>",
            "--own-domains <DOMAINS>",
            "--source-code <URI>",
            "--operator <NAME>",
            "--operator-country <COUNTRY>",
            "--operator-website <WEBSITE>",
            "--server-country <COUNTRY>",
            "--hosting <NAME>",
            "--hosting-country <COUNTRY>",
            "--hosting-type <TYPE>",
            "--web-path <PATH>",
            "--disable-web",
        ],
    ),
    (
        &["start"],
        "Usage: smp-server start [OPTIONS]",
        &["-m, --maintenance", "--compact-log", "--log-level", "--skip-warnings", "--confirm-migrations"],
    ),
    (&["delete"], "Usage: smp-server delete", &[]),
    (&["cert"], "Usage: smp-server cert [OPTIONS]", &["-a, --sign-algorithm <ALG>", "--cn <FQDN>"]),
    (&["address"], "Usage: smp-server address [OPTIONS]", &["--qr", "--svg <FILE>", "--png <FILE>"]),
    (&["check"], "Usage: smp-server check [OPTIONS]", &["--local"]),
    (&["password"], "Usage: smp-server password [OPTIONS]", &["--random", "--none", "--password <PASSWORD>"]),
    (&["backup"], "Usage: smp-server backup FILE", &[]),
    (&["restore"], "Usage: smp-server restore FILE", &[]),
    (&["man"], "Usage: smp-server man", &[]),
    (&["completions"], "Usage: smp-server completions SHELL", &["bash, zsh, fish"]),
    (&["confirm-clock"], "Usage: smp-server confirm-clock", &[]),
    (&["journal"], "Usage: smp-server journal COMMAND", &["import", "export", "delete"]),
    (&["journal", "import"], "Usage: smp-server journal import", &[]),
    (&["journal", "export"], "Usage: smp-server journal export", &[]),
    (&["journal", "delete"], "Usage: smp-server journal delete", &[]),
    (
        &["database"],
        "Usage: smp-server database COMMAND [OPTIONS]",
        &["import", "export", "delete", "--table <TABLE>", "-d, --database", "--schema", "--pool-size"],
    ),
    (&["database", "import"], "Usage: smp-server database import [OPTIONS]", &["--table <TABLE>"]),
    (&["database", "delete"], "Usage: smp-server database delete [OPTIONS]", &["--schema <DB_SCHEMA>"]),
];

#[test]
fn every_command_has_help_on_standard_output() {
    let place = Place::empty();
    for (command, usage, words) in COMMANDS {
        let help = place.run(command.iter().copied().chain(["-h"]));
        assert_eq!(help, place.run(command.iter().copied().chain(["--help"])));
        let text = lines(&help.succeeded().stdout);
        assert!(text[0].starts_with("SMP server v"), "{text:#?}");
        assert!(text[1].len() > 10, "it says what the command is for: {text:#?}");
        assert!(text.contains(&usage), "{text:#?}");
        for word in words.iter().chain(&["-h, --help"]) {
            assert!(help.stdout.contains(word), "{word}: {text:#?}");
        }
        assert!(!help.stdout.contains("\n\n\n") && !help.stdout.ends_with("\n\n"), "{text:#?}");
        // The version line ends with a space if the commit is not known.
        assert!(text[1..].iter().all(|line| line.len() <= 100 && line.trim_end() == *line), "{text:#?}");
    }
    assert!(names(&place.directories.config).is_empty(), "nothing is written");
}

#[test]
fn without_a_command_the_help_is_an_error() {
    let place = Place::empty();
    for command in [&[][..], &["journal"], &["database"]] {
        let help = place.run(command.iter().copied().chain(["--help"])).stdout;
        let ended = place.run(command.iter().copied());
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr), (Some(1), "", help));
    }
}

#[test]
fn the_version_is_one_line() {
    let place = Place::empty();
    let version = place.run(["-v"]).succeeded().stdout.clone();
    assert_eq!(place.run(["--version"]).stdout, version);
    let commit = version.strip_prefix(concat!("SMP server v", env!("CARGO_PKG_VERSION"), " / ")).unwrap();
    let commit = commit.strip_suffix('\n').unwrap();
    assert!([0, 7].contains(&commit.len()) && commit.bytes().all(|digit| digit.is_ascii_hexdigit()), "{commit}");
}

#[test]
fn options_of_another_runtime_are_dropped_wherever_they_stand() {
    let place = Place::empty();
    let version = place.run(["-v"]).stdout;
    for arguments in [
        &["+RTS", "-N", "-RTS", "-v"][..],
        &["-v", "+RTS", "-N2", "-s", "-RTS"],
        &["-v", "+RTS", "-N"],
        &["+RTS", "-N", "-RTS", "--version", "+RTS", "--bogus"],
    ] {
        assert_eq!(place.run(arguments.iter().copied()).succeeded().stdout, version);
    }
}
