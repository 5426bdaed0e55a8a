//! `smp-server address`: the address to give to clients, as text and as a QR code.

use std::fs;
use std::io::{self, Cursor, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use image::{ImageFormat, Luma};
use qrcode::QrCode;
use qrcode::render::{svg, unicode};
use smp_config::certificates::Credentials;
use smp_config::paths::Directories;
use smp_config::settings::{Settings, SettingsError};
use structopt::StructOpt;

use crate::not_initialized;
use crate::terminal::fail;

/// Smallest width and height of a picture.
const SIZE: u32 = 300;

/// Options of `address`.
#[derive(Debug, StructOpt)]
pub struct AddressArguments {
    /// Show it as a QR code as well
    #[structopt(long)]
    qr: bool,
    /// Write the QR code to a new SVG file
    #[structopt(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the QR code to a new PNG file
    #[structopt(long, value_name = "FILE")]
    png: Option<PathBuf>,
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
    if !arguments.qr && arguments.svg.is_none() && arguments.png.is_none() {
        return ExitCode::SUCCESS;
    }
    if !settings.transport.has_name() {
        return fail(format_args!(
            "there is no code for an address without a host name: set `host` in section [TRANSPORT] of {} to the name of this \
             server",
            directories.ini().display()
        ));
    }
    let code = match QrCode::new(&address) {
        Ok(code) => code,
        Err(error) => return fail(format_args!("the address has no QR code ({error}): shorten the list of hosts")),
    };
    if arguments.qr {
        say!("{}", code.render::<unicode::Dense1x2>().build());
    }
    for (path, image) in [(&arguments.svg, svg as fn(&QrCode) -> Vec<u8>), (&arguments.png, png)] {
        let Some(path) = path else { continue };
        if let Err(error) = write(path, &image(&code)) {
            return fail(format_args!("cannot write {}: {error}; choose another file", path.display()));
        }
    }
    ExitCode::SUCCESS
}

fn svg(code: &QrCode) -> Vec<u8> {
    code.render::<svg::Color<'_>>().min_dimensions(SIZE, SIZE).build().into_bytes()
}

fn png(code: &QrCode) -> Vec<u8> {
    let picture = code.render::<Luma<u8>>().min_dimensions(SIZE, SIZE).build();
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).expect("a picture of this kind can be a PNG");
    bytes.into_inner()
}

/// The file is for whoever may create queues: only its owner can read it.
fn write(path: &Path, image: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(image)
}
