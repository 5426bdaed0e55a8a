//! The files of the site, written to a directory (operations.md §11.2): another web server may serve them as well.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use smp_config::settings::Settings;
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::pages::{self, LinkKind, RenderError};

/// What does not depend on settings.
const ASSETS: [(&str, &[u8]); 7] = [
    ("media/style.css", include_bytes!("../assets/style.css")),
    ("media/icon.svg", include_bytes!("../assets/icon.svg")),
    ("media/link.mjs", include_bytes!("../assets/link.mjs")),
    ("media/lean-qr.mjs", include_bytes!("../assets/lean-qr/lean-qr.mjs")),
    ("media/lean-qr-svg.mjs", include_bytes!("../assets/lean-qr/lean-qr-svg.mjs")),
    ("well-known/apple-app-site-association", include_bytes!("../assets/well-known/apple-app-site-association")),
    ("well-known/assetlinks.json", include_bytes!("../assets/well-known/assetlinks.json")),
];

/// Why there is no site.
#[derive(Debug, Error)]
pub enum GenerateError {
    /// A page.
    #[error("cannot make the pages of the web site: {0}")]
    Render(#[from] RenderError),
    /// A file.
    #[error(
        "cannot write {}: {source}; let the user of the server write to [WEB] static_path, or remove the setting",
        path.display()
    )]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Writes all files of the site into `directory`, over those that are there. Nothing else in it is touched.
pub fn generate(directory: &Path, settings: &Settings, version: &str) -> Result<(), GenerateError> {
    write(&directory.join("index.html"), pages::information(settings, version)?.as_bytes())?;
    for kind in LinkKind::ALL {
        write(&directory.join(kind.path()).join("index.html"), pages::link(kind)?.as_bytes())?;
    }
    ASSETS.iter().try_for_each(|(name, content)| write(&directory.join(name), content))
}

/// Nobody finds half a file, not even if the disk is full. A file that says the same already stays.
fn write(path: &Path, content: &[u8]) -> Result<(), GenerateError> {
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let failed = |source| GenerateError::Write { path: path.to_owned(), source };
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(failed)?;
    let mut file = NamedTempFile::new_in(parent).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    // For web servers that run as other users.
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
