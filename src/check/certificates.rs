//! Whether the certificates belong together and are valid.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use smp_config::certificates::{CertificateError, CertificateFacts, Credentials};
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_web::https::WebCredential;

use super::report::Report;

const SUBJECT: &str = "certificates";
const WEB: &str = "web certificate";
/// How long before its end an operator wants to know.
const SOON: Duration = Duration::from_hours(14 * 24);
const RENEW: &str = "run `smp-server cert`, then `systemctl reload smp-server`: the address stays the same";

/// Looks at the identity, the server certificate and the web certificate.
pub fn check(directories: &Directories, settings: Option<&Settings>, report: &mut Report) {
    match Credentials::load(directories) {
        Ok(credentials) => {
            report.fine(SUBJECT, format_args!("they belong together, identity {}", credentials.identity));
        }
        Err(CertificateError::StoredFingerprint) => report.problem(
            SUBJECT,
            format_args!(
                "fingerprint mismatch: {} is not that of {}",
                directories.fingerprint().display(),
                directories.ca_certificate().display()
            ),
            "restore the one of them that was changed: clients know this server by it",
        ),
        Err(error) => report.problem(SUBJECT, &error, "restore both from a backup, or make a new server certificate"),
    }
    for path in [directories.server_certificate(), directories.ca_certificate()] {
        if let Ok(facts) = CertificateFacts::read(&path) {
            check_dates(&path, &facts, report);
        }
    }
    if directories.ca_key().exists() {
        report.warning(
            SUBJECT,
            format_args!(
                "{} is on this machine: whoever gets it can pretend to be this server",
                directories.ca_key().display()
            ),
            "keep a copy elsewhere and delete it here; it is needed only for `smp-server cert`",
        );
    }
    if let Some(https) = settings.filter(|settings| settings.web.static_path.is_some()).and_then(Settings::https) {
        check_web(https.certificate, https.key, report);
    }
}

fn check_dates(path: &Path, facts: &CertificateFacts, report: &mut Report) {
    let now = SystemTime::now();
    if facts.not_after <= now {
        report.problem(SUBJECT, format_args!("{} expired on {}", path.display(), day(facts.not_after)), RENEW);
    } else if facts.not_before > now {
        let from = day(facts.not_before);
        report.problem(
            SUBJECT,
            format_args!("{} is not valid before {from}", path.display()),
            "set the clock of this machine, or make a new certificate with `smp-server cert`",
        );
    } else if facts.not_after < now + SOON {
        report.warning(SUBJECT, format_args!("{} expires on {}", path.display(), day(facts.not_after)), RENEW);
    }
}

fn check_web(certificate: &Path, key: &Path, report: &mut Report) {
    const GET: &str = "get one, for example with certbot, and copy it there (docs/hosting.md), or comment out `https` in \
                       [WEB]; messages are not concerned";
    match WebCredential::load(certificate, key) {
        Err(error) => report.warning(WEB, &error, GET),
        Ok(web) if web.not_after <= SystemTime::now() => {
            report.warning(WEB, format_args!("{} expired on {}", certificate.display(), day(web.not_after)), GET);
        }
        Ok(web) if web.not_after < SystemTime::now() + SOON => {
            report.warning(WEB, format_args!("{} expires on {}", certificate.display(), day(web.not_after)), GET);
        }
        Ok(web) => report.fine(WEB, format_args!("valid until {}", day(web.not_after))),
    }
}

/// `2027-03-01`, as far as years can be written.
fn day(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(|_| "a day far away".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}
