//! Settings of the reference that ask for what this program does not do: they are accepted, so that every INI file
//! starts, but the operator hears of them (operations.md §13.1).

use slog::{Logger, warn};
use smp_config::settings::Settings;

/// Logs a warning for each part that is asked for and missing.
pub fn warn(settings: &Settings, logger: &Logger) {
    let web = &settings.web;
    if web.static_path.is_some() || web.http.is_some() || web.https.is_some() {
        warn!(logger, "[WEB] means nothing to this version of smp-server: it serves no pages");
    }
}
