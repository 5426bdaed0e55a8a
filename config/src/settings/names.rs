//! `[NAMES]`: resolving names for clients.

use std::time::Duration;

use http::Uri;

use crate::ini::{Section, SettingError};
use crate::secret::Secret;

/// Hosts to which credentials may go without TLS.
const LOOPBACK: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"];

/// How to log in at the resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolverAuth {
    /// `bearer <token>`
    Bearer(Secret),
    /// `basic <user>:<password>`
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: Secret,
    },
}

/// Settings of section `[NAMES]` with `enable` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `resolver_endpoint`: absolute `http` or `https` URL without trailing slash.
    pub endpoint: String,
    /// `resolver_auth`
    pub auth: Option<ResolverAuth>,
    /// `resolver_timeout_ms`
    pub timeout: Duration,
    /// `resolver_max_response_bytes`
    pub max_response_bytes: u32,
    /// `resolver_concurrency`: requests in parallel per client.
    pub concurrency: u32,
}

impl Names {
    /// `None` unless `enable` is on; the other keys are not looked at then.
    pub(super) fn read(section: &Section<'_>) -> Result<Option<Self>, SettingError> {
        let enabled = section.on_off("enable")?.unwrap_or(false);
        if !enabled {
            return Ok(None);
        }
        let auth = auth(section)?;
        let timeout = section.count("resolver_timeout_ms", 100..=60_000)?.unwrap_or(3_000);
        let max_response_bytes = section.count("resolver_max_response_bytes", 1_024..=16_000)?.unwrap_or(16_000);
        Ok(Some(Self {
            endpoint: endpoint(section, auth.is_some())?,
            auth,
            timeout: Duration::from_millis(timeout.into()),
            max_response_bytes,
            concurrency: section.count("resolver_concurrency", 1..=u32::MAX)?.unwrap_or(1_000),
        }))
    }
}

fn auth(section: &Section<'_>) -> Result<Option<ResolverAuth>, SettingError> {
    let Some(text) = section.text("resolver_auth") else { return Ok(None) };
    let parsed = text.split_once(char::is_whitespace).and_then(|(scheme, rest)| {
        let rest = rest.trim();
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" if !rest.is_empty() => Some(ResolverAuth::Bearer(Secret::new(rest))),
            "basic" => rest
                .split_once(':')
                .map(|(user, password)| ResolverAuth::Basic { user: user.to_owned(), password: Secret::new(password) }),
            _ => None,
        }
    });
    match parsed {
        Some(auth) => Ok(Some(auth)),
        None => Err(section.secret_invalid("resolver_auth", "use `bearer <token>` or `basic <user>:<password>`")),
    }
}

/// Checks the URL; without TLS, credentials may go to this machine only.
fn endpoint(section: &Section<'_>, with_auth: bool) -> Result<String, SettingError> {
    const KEY: &str = "resolver_endpoint";
    const ALLOWED: &str = "an absolute http or https URL with a host and without user name, query and fragment";
    let text = section.required(KEY, ALLOWED)?;
    let uri: Uri = text.parse().map_err(|_| endpoint_error(section, ALLOWED))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(endpoint_error(section, ALLOWED));
    };
    let plain_url = !authority.as_str().contains('@') && !text.contains(['?', '#']) && !authority.host().is_empty();
    match scheme.to_ascii_lowercase().as_str() {
        "https" if plain_url => {}
        "http" if plain_url => {
            if with_auth && !LOOPBACK.iter().any(|host| authority.host().eq_ignore_ascii_case(host)) {
                let problem = format!("{KEY}: resolver_auth would be sent without TLS to {}", authority.host());
                return Err(section.error(KEY, problem, "https, or http to localhost, 127.0.0.1, [::1], 0.0.0.0"));
            }
        }
        _ => return Err(endpoint_error(section, ALLOWED)),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A URL with user information has a password in it: it is not repeated.
fn endpoint_error(section: &Section<'_>, allowed: &str) -> SettingError {
    section.error("resolver_endpoint", "invalid INI setting resolver_endpoint".to_owned(), allowed)
}
