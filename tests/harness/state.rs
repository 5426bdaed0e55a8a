//! What the server leaves on disk (behaviour.md §8.1).

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use super::server::Server;

pub const STORE_LOG: &str = "smp-server-store.log";
pub const MESSAGES: &str = "smp-server-messages.log";
pub const NOTIFICATIONS: &str = "smp-server-ntfs.log";
pub const STATISTICS: &str = "smp-server-stats.log";
pub const METRICS: &str = "smp-server-metrics.txt";

/// An ID as it stands in the files.
pub fn base64url(id: impl AsRef<[u8]>) -> String {
    URL_SAFE.encode(id)
}

impl Server {
    /// The lines of a file; none if it does not exist.
    pub fn lines_of(&self, name: &str) -> Vec<String> {
        match fs::read_to_string(self.state_file(name)) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// The lines of the store log, without those that only the date of the day causes.
    pub fn store_log(&self) -> Vec<String> {
        let lines = self.lines_of(STORE_LOG).into_iter();
        lines.filter(|line| !line.starts_with("TIME ")).collect()
    }

    /// Replaces the lines of a file.
    pub fn write_lines(&self, name: &str, lines: &[String]) {
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        fs::write(self.state_file(name), text).expect("the file can be written");
    }

    /// Appends to a file as it is, without an end of line.
    pub fn append(&self, name: &str, text: &str) {
        let path = self.state_file(name);
        let mut file = OpenOptions::new().append(true).open(path).expect("the file exists");
        file.write_all(text.as_bytes()).expect("the file can be written");
    }

    /// The `name=value` lines of the saved statistics. Names below a headline ending in `:` have it in front.
    pub fn statistics(&self) -> HashMap<String, String> {
        let mut headline = String::new();
        let mut values = HashMap::new();
        for line in self.lines_of(STATISTICS) {
            if line.ends_with(':') {
                headline.clone_from(&line);
            } else if let Some((name, value)) = line.split_once('=') {
                values.insert(name.to_owned(), value.to_owned());
                values.insert(format!("{headline}{name}"), value.to_owned());
            }
        }
        values
    }

    /// Makes messages that were saved older by some seconds: those whose numbers in the file `which` selects.
    pub fn age_messages(&self, seconds: i64, which: impl Fn(usize) -> bool) {
        let mut lines = self.lines_of(MESSAGES);
        for (_, line) in lines.iter_mut().enumerate().filter(|(number, _)| which(*number)) {
            let mut fields: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let time: i64 = fields[3].parse().expect("the fourth field is the time");
            fields[3] = (time - seconds).to_string();
            *line = fields.join(" ");
        }
        self.write_lines(MESSAGES, &lines);
    }
}
