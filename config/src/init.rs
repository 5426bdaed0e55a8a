//! Making a new server: identity, certificates, INI (operations.md §1.3).

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::WriteError;
use crate::certificates::{CertificateError, NewChain};
use crate::ini_template::{InitSecrets, ini_text};
use crate::init_options::{InitOptions, OptionsError, PasswordChoice};
use crate::paths::Directories;
use crate::remedy;
use crate::staged_files::{Access, StagedFiles};
use smp_protocol::address::{AddressError, Host, KeyHash, ServerAddress};
use smp_protocol::password::Password;

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewServer {
    /// Identity of the server.
    pub identity: KeyHash,
    /// Its address, without port.
    pub address: ServerAddress,
}

/// Why no server was made. Nothing was written, unless the error is about writing.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is a server already.
    #[error("server is already initialized ({} exists)", .0.display())]
    AlreadyInitialized(PathBuf),
    /// Files of another server, or of an interrupted `init`, are in the way.
    #[error("{} exists: move it away if a new server is to be made here", .0.display())]
    Leftover(PathBuf),
    /// The options contradict each other.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The host is not one that clients can use.
    #[error(transparent)]
    Host(#[from] AddressError),
    /// A directory cannot be read or made.
    #[error("cannot use directory {}: {source}{}", path.display(), remedy::for_writing(source))]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Certificates cannot be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Makes directories, identity, certificates and INI.
///
/// Refuses to touch what is there: an INI, any file it would write, any state of a server. Other files, such as web
/// certificates put in place beforehand, stay. All files are written aside first and the INI takes its place last, so
/// that an interrupted run never looks like an initialised server.
pub fn initialize(directories: &Directories, options: &InitOptions) -> Result<NewServer, InitError> {
    refuse_initialized(directories)?;
    options.check()?;
    let host: Host = options.host().parse()?;
    refuse_leftovers(directories)?;
    let chain = NewChain::generate(options.sign_algorithm, options.common_name())?;
    let secrets = secrets(options);
    for path in [&directories.config, &directories.state] {
        fs::create_dir_all(path).map_err(|source| InitError::Directory { path: path.clone(), source })?;
    }

    let mut staged = StagedFiles::new();
    chain.stage(directories, &mut staged)?;
    staged.stage(directories.ini(), Access::Owner, ini_text(directories, options, &secrets).as_bytes())?;
    staged.commit()?;

    let identity = chain.identity();
    let address =
        ServerAddress { key_hash: identity, password: secrets.create_password, hosts: vec![host], port: None };
    Ok(NewServer { identity, address })
}

/// The check that comes before everything else, prompts included.
pub fn refuse_initialized(directories: &Directories) -> Result<(), InitError> {
    let ini = directories.ini();
    if ini.exists() { Err(InitError::AlreadyInitialized(ini)) } else { Ok(()) }
}

/// Refuses directories that hold files of a server, or of an interrupted `init`, without an INI.
pub fn refuse_leftovers(directories: &Directories) -> Result<(), InitError> {
    let written = [
        directories.ca_key(),
        directories.ca_certificate(),
        directories.ca_serial(),
        directories.server_key(),
        directories.server_certificate(),
        directories.server_request(),
        directories.openssl_ca(),
        directories.openssl_server(),
        directories.fingerprint(),
        directories.journal(),
        directories.reference_journal(),
    ];
    if let Some(path) = written.into_iter().find(|path| path.exists()) {
        return Err(InitError::Leftover(path));
    }
    let unreadable = |source| InitError::Directory { path: directories.state.clone(), source };
    let entries = match fs::read_dir(&directories.state) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(unreadable)?,
    };
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().to_string_lossy().starts_with("smp-server-") {
            return Err(InitError::Leftover(entry.path()));
        }
    }
    Ok(())
}

fn secrets(options: &InitOptions) -> InitSecrets {
    let create_password = match &options.password {
        PasswordChoice::None => None,
        PasswordChoice::Random => Some(Password::random(32)),
        PasswordChoice::Given(password) => Some(password.clone()),
    };
    let control_port = options.control_port.map(|_| (Password::random(18), Password::random(18)));
    InitSecrets { create_password, control_port }
}
