//! What systemd is told, if it started the server with `Type=notify` (sd_notify(3)). Elsewhere nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use slog::{Logger, warn};

/// Ports are open: units that come after this one may start.
pub fn ready(logger: &Logger) {
    tell(&[NotifyState::Ready], logger);
}

/// The state is being saved, which takes as long as it takes.
pub fn stopping(logger: &Logger) {
    tell(&[NotifyState::Stopping], logger);
}

/// The server is alive; without this it is killed and started again, if the unit has a `WatchdogSec=`.
pub fn alive(logger: &Logger) {
    tell(&[NotifyState::Watchdog], logger);
}

/// How long systemd waits for [`alive`] before it restarts the server; `None`: it does not.
pub fn watchdog_limit() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn tell(state: &[NotifyState<'_>], logger: &Logger) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(logger, "cannot tell systemd: {error}");
    }
}
