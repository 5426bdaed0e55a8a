//! The questions of an interactive `init`. Their answers win over the flags, as in the reference.

use std::io;
use std::path::PathBuf;

use smp_config::init_options::{InitOptions, PasswordChoice};
use smp_config::paths::Directories;
use smp_protocol::address::Host;

use crate::confirm::ask;

/// Where the source code of the server is, unless the operator says otherwise. The licence asks for it.
const SOURCE_CODE: &str = "https://github.com/simplex-chat/simplexmq";

/// Asks everything, in the order of the reference.
pub fn ask_all(directories: &Directories, options: &mut InitOptions) -> io::Result<()> {
    println!("Use `smp-server init -h` for available options.");
    ask("SMP server will be initialized (press Enter)")?;
    options.store_log = yes_or_no("Enable store log to restore queues and messages on server restart (Yn): ", true)?;
    options.daily_stats = yes_or_no("Enable logging daily statistics (yN): ", false)?;
    options.password = password()?;
    let host = options.common_name().to_owned();
    options.fqdn = Some(server_name(&host)?);
    let source_code = options.source_code.as_deref().unwrap_or(SOURCE_CODE).to_owned();
    options.source_code = Some(uri(&source_code)?);
    let site = options.web_path.clone().unwrap_or_else(|| directories.web_site());
    options.web_path = Some(path(site)?);
    Ok(())
}

fn yes_or_no(prompt: &str, default: bool) -> io::Result<bool> {
    loop {
        match ask(prompt)?.as_str() {
            "" => return Ok(default),
            "y" | "Y" => return Ok(true),
            "n" | "N" => return Ok(false),
            _ => println!("Invalid input, please enter 'y' or 'n'"),
        }
    }
}

fn password() -> io::Result<PasswordChoice> {
    println!("Require a password to create new messaging queues?");
    loop {
        let answer =
            ask("'r' for random (default), 'n' - no password (recommended for public servers), or enter password: ")?;
        match answer.as_str() {
            "" | "r" => return Ok(PasswordChoice::Random),
            "n" => return Ok(PasswordChoice::None),
            text => match text.parse() {
                Ok(password) => return Ok(PasswordChoice::Given(password)),
                Err(error) => println!("Invalid password. {error}"),
            },
        }
    }
}

fn server_name(default: &str) -> io::Result<String> {
    loop {
        let answer = ask(&format!("Enter server FQDN or IP address for certificate ({default}): "))?;
        let name = if answer.is_empty() { default.to_owned() } else { answer };
        match name.parse::<Host>() {
            Ok(_) => return Ok(name),
            Err(error) => println!("Invalid name. {error}"),
        }
    }
}

fn uri(default: &str) -> io::Result<String> {
    loop {
        let answer = ask(&format!("Enter server source code URI ({default}): "))?;
        let uri = if answer.is_empty() { default.to_owned() } else { answer };
        if uri.starts_with("http://") || uri.starts_with("https://") {
            return Ok(uri);
        }
        println!("Invalid source code. Enter a URI that begins with http:// or https://");
    }
}

fn path(default: PathBuf) -> io::Result<PathBuf> {
    let prompt =
        format!("Enter path to store generated server pages to show connection links ({}): ", default.display());
    let answer = ask(&prompt)?;
    Ok(if answer.is_empty() { default } else { answer.into() })
}
