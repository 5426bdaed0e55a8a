//! What `init` can be told (operations.md §1.3).

use std::path::PathBuf;

use crate::certificates::SignAlgorithm;
use crate::settings::{CountryCode, HostingType, SocksProxy, host_name};
use smp_protocol::password::Password;

/// Address that stands for "not known" when no FQDN is given.
pub const DEFAULT_IP: &str = "127.0.0.1";
/// What `--control-port` without a value means.
pub const DEFAULT_CONTROL_PORT: u16 = 5224;
/// What `--socks-proxy` without a value means.
pub const DEFAULT_SOCKS_PROXY: &str = "127.0.0.1:9050";
/// Default of `--database`.
pub const DEFAULT_DB_CONNECTION: &str = "postgresql://smp@/smp_server_store";
/// Default of `--schema`.
pub const DEFAULT_DB_SCHEMA: &str = "smp_server";
/// Default of `--pool-size`.
pub const DEFAULT_DB_POOL_SIZE: u32 = 10;

/// The password for creating queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordChoice {
    /// None is asked for.
    None,
    /// A new one of 44 characters.
    Random,
    /// This one.
    Given(Password),
}

/// The options of `init`; the defaults are those of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitOptions {
    /// Keep the store log (all but `--disable-store-log`).
    pub store_log: bool,
    /// `--database`
    pub db_connection: String,
    /// `--schema`
    pub db_schema: String,
    /// `--pool-size`
    pub db_pool_size: u32,
    /// `--daily-stats`
    pub daily_stats: bool,
    /// `--sign-algorithm`
    pub sign_algorithm: SignAlgorithm,
    /// `--ip`
    pub ip: String,
    /// `--fqdn`
    pub fqdn: Option<String>,
    /// `--password`, `--no-password`
    pub password: PasswordChoice,
    /// `--control-port`
    pub control_port: Option<u16>,
    /// `--socks-proxy`
    pub socks_proxy: Option<String>,
    /// `--own-domains`
    pub own_domains: Vec<String>,
    /// `--source-code`
    pub source_code: Option<String>,
    /// `--server-country`
    pub server_country: Option<CountryCode>,
    /// `--operator`
    pub operator: Option<String>,
    /// `--operator-country`
    pub operator_country: Option<CountryCode>,
    /// `--operator-website`
    pub website: Option<String>,
    /// `--hosting`
    pub hosting: Option<String>,
    /// `--hosting-country`
    pub hosting_country: Option<CountryCode>,
    /// `--hosting-type`
    pub hosting_type: Option<HostingType>,
    /// `--web-path`
    pub web_path: Option<PathBuf>,
    /// `--disable-web`
    pub disable_web: bool,
}

impl Default for InitOptions {
    fn default() -> Self {
        Self {
            store_log: true,
            db_connection: DEFAULT_DB_CONNECTION.to_owned(),
            db_schema: DEFAULT_DB_SCHEMA.to_owned(),
            db_pool_size: DEFAULT_DB_POOL_SIZE,
            daily_stats: false,
            sign_algorithm: SignAlgorithm::Ed25519,
            ip: DEFAULT_IP.to_owned(),
            fqdn: None,
            password: PasswordChoice::Random,
            control_port: None,
            socks_proxy: None,
            own_domains: Vec::new(),
            source_code: None,
            server_country: None,
            operator: None,
            operator_country: None,
            website: None,
            hosting: None,
            hosting_country: None,
            hosting_type: None,
            web_path: None,
            disable_web: false,
        }
    }
}

