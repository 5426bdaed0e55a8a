//! `smp-server database` (operations.md §1.7, §10.6).

use std::process::ExitCode;
use std::str::FromStr;

use smp_config::paths::Directories;
use smp_config::settings::ConnectionString;
use structopt::StructOpt;

use crate::command_line::{HELP, OPTIONS};
use crate::database_options::DatabaseOptions;
use crate::not_initialized;
use crate::terminal::fail;

/// Options and subcommand of `database`.
#[derive(Debug, StructOpt)]
pub struct DatabaseArguments {
    #[structopt(flatten)]
    options: Options,
    #[structopt(subcommand)]
    command: DatabaseCommand,
}

/// What to do with the database.
#[derive(Debug, StructOpt)]
enum DatabaseCommand {
    /// Move queues and messages from files to a new schema
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server database import [OPTIONS]")]
    Import(Options),
    /// Copy queues and messages from the database to new files
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server database export [OPTIONS]")]
    Export(Options),
    /// Show how to delete the schema
    #[structopt(template = OPTIONS, help_message = HELP, usage = "smp-server database delete [OPTIONS]")]
    Delete(Options),
}

/// Options of every subcommand; they may stand before or after it.
#[derive(Debug, StructOpt)]
struct Options {
    /// What to move: queues, messages or all [default: all]
    #[structopt(long, value_name = "TABLE")]
    table: Option<Table>,
    #[structopt(flatten)]
    database: DatabaseOptions,
}

/// What to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Queues,
    Messages,
    All,
}

impl FromStr for Table {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "queues" => Ok(Self::Queues),
            "messages" => Ok(Self::Messages),
            "all" => Ok(Self::All),
            _ => Err("use queues, messages or all"),
        }
    }
}

/// Says what would be worked on; this program has no database to do it with.
pub fn run(directories: &Directories, arguments: DatabaseArguments) -> ExitCode {
    if let Some(ini) = not_initialized::missing_ini(directories) {
        return not_initialized::refuse(&ini);
    }
    let (options, done) = match arguments.command {
        DatabaseCommand::Import(options) => (options, "imported"),
        DatabaseCommand::Export(options) => (options, "exported"),
        DatabaseCommand::Delete(options) => (options, "deleted"),
    };
    let what = match options.table.or(arguments.options.table).unwrap_or(Table::All) {
        Table::Queues => "no queues were",
        Table::Messages => "no messages were",
        Table::All => "nothing was",
    };
    let database = options.database.or(arguments.options.database);
    let connection = ConnectionString::new(database.connection());
    let (schema, connections) = (database.schema(), database.pool_size());
    say!("PostgreSQL database: {connection}, schema: {schema}, connections: {connections}");
    fail(format_args!("this program has no PostgreSQL storage: {what} {done}"))
}
