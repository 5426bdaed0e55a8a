//! How to reach PostgreSQL: options of `init`, which writes them to the INI, and of `database`.

use smp_config::init_options::{DEFAULT_DB_CONNECTION, DEFAULT_DB_POOL_SIZE, DEFAULT_DB_SCHEMA};
use structopt::StructOpt;

/// The options. None has a `default_value`: with one, clap accepts the option without its value.
#[derive(Debug, StructOpt)]
pub struct DatabaseOptions {
    /// PostgreSQL connection [default: postgresql://smp@/smp_server_store]
    #[allow(rustdoc::broken_intra_doc_links, reason = "the text is for the terminal")]
    #[structopt(short = "d", long, value_name = "DB_CONN")]
    database: Option<String>,
    /// PostgreSQL schema [default: smp_server]
    #[structopt(long, value_name = "DB_SCHEMA")]
    schema: Option<String>,
    /// Connections to PostgreSQL [default: 10]
    #[structopt(long, value_name = "POOL_SIZE", parse(try_from_str = pool_size))]
    pool_size: Option<u32>,
}

impl DatabaseOptions {
    /// These options, and of `others` those that are not among them.
    pub fn or(self, others: Self) -> Self {
        Self {
            database: self.database.or(others.database),
            schema: self.schema.or(others.schema),
            pool_size: self.pool_size.or(others.pool_size),
        }
    }

    /// The connection string.
    pub fn connection(&self) -> &str {
        self.database.as_deref().unwrap_or(DEFAULT_DB_CONNECTION)
    }

    /// The schema.
    pub fn schema(&self) -> &str {
        self.schema.as_deref().unwrap_or(DEFAULT_DB_SCHEMA)
    }

    /// Connections per pool.
    pub fn pool_size(&self) -> u32 {
        self.pool_size.unwrap_or(DEFAULT_DB_POOL_SIZE)
    }
}

fn pool_size(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|size| (1..=10_000).contains(size)).ok_or("use a number from 1 to 10000")
}
