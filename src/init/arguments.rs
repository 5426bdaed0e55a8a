//! The options of `init`.

use std::path::PathBuf;
use std::str::FromStr;

use smp_config::certificates::SignAlgorithm;
use smp_config::init_options::{DEFAULT_CONTROL_PORT, DEFAULT_IP, DEFAULT_SOCKS_PROXY, InitOptions, PasswordChoice};
use smp_config::settings::{CountryCode, HostingType};
use smp_protocol::password::Password;
use structopt::StructOpt;

use crate::database_options::DatabaseOptions;

/// Where the source code is, unless the operator says otherwise.
pub const DEFAULT_SOURCE_CODE: &str = "https://github.com/simplex-chat/simplexmq";

/// Options of `init`. None has a `default_value`: with one, clap accepts the option without its value.
#[derive(Debug, StructOpt)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct InitArguments {
    /// Ask nothing; without this option the most important settings are asked for
    #[structopt(short = "y", long)]
    pub yes: bool,

    /// Domain name of the server, for its certificate and address
    #[structopt(short = "n", long, value_name = "FQDN")]
    fqdn: Option<String>,
    /// IP address of the server, for its certificate and address if there is no FQDN [default: 127.0.0.1]
    #[structopt(long, value_name = "IP")]
    ip: Option<String>,
    /// Algorithm of the certificates: ED25519 or ED448 [default: ED25519]
    #[structopt(short = "a", long, value_name = "ALG")]
    sign_algorithm: Option<SignAlgorithm>,

    /// Password for creating queues; a random one is made if not given
    #[structopt(long, value_name = "PASSWORD", conflicts_with = "no-password")]
    password: Option<Password>,
    /// Let everybody create queues
    #[structopt(long)]
    no_password: bool,

    /// Keep queues and messages over restarts; this is the default
    #[structopt(short = "l", long, conflicts_with = "disable-store-log")]
    store_log: bool,
    /// Lose queues and messages on every restart
    #[structopt(long)]
    disable_store_log: bool,
    /// Write daily statistics to a CSV file
    #[structopt(short = "s", long)]
    daily_stats: bool,
    #[structopt(flatten)]
    database: DatabaseOptions,

    /// Open a control port to this machine, with two passwords; 5224 if no PORT is given
    #[structopt(long, value_name = "PORT")]
    #[expect(clippy::option_option, reason = "absent, without a value, with a value")]
    control_port: Option<Option<Port>>,
    /// Reach onion hosts of other servers through a SOCKS proxy; 127.0.0.1:9050 if no PROXY is given
    #[structopt(long, value_name = "PROXY")]
    #[expect(clippy::option_option, reason = "absent, without a value, with a value")]
    socks_proxy: Option<Option<String>>,
    /// Domains of your servers, separated by commas, to be told apart in the statistics
    #[structopt(long, value_name = "DOMAINS")]
    own_domains: Option<String>,

    /// Where the source code of the server is, which its licence makes you tell; the code of the reference server if no
    /// URI is given
    #[structopt(long, value_name = "URI")]
    #[expect(clippy::option_option, reason = "absent, without a value, with a value")]
    source_code: Option<Option<String>>,
    /// Who runs the server
    #[structopt(long, value_name = "NAME")]
    operator: Option<String>,
    /// Country of the operator: two letters (ISO 3166)
    #[structopt(long, value_name = "COUNTRY")]
    operator_country: Option<CountryCode>,
    /// Website of the operator
    #[structopt(long, value_name = "WEBSITE")]
    operator_website: Option<String>,
    /// Country where the server stands: two letters (ISO 3166)
    #[structopt(long, value_name = "COUNTRY")]
    server_country: Option<CountryCode>,
    /// Who provides the machine
    #[structopt(long, value_name = "NAME")]
    hosting: Option<String>,
    /// Country of the hosting provider: two letters (ISO 3166)
    #[structopt(long, value_name = "COUNTRY")]
    hosting_country: Option<CountryCode>,
    /// Kind of machine: virtual, dedicated, colocation or owned
    #[structopt(long, value_name = "TYPE", parse(try_from_str = hosting_type))]
    hosting_type: Option<HostingType>,

    /// Directory for the pages about the server; www in the state directory if not given
    #[structopt(long, value_name = "PATH", parse(from_str))]
    web_path: Option<PathBuf>,
    /// Serve no pages over HTTPS
    #[structopt(long)]
    disable_web: bool,
}

/// A TCP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Port(u16);

impl FromStr for Port {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().filter(|port| *port > 0).map(Self).ok_or("use a port from 1 to 65535")
    }
}

fn hosting_type(word: &str) -> Result<HostingType, &'static str> {
    let known = HostingType::WORDS.iter().find(|(known, _)| *known == word);
    known.map(|(_, kind)| *kind).ok_or("use virtual, dedicated, colocation or owned")
}

impl From<InitArguments> for InitOptions {
    fn from(arguments: InitArguments) -> Self {
        let password = match arguments.password {
            Some(password) => PasswordChoice::Given(password),
            None if arguments.no_password => PasswordChoice::None,
            None => PasswordChoice::Random,
        };
        Self {
            store_log: arguments.store_log || !arguments.disable_store_log,
            db_connection: arguments.database.connection().to_owned(),
            db_schema: arguments.database.schema().to_owned(),
            db_pool_size: arguments.database.pool_size(),
            daily_stats: arguments.daily_stats,
            sign_algorithm: arguments.sign_algorithm.unwrap_or_default(),
            ip: arguments.ip.unwrap_or_else(|| DEFAULT_IP.to_owned()),
            fqdn: arguments.fqdn,
            password,
            control_port: arguments.control_port.map(|port| port.map_or(DEFAULT_CONTROL_PORT, |Port(port)| port)),
            socks_proxy: arguments.socks_proxy.map(|proxy| proxy.unwrap_or_else(|| DEFAULT_SOCKS_PROXY.to_owned())),
            own_domains: arguments.own_domains.as_deref().map(domains).unwrap_or_default(),
            source_code: arguments.source_code.map(|uri| uri.unwrap_or_else(|| DEFAULT_SOURCE_CODE.to_owned())),
            server_country: arguments.server_country,
            operator: arguments.operator,
            operator_country: arguments.operator_country,
            website: arguments.operator_website,
            hosting: arguments.hosting,
            hosting_country: arguments.hosting_country,
            hosting_type: arguments.hosting_type,
            web_path: arguments.web_path,
            disable_web: arguments.disable_web,
        }
    }
}

fn domains(list: &str) -> Vec<String> {
    let domains = list.split(|character: char| character == ',' || character.is_whitespace());
    domains.filter(|domain| !domain.is_empty()).map(str::to_owned).collect()
}
