//! The limit of open files: every connection is one.

use rustix::process::{Resource, getrlimit, setrlimit};
use slog::{Logger, warn};

/// Uses what the administrator allows, instead of the smaller default that is meant for other programs.
pub fn raise_limit(logger: &Logger) {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!(logger, "cannot raise the limit of open files: {error}");
    }
}
