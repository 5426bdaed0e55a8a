//! The questions of an interactive `init`, in the words of the reference. Their answers win over the options.

use std::io;
use std::path::PathBuf;

use smp_config::init_options::{InitOptions, PasswordChoice};
use smp_config::paths::Directories;
use smp_protocol::address::Host;

use super::arguments::DEFAULT_SOURCE_CODE;
use crate::terminal::ask;

/// Asks everything.
pub fn ask_all(directories: &Directories, options: &mut InitOptions) -> io::Result<()> {
    say!("Use `smp-server init -h` for available options.");
    ask("SMP server will be initialized (press Enter)")?;
    options.store_log = yes_or_no("Enable store log to restore queues and messages on server restart (Yn): ", true)?;
    options.daily_stats = yes_or_no("Enable logging daily statistics (yN): ", false)?;
    options.password = password()?;
    if let Some(name) = server_name(options.common_name())? {
        options.fqdn = Some(name);
    }
    let source_code = options.source_code.as_deref().unwrap_or(DEFAULT_SOURCE_CODE);
    options.source_code = Some(uri(source_code)?);
    let site = options.web_path.take().unwrap_or_else(|| directories.web_site());
    options.web_path = Some(path(site)?);
    Ok(())
}

fn yes_or_no(prompt: &str, default: bool) -> io::Result<bool> {
    loop {
        match ask(prompt)?.as_str() {
            "" => return Ok(default),
            "y" | "Y" => return Ok(true),
            "n" | "N" => return Ok(false),
            _ => say!("Invalid input, please enter 'y' or 'n'"),
        }
    }
}

/// Asks until there is a usable answer.
pub fn password() -> io::Result<PasswordChoice> {
    say!("Require a password to create new messaging queues?");
    loop {
        let answer =
            ask("'r' for random (default), 'n' - no password (recommended for public servers), or enter password: ")?;
        match answer.as_str() {
            "" | "r" => return Ok(PasswordChoice::Random),
            "n" => return Ok(PasswordChoice::None),
            text => match text.parse() {
                Ok(password) => return Ok(PasswordChoice::Given(password)),
                Err(error) => say!("Invalid password. {error}"),
            },
        }
    }
}

/// `None`: as the options say.
fn server_name(shown: &str) -> io::Result<Option<String>> {
    loop {
        let answer = ask(&format!("Enter server FQDN or IP address for certificate ({shown}): "))?;
        if answer.is_empty() {
            return Ok(None);
        }
        match answer.parse::<Host>() {
            Ok(_) => return Ok(Some(answer)),
            Err(_) => say!("Invalid name. Enter one host name or IP address, without port"),
        }
    }
}

fn uri(shown: &str) -> io::Result<String> {
    loop {
        let answer = ask(&format!("Enter server source code URI ({shown}): "))?;
        let uri = if answer.is_empty() { shown } else { &answer };
        let scheme = uri.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if matches!(scheme.as_deref(), Some("http" | "https")) {
            return Ok(uri.to_owned());
        }
        say!("Invalid source code. Enter a URI that begins with http:// or https://");
    }
}

fn path(shown: PathBuf) -> io::Result<PathBuf> {
    let prompt = format!("Enter path to store generated server pages to show connection links ({}): ", shown.display());
    let answer = ask(&prompt)?;
    Ok(if answer.is_empty() { shown } else { answer.into() })
}
