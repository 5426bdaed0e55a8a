//! State for a server to restore.

use std::fmt::Write;
use std::fs;
use std::time::SystemTime;

use super::place::Place;

pub const STORE_LOG: &str = "smp-server-store.log";
pub const MESSAGES: &str = "smp-server-messages.log";

impl Place {
    /// Makes as many queues, each with one message of this many bytes, and returns the lines of the messages log, sorted.
    /// The store log has two lines for each queue; after compaction one.
    pub fn with_messages(&self, queues: usize, bytes: usize) -> Vec<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs();
        let (mut store_log, mut messages) = (String::new(), Vec::new());
        // Any base64url of the right length is an ID, a key, a body.
        let body = "QUJD".repeat(bytes / 3);
        for queue in 0..queues {
            let _ = writeln!(
                store_log,
                "CREATE rid=R{queue:031} rk=MCowBQYDK2VwAyEAXckvS_C1KXcPVYB9tXIGVUQ0t_BQJoDPKGC6snkiY0g= \
                 rdh=dBPT71AUXqCUO1Fdck9jZtP4xQ_S45Sf5gNW2tzixR8= sid=S{queue:031} sk= queue_mode=M"
            );
            // A record that the next start leaves out.
            let _ =
                writeln!(store_log, "SECURE R{queue:031} MCowBQYDK2VwAyEAQ9gsf1k_wYyIbqsHSOmcpWV0kq67Urv4DnU0m0UXwAs=");
            messages.push(format!("v3 R{queue:031} M{queue:031} {now} flags=F {body}"));
        }
        fs::write(self.directories.store_log(), store_log).expect("the state can be written");
        fs::write(self.directories.messages_log(), messages.join("\n") + "\n").expect("the state can be written");
        messages
    }

    /// Lines of a file in the state directory, sorted.
    pub fn sorted_lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.directories.state.join(name)).expect("the file is there");
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}
