//! `smp-server address`: the address to give to clients, as text and as a QR code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use qrcode::QrCode;
use qrcode::render::{svg, unicode};
use smp_config::certificates::Credentials;
use smp_config::paths::Directories;
use smp_config::settings::{Settings, SettingsError};
use structopt::StructOpt;

use crate::not_initialized;
use crate::terminal::fail;

/// Options of `address`.
#[derive(Debug, StructOpt)]
pub struct AddressArguments {
    /// Show it as a QR code as well
    #[structopt(long)]
    qr: bool,
    /// Write the QR code to a new SVG file
    #[structopt(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Prints the address, with the password if there is one.
pub fn run(directories: &Directories, arguments: &AddressArguments) -> ExitCode {
    let settings = match Settings::load(directories) {
        Ok((settings, _)) => settings,
        Err(SettingsError::NotInitialized(ini)) => return not_initialized::refuse(&ini),
        Err(error) => return fail(error),
    };
    let address = match Credentials::load(directories) {
        Ok(credentials) => settings.address(credentials.identity).to_string(),
        Err(error) => return fail(error),
    };
    say!("{address}");
    if !arguments.qr && arguments.svg.is_none() {
        return ExitCode::SUCCESS;
    }
    let code = match QrCode::new(&address) {
        Ok(code) => code,
        Err(error) => return fail(format_args!("the address has no QR code ({error}): shorten the list of hosts")),
    };
    if arguments.qr {
        say!("{}", code.render::<unicode::Dense1x2>().build());
    }
    match &arguments.svg {
        None => ExitCode::SUCCESS,
        Some(path) => write_svg(&code, path),
    }
}

/// The file is for whoever may create queues: only its owner can read it.
fn write_svg(code: &QrCode, path: &Path) -> ExitCode {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    let image = code.render::<svg::Color<'_>>().min_dimensions(300, 300).build();
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match file.and_then(|mut file| file.write_all(image.as_bytes())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(format_args!("cannot write {}: {error}; choose another file", path.display())),
    }
}
