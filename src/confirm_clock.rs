//! `smp-server confirm-clock`: the clock has jumped, and it is right now.

use std::process::ExitCode;
use std::sync::Arc;

use smp_actors::Clock;
use smp_config::paths::Directories;
use smp_store::date::Date;
use smp_store::files::RealFiles;
use smp_store::time_record::TimeRecord;

use crate::not_initialized;
use crate::terminal::fail;

/// Remembers the time. A running server looks for it every minute, others when they start.
pub fn run(directories: &Directories) -> ExitCode {
    if !directories.ini().exists() {
        return not_initialized::refuse(&directories.ini());
    }
    let now = Clock::system().now();
    match TimeRecord::new(Arc::new(RealFiles), &directories.state).write(now) {
        Ok(()) => {
            say!("Today is {}: messages that are too old by that expire.", Date::from_unix_seconds(now));
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}
