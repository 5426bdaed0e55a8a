//! Whether the certificates belong together and are valid.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use smp_config::certificates::{CertificateError, CertificateFacts, Credentials, check_ca_key};
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_web::https::WebCredential;

use super::report::Report;

const SUBJECT: &str = "certificates";
const WEB: &str = "web certificate";
/// How long before its end an operator wants to know.
const SOON: Duration = Duration::from_hours(14 * 24);
/// The identity is the hash of this certificate.
const SAME_IDENTITY: &str = "restore the one that clients know this server by: every other one is another server";
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
        Err(CertificateError::Read { path, source })
            if source.kind() == io::ErrorKind::NotFound && path != directories.ca_certificate() =>
        {
            let what = format_args!("cannot read {}: {source}", path.display());
            report.problem(
                SUBJECT,
                what,
                "restore it from a backup, or put ca.key beside ca.crt and run `smp-server cert`",
            );
        }
        Err(error) => report.problem_with_remedy(SUBJECT, error),
    }
    if let Ok(facts) = CertificateFacts::read(&directories.server_certificate()) {
        check_dates(&directories.server_certificate(), &facts, RENEW, report);
    }
    if let Ok(facts) = CertificateFacts::read(&directories.ca_certificate()) {
        check_dates(&directories.ca_certificate(), &facts, SAME_IDENTITY, report);
    }
    if directories.ca_key().exists() {
        if let Err(error) = check_ca_key(directories) {
            report.warning_with_remedy(SUBJECT, error);
        }
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

fn check_dates(path: &Path, facts: &CertificateFacts, remedy: &str, report: &mut Report) {
    let now = SystemTime::now();
    if facts.not_after <= now {
        report.problem(SUBJECT, format_args!("{} expired on {}", path.display(), day(facts.not_after)), remedy);
    } else if facts.not_before > now {
        let from = day(facts.not_before);
        let what = format_args!("{} is not valid before {from}", path.display());
        report.problem(SUBJECT, what, format_args!("set the clock of this machine if it is wrong; else {remedy}"));
    } else if facts.not_after < now + SOON {
        report.warning(SUBJECT, format_args!("{} expires on {}", path.display(), day(facts.not_after)), remedy);
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
