//! Settings of the reference that ask for what this program does not do: they are accepted, so that every INI file
//! starts, but the operator hears of them (operations.md §13.1).

use slog::{Logger, warn};
use smp_config::settings::Settings;

/// Logs a warning for each part that is asked for and missing.
pub fn warn(settings: &Settings, logger: &Logger) {
    let (transport, web) = (&settings.transport, &settings.web);
    let asked_for = [
        (transport.control_port.is_some(), "[TRANSPORT] control_port", "it has no control port"),
        (web.static_path.is_some() || web.http.is_some() || web.https.is_some(), "[WEB]", "it serves no pages"),
    ];
    for (_, setting, reason) in asked_for.iter().filter(|(asked_for, ..)| *asked_for) {
        warn!(logger, "{setting} means nothing to this version of smp-server: {reason}");
    }
}
