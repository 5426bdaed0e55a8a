//! `smp-server man`: the manual page, made of the help of all commands.

use std::process::ExitCode;

use roff::{Roff, bold, roman};

use crate::command_line::help;

const FILES: [(&str, &str); 6] = [
    ("/etc/opt/simplex/smp-server.ini", "Settings; docs/hosting.md explains them"),
    ("/etc/opt/simplex/ca.crt, fingerprint", "Identity of the server"),
    ("/etc/opt/simplex/ca.key", "Private key of the identity; better kept on another machine"),
    ("/etc/opt/simplex/server.crt, server.key", "TLS certificate, issued by the identity"),
    ("/var/opt/simplex/smp-server-store.log", "Queues"),
    ("/var/opt/simplex/smp-server-messages.log, smp-server-journal/", "Undelivered messages"),
];
const VARIABLES: [(&str, &str); 2] = [
    ("SMP_SERVER_CFG_PATH", "Configuration directory instead of /etc/opt/simplex"),
    ("SMP_SERVER_LOG_PATH", "State directory instead of /var/opt/simplex"),
];
const SIGNALS: [(&str, &str); 2] = [
    ("SIGINT, SIGTERM", "Save everything and end"),
    ("SIGHUP", "Read certificates and the password for new queues anew; nobody is disconnected"),
];
const EXIT: [(&str, &str); 3] = [
    ("0", "Success, or an orderly end"),
    ("1", "Failure; what failed and what to do is on standard error"),
    ("70", "Something broke down again and again; a restart by the service manager may cure it"),
];

/// Prints it in the language of man(1).
pub fn run() -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = Roff::new();
    page.control("TH", ["SMP-SERVER", "1", "", concat!("smp-server ", env!("CARGO_PKG_VERSION")), "SimpleX"]);
    page.control("SH", ["NAME"]).text([roman("smp-server - relay server for SimpleX messaging")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold("smp-server"), roman(" COMMAND [OPTIONS]")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(format!(
        "Keeps end-to-end encrypted messages until their recipients fetch them (SimpleX Messaging Protocol, SMP). \
         This is the manual of version {version}."
    ))]);
    page.control("SH", ["COMMANDS"]);
    for command in commands() {
        page.control("SS", ["smp-server", command.as_str()]);
        verbatim(&mut page, &help(&[command.as_ref()]));
    }
    for (title, entries) in
        [("FILES", &FILES[..]), ("ENVIRONMENT", &VARIABLES), ("SIGNALS", &SIGNALS), ("EXIT STATUS", &EXIT)]
    {
        page.control("SH", [title]);
        for (term, meaning) in entries {
            page.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
    }
    page.control("SH", ["SEE ALSO"]).text([roman("https://simplex.chat/docs/server.html")]);
    say!("{}", page.render().trim_end());
    ExitCode::SUCCESS
}

/// Names of all commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = help(&[]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| !line.starts_with("     ")).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// Without its first line, the version.
fn verbatim(page: &mut Roff, help: &str) {
    page.control("nf", []);
    for line in help.lines().skip(1) {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}
