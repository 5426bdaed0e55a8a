//! Another password for new queues, in the INI file.

use std::fs;

use smp_protocol::password::Password;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::ini::with_key;
use crate::paths::Directories;
use crate::settings::{Settings, SettingsError};
use crate::staged_files::{Access, StagedFiles, WriteError};

/// Why the password is that of before.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// The settings from before cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The file has a form in which the change would not count.
    #[error("cannot change {0}: set create_password in section [AUTH] with an editor")]
    Form(String),
}

/// Sets or, with `None`, removes `create_password`, and leaves all else as it is. A running server reads it at SIGHUP.
pub fn change_password(directories: &Directories, password: Option<&Password>) -> Result<Settings, ChangeError> {
    Settings::load(directories)?;
    let path = directories.ini();
    let text = fs::read_to_string(&path).map_err(|source| SettingsError::Read { path: path.clone(), source })?;
    let text = Zeroizing::new(text);
    let changed = with_key(&text, "AUTH", "create_password", password.map(Password::expose));
    let settings = match Settings::parse(&path, &changed) {
        Ok((settings, _)) if settings.auth.create_password.as_ref() == password => settings,
        _ => return Err(ChangeError::Form(path.display().to_string())),
    };
    let mut staged = StagedFiles::new();
    staged.stage(path, Access::Owner, changed.as_bytes())?;
    staged.commit()?;
    Ok(settings)
}
