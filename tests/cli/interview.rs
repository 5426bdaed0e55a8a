//! `init` that asks.

use smp_config::settings::Settings;

use crate::support::{Ended, Place};

const INTRODUCTION: &str =
    "Use `smp-server init -h` for available options.\nSMP server will be initialized (press Enter)";
const STORE_LOG: &str = "Enable store log to restore queues and messages on server restart (Yn): ";
const STATISTICS: &str = "Enable logging daily statistics (yN): ";
const PASSWORD_NEEDED: &str = "Require a password to create new messaging queues?\n";
const PASSWORD: &str =
    "'r' for random (default), 'n' - no password (recommended for public servers), or enter password: ";
const YES_OR_NO: &str = "Invalid input, please enter 'y' or 'n'\n";

fn host(shown: &str) -> String {
    format!("Enter server FQDN or IP address for certificate ({shown}): ")
}

fn source_code(shown: &str) -> String {
    format!("Enter server source code URI ({shown}): ")
}

fn site(place: &Place) -> String {
    let site = place.directories.web_site();
    format!("Enter path to store generated server pages to show connection links ({}): ", site.display())
}

const REFERENCE: &str = "https://github.com/simplex-chat/simplexmq";

#[test]
fn the_questions_come_in_the_order_of_the_reference_and_enter_takes_the_defaults() {
    let place = Place::empty();
    let ended = place.answer(["init"], &"\n".repeat(7));
    let questions = [
        INTRODUCTION,
        STORE_LOG,
        STATISTICS,
        PASSWORD_NEEDED,
        PASSWORD,
        &host("127.0.0.1"),
        &source_code(REFERENCE),
        &site(&place),
        "Server initialized, ",
    ]
    .concat();
    assert!(ended.succeeded().stdout.starts_with(&questions), "{ended:#?}");
    let (settings, _) = Settings::load(&place.directories).unwrap();
    assert!(settings.store_log.enable && !settings.store_log.log_stats);
    assert_eq!(settings.auth.create_password.unwrap().expose().len(), 44);
    assert_eq!(settings.information.unwrap().source_code, REFERENCE);
    assert_eq!(settings.web.static_path, Some(place.directories.web_site()));
    assert!(ended.stdout.contains("@<hostnames>\nServer source code: https://"), "{ended:#?}");
}

/// Options, answers, lines that the INI file must have.
const ANSWERS: [(&[&str], &str, &[&str]); 14] = [
    (&[], "\ny\ny\nr\n\n\n\n", &["enable = on", "log_stats = on", "create_password = "]),
    (&[], "\nY\nY\n\n\n\n\n", &["enable = on", "log_stats = on", "create_password = "]),
    (&[], "\nn\nn\nn\n\n\n\n", &["enable = off", "log_stats = off", "# create_password = "]),
    (&[], "anything\nN\nN\nmy-own\n\n\n\n", &["enable = off", "log_stats = off", "create_password = my-own\n"]),
    (&[], "\n\n\n\nsmp.example.org\n\n\n", &["host = smp.example.org\n"]),
    (&[], "\n\n\n\n192.0.2.1\n\n\n", &["host = 192.0.2.1\n"]),
    (
        &[],
        "\n\n\n\n\nhttp://example.org/code\n/srv/pages\n",
        &["source_code = http://example.org/code\n", "static_path = /srv/pages\n"],
    ),
    // Windows line ends, as from a file that was edited there.
    (&[], "\r\ny\r\ny\r\nr\r\nsmp.example.org\r\n\r\n\r\n", &["log_stats = on", "host = smp.example.org\n"]),
    // Answers win over options, other options stay.
    (&["--disable-store-log"], "\n\n\n\n\n\n\n", &["enable = on"]),
    (&["-l"], "\nn\n\n\n\n\n\n", &["enable = off"]),
    (&["-s"], "\n\n\n\n\n\n\n", &["log_stats = off"]),
    (&["--password=mine"], "\n\n\nn\n\n\n\n", &["# create_password = "]),
    (
        &["-n", "smp.example.org", "--control-port"],
        "\n\n\n\n\n\n\n",
        &["host = smp.example.org\n", "control_port = 5224\n"],
    ),
    (
        &["--ip", "192.0.2.1", "--web-path=/srv/www"],
        "\n\n\n\n\n\n\n",
        &["host = 192.0.2.1\n", "static_path = /srv/www\n"],
    ),
];

#[test]
fn answers_are_written_to_the_ini_file() {
    for (options, answers, expected) in ANSWERS {
        let place = Place::empty();
        place.answer(["init"].into_iter().chain(options.iter().copied()), answers).succeeded();
        for line in expected {
            assert!(
                place.ini().contains(&format!("\n{line}")),
                "{options:?} {answers:?} write {line:?}: {}",
                place.ini()
            );
        }
    }
}

#[test]
fn wrong_answers_are_explained_and_asked_again() {
    let place = Place::empty();
    let answers = "\nyes\n y\n\nno\nn\na b\na@b\nok\nno host\nsmp.example.org\nexample.org\nhttps://example.org\n\n";
    let ended = place.answer(["init"], answers);
    let questions = [
        INTRODUCTION,
        &format!("{STORE_LOG}{YES_OR_NO}").repeat(2),
        STORE_LOG,
        STATISTICS,
        YES_OR_NO,
        STATISTICS,
        PASSWORD_NEEDED,
        PASSWORD,
        "Invalid password. a password cannot contain ' ': use printable characters except white space, '@', ':' and '/'\n",
        PASSWORD,
        "Invalid password. a password cannot contain '@': use printable characters except white space, '@', ':' and '/'\n",
        PASSWORD,
        &host("127.0.0.1"),
        "Invalid name. Enter one host name or IP address, without port\n",
        &host("127.0.0.1"),
        &source_code(REFERENCE),
        "Invalid source code. Enter a URI that begins with http:// or https://\n",
        &source_code(REFERENCE),
        &site(&place),
        "Server initialized, ",
    ]
    .concat();
    assert!(ended.succeeded().stdout.starts_with(&questions), "{ended:#?}\n{questions}");
    assert!(ended.stdout.contains(":ok@smp.example.org\n"), "{ended:#?}");
}

#[test]
fn the_end_of_the_answers_is_an_error_and_nothing_is_written() {
    let place = Place::empty();
    for answers in 0..7 {
        let ended = place.answer(["init"], &"\n".repeat(answers));
        let text = "Error: no server was made: standard input ended before the answer; \
                    to be asked nothing use `smp-server init --yes`\n";
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), text), "after {answers} answers");
        assert!(!place.directories.config.exists() && !place.directories.state.exists());
    }
}

#[test]
fn the_shown_values_come_from_the_options() {
    let place = Place::empty();
    let options = ["init", "--fqdn=smp.example.org", "--ip=192.0.2.1", "--source-code=https://example.org"];
    let Ended { stdout, .. } = place.answer(options, &"\n".repeat(7));
    assert!(
        stdout.contains(&host("smp.example.org")) && stdout.contains(&source_code("https://example.org")),
        "{stdout}"
    );
}
