//! Command lines that are refused: what is wrong and the usage on standard error, exit code 1, nothing done.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::{Place, Program};

/// Arguments, and what the error must say.
const REFUSED: [(&[&str], &str); 40] = [
    (&["stop"], "'stop'"),
    (&["help"], "'help'"),
    (&["--bogus"], "'--bogus'"),
    (&["init", "--bogus"], "'--bogus'"),
    (&["init", "extra"], "'extra'"),
    (&["init", "--vers"], "'--vers'"),
    (&["init", "-v"], "'-v'"),
    (&["init", "--fqd", "smp.example.org"], "'--fqd'"),
    (&["init", "--fqdn"], "'--fqdn <FQDN>' requires a value"),
    (&["init", "-y", "--ip"], "'--ip <IP>' requires a value"),
    (&["init", "-ya"], "'--sign-algorithm <ALG>' requires a value"),
    (&["init", "-y", "--schema"], "'--schema <DB_SCHEMA>' requires a value"),
    (&["init", "-y", "-n", "a.org", "-n", "b.org"], "'--fqdn <FQDN>' was provided more than once"),
    (&["init", "-y", "--no-password", "--password", "x"], "cannot be used with"),
    (&["init", "-y", "--password=x", "--no-password"], "cannot be used with"),
    (&["init", "-yl", "--disable-store-log"], "cannot be used with"),
    (&["init", "-y", "--disable-store-log", "--store-log"], "cannot be used with"),
    (&["init", "-a", "ed25519"], "expected ED25519 or ED448"),
    (&["init", "-aRSA"], "expected ED25519 or ED448"),
    (&["init", "--password", ""], "a password cannot be empty"),
    (&["init", "--password", "a@b"], "a password cannot contain '@'"),
    (&["init", "--password", "a:b"], "a password cannot contain ':'"),
    (&["init", "--password", "a/b"], "a password cannot contain '/'"),
    (&["init", "--password=a b"], "a password cannot contain ' '"),
    (&["init", "--pool-size", "0"], "use a number from 1 to 10000"),
    (&["init", "--pool-size=ten"], "use a number from 1 to 10000"),
    (&["init", "--control-port=http"], "use a port from 1 to 65535"),
    (&["init", "--control-port=0"], "use a port from 1 to 65535"),
    (&["init", "--control-port=65536"], "use a port from 1 to 65535"),
    (&["init", "--operator-country", "CZE"], "ISO3166"),
    (&["init", "--hosting-country=C1"], "ISO3166"),
    (&["init", "--server-country", "č"], "ISO3166"),
    (&["init", "--hosting-type", "cloud"], "use virtual, dedicated, colocation or owned"),
    (&["start", "now"], "'now'"),
    (&["start", "--log-level", "loud"], "trace, debug, info, note, warn, error"),
    (&["start", "--confirm-migrations", "yes"], "use up or down"),
    (&["delete", "-y"], "'-y'"),
    (&["cert", "--cn"], "'--cn <FQDN>' requires a value"),
    (&["journal", "list"], "'list'"),
    (&["database", "--table", "users", "import"], "use queues, messages or all"),
];

#[test]
fn what_cannot_be_understood_is_refused_with_the_usage() {
    let place = Place::empty();
    let before = place.snapshot();
    for (arguments, text) in REFUSED {
        let ended = place.run(arguments.iter().copied());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{arguments:?}");
        let (error, usage) = ended.stderr.split_once("\n\nUSAGE:\n").unwrap_or_else(|| panic!("{ended:#?}"));
        assert!(error.starts_with("error: ") && error.contains(text) && !error.contains('\n'), "{error}");
        let command = arguments[0];
        let known = ["init", "start", "delete", "cert", "journal", "database"].contains(&command);
        let named =
            if known { format!("    smp-server {command}") } else { "    smp-server [-v|--version]".to_owned() };
        assert!(usage.starts_with(&named), "{arguments:?}: {usage}");
    }
    assert_eq!(place.snapshot(), before);
}

#[test]
fn a_refused_password_is_not_shown() {
    let ended = Place::empty().run(["init", "-y", "--password", "my secret@word"]);
    assert!(ended.code == Some(1) && !ended.stderr.contains("secret"), "{ended:#?}");
}

#[test]
fn text_in_another_encoding_is_refused() {
    let place = Place::empty();
    let mut command = place.command(["init", "-y", "--web-path"]);
    command.arg(OsStr::from_bytes(b"/srv/caf\xe9"));
    let ended = Program::start(&mut command, "").end();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("error: Invalid UTF-8"), "{ended:#?}");
}