/// Options that cannot be used together, or a value that cannot be written. The command line prints `Error: ` before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Information about the server counts only with `source_code`.
    #[error("passing any server information requires passing --source-code")]
    InformationWithoutSourceCode,
    /// A country of nobody.
    #[error("passing --operator-country requires passing --operator")]
    CountryWithoutOperator,
    /// A country of nobody.
    #[error("passing --hosting-country requires passing --hosting")]
    CountryWithoutHosting,
    /// An INI value is one line without control characters.
    #[error("the value of {0} cannot be written to the INI file: it is not one line of printable text")]
    NotOneLine(&'static str),
    /// The host would be refused at start, or left out of the address.
    #[error("the value of {0} is no host name or IP address")]
    Host(&'static str),
    /// The proxy would be refused at start.
    #[error("invalid --socks-proxy: {0}")]
    SocksProxy(String),
    /// The connection pool would be refused at start.
    #[error("invalid --pool-size: use 1 to 10000")]
    PoolSize,
}

impl InitOptions {
    /// Checks what can be checked before anything is written.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.source_code.is_none() && self.has_information() {
            return Err(OptionsError::InformationWithoutSourceCode);
        }
        if self.operator.is_none() && self.operator_country.is_some() {
            return Err(OptionsError::CountryWithoutOperator);
        }
        if self.hosting.is_none() && self.hosting_country.is_some() {
            return Err(OptionsError::CountryWithoutHosting);
        }
        for (option, host) in [("--fqdn", self.fqdn.as_deref()), ("--ip", Some(&*self.ip))] {
            if host.is_some_and(|host| host_name(host).is_none()) {
                return Err(OptionsError::Host(option));
            }
        }
        if !(1..=10_000).contains(&self.db_pool_size) {
            return Err(OptionsError::PoolSize);
        }
        if let Some(Err(error)) = self.socks_proxy.as_ref().map(|text| text.parse::<SocksProxy>()) {
            return Err(OptionsError::SocksProxy(error.to_string()));
        }
        self.check_values()
    }

    /// Name in the leaf certificate: FQDN, else IP address.
    pub fn common_name(&self) -> &str {
        self.fqdn.as_deref().unwrap_or(&self.ip)
    }

    /// Value of `[TRANSPORT] host`: FQDN, else a real IP address, else a placeholder.
    pub fn host(&self) -> &str {
        match &self.fqdn {
            Some(name) => name,
            None if self.ip == DEFAULT_IP => "<hostnames>",
            None => &self.ip,
        }
    }

    fn has_information(&self) -> bool {
        let texts = [&self.operator, &self.website, &self.hosting];
        let countries = [self.server_country, self.operator_country, self.hosting_country];
        texts.iter().any(|text| text.is_some()) || countries.iter().any(Option::is_some) || self.hosting_type.is_some()
    }

    /// INI files have no way to write line breaks: such values are refused, not altered.
    fn check_values(&self) -> Result<(), OptionsError> {
        let path = self.web_path.as_ref().map(|path| path.to_str().unwrap_or("\0"));
        let values = [
            ("--database", Some(self.db_connection.as_str())),
            ("--schema", Some(self.db_schema.as_str())),
            ("--ip", Some(self.ip.as_str())),
            ("--fqdn", self.fqdn.as_deref()),
            ("--source-code", self.source_code.as_deref()),
            ("--operator", self.operator.as_deref()),
            ("--operator-website", self.website.as_deref()),
            ("--hosting", self.hosting.as_deref()),
            ("--web-path", path),
        ];
        let domains = self.own_domains.iter().map(|domain| ("--own-domains", Some(domain.as_str())));
        match values
            .into_iter()
            .chain(domains)
            .find(|(_, value)| value.is_some_and(|text| text.contains(char::is_control)))
        {
            Some((option, _)) => Err(OptionsError::NotOneLine(option)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: impl FnOnce(&mut InitOptions)) -> String {
        let mut options = InitOptions::default();
        change(&mut options);
        options.check().map_or_else(|error| format!("Error: {error}"), |()| "none".to_owned())
    }

    #[test]
    fn information_needs_the_source_code() {
        let country: CountryCode = "cz".parse().unwrap();
        let without = "Error: passing any server information requires passing --source-code";
        assert_eq!(error(|options| options.website = Some("https://example.org".into())), without);
        assert_eq!(error(|options| options.hosting_type = Some(HostingType::Owned)), without);
        assert_eq!(error(|options| options.server_country = Some(country)), without);
        assert_eq!(
            error(|options| {
                options.source_code = Some("https://example.org".into());
                options.operator_country = Some(country);
            }),
            "Error: passing --operator-country requires passing --operator"
        );
        assert_eq!(
            error(|options| {
                options.source_code = Some("https://example.org".into());
                options.hosting_country = Some(country);
            }),
            "Error: passing --hosting-country requires passing --hosting"
        );
        assert_eq!(error(|_| {}), "none");
    }

    #[test]
    fn values_that_would_break_the_file_are_refused() {
        assert_eq!(
            error(|options| {
                options.source_code = Some("https://example.org".into());
                options.operator = Some("A\n[AUTH]".into());
            }),
            "Error: the value of --operator cannot be written to the INI file: it is not one line of printable text"
        );
        assert!(error(|options| options.own_domains = vec!["a\r".into()]).contains("--own-domains"));
        assert!(error(|options| options.socks_proxy = Some("host:port".into())).contains("--socks-proxy"));
        assert!(error(|options| options.db_pool_size = 0).contains("--pool-size"));
        for host in ["\"a.org\"", "a.org:5223", "https://a.org", "", "a.org,b.org"] {
            let refusal = "Error: the value of --fqdn is no host name or IP address";
            assert_eq!(error(|options| options.fqdn = Some(host.into())), refusal, "{host}");
        }
    }

    #[test]
    fn the_host_is_a_placeholder_until_it_is_known() {
        let mut options = InitOptions::default();
        assert_eq!((options.common_name(), options.host()), ("127.0.0.1", "<hostnames>"));
        options.ip = "192.0.2.7".to_owned();
        assert_eq!((options.common_name(), options.host()), ("192.0.2.7", "192.0.2.7"));
        options.fqdn = Some("smp.example.org".to_owned());
        assert_eq!((options.common_name(), options.host()), ("smp.example.org", "smp.example.org"));
    }
}
