//! The web site: pages for people, on ports of its own and on SMP ports that it shares (operations.md §11).
//!
//! It has a thread of its own and its own limits: whatever browsers do, and whatever is wrong with its certificate, messages are
//! not concerned.

mod actor;
mod door;
mod health;
mod sockets;

pub use actor::{Web, WebParts};
pub use door::WebDoor;
pub use health::Health;
pub use sockets::WebSockets;

use std::sync::Arc;
use std::time::Duration;

use slog::{Logger, info, warn};
use smp_config::settings::Settings;
use smp_web::https::{HttpsCredential, Reloaded};
use smp_web::static_site;

use crate::admission::{Admission, AdmissionLimits};

/// Connections of browsers at a time. With more, the one that has been idle longest is closed.
const CONNECTIONS: AdmissionLimits = AdmissionLimits { places: 512, of_address: 256, idle: Duration::from_millis(500) };

/// The site as it is at start.
pub struct Site {
    /// Answers requests.
    pub router: axum::Router,
    /// The certificate, if there is to be HTTPS.
    pub https: Option<Arc<HttpsCredential>>,
    /// The port that is shared with SMP.
    pub shared_port: Option<u16>,
    /// One for each connection.
    pub admission: Arc<Admission>,
}

/// Writes the pages, and loads the certificate. `None`: there is no site, and the log says why.
pub fn prepare(settings: &Settings, version: &str, health: &Health, logger: &Logger) -> Option<Site> {
    let Some(path) = &settings.web.static_path else {
        warn!(logger, "No server static path set");
        return None;
    };
    if let Err(failure) = static_site::generate(path, settings, version) {
        warn!(logger, "no web site: {failure}");
        return None;
    }
    info!(logger, "Generated static site contents at \"{}\"", path.display());
    let https = settings.https();
    let credential = https.map(|https| Arc::new(HttpsCredential::new(https.certificate, https.key)));
    if let Some(credential) = &credential {
        reload(credential, logger);
    }
    Some(Site {
        router: smp_web::site::router(path, settings, health.question()),
        https: credential,
        shared_port: https.filter(|https| https.shared).map(|https| https.port),
        admission: Admission::new(CONNECTIONS),
    })
}

/// Loads the certificate if its files have changed, and says what came of it. Reads the disk.
pub fn reload(credential: &HttpsCredential, logger: &Logger) {
    match credential.reload() {
        Reloaded::Unchanged => {}
        Reloaded::Loaded(loaded) if loaded.not_after <= std::time::SystemTime::now() => {
            warn!(logger, "the web certificate has expired: browsers refuse it until it is renewed");
        }
        Reloaded::Loaded(_) => info!(logger, "loaded the web certificate"),
        Reloaded::Failed(failure) if credential.is_loaded() => {
            warn!(logger, "the web certificate stays as it was: {failure}");
        }
        Reloaded::Failed(failure) => warn!(logger, "no HTTPS: {failure}"),
    }
}
