//! What systemd does with a unit of the simple kind.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;
use tokio::time::timeout;

use crate::harness::GIVE_UP;
use crate::harness::process::Process;
use crate::host::Host;

pub struct Unit<'a> {
    host: &'a Host,
    service: HashMap<String, String>,
    process: Option<Process>,
    /// Lines of earlier runs.
    past: Vec<String>,
}

impl<'a> Unit<'a> {
    /// Reads the section `[Service]`.
    pub fn install(host: &'a Host, text: &str) -> Self {
        let lines = text.lines().skip_while(|line| *line != "[Service]").skip(1);
        let pairs = lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
        let service = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { host, service, process: None, past: Vec::new() }
    }

    pub async fn start(&mut self) {
        let process = Process::start(&mut self.host.shell(&format!("exec {}", self.service["ExecStart"])));
        let started = process.output().line(0, |line| line.contains("Server started"));
        timeout(GIVE_UP, started).await.expect("the server starts or ends").expect("the server starts");
        self.process = Some(process);
    }

    /// Sends `KillSignal`, waits, and runs `ExecStopPost`.
    pub async fn stop(&mut self) {
        assert_eq!(self.service["KillSignal"], "SIGINT");
        let status = self.end_by(Signal::INT).await;
        assert_eq!(status.code(), Some(0), "with another code systemd would call the service failed");
    }

    pub async fn kill_process(&mut self) {
        assert_eq!(self.end_by(Signal::KILL).await.signal(), Some(Signal::KILL.as_raw()));
    }

    async fn end_by(&mut self, signal: Signal) -> ExitStatus {
        let process = self.process.take().expect("the service runs");
        let output = process.output().clone();
        process.signal(signal);
        let status = process.exit().await;
        self.past.extend(output.lines());
        let result = if status.success() { "success" } else { "signal" };
        let mut stop_post = self.host.shell(&self.service["ExecStopPost"]);
        let stopped = stop_post.env("SERVICE_RESULT", result).status().expect("there is a shell");
        assert!(stopped.success(), "ExecStopPost fails");
        status
    }

    /// `Restart=always`; the wait before it is not the matter of the test.
    pub async fn is_restarted(&mut self) {
        assert_eq!(self.service["Restart"], "always");
        self.start().await;
    }

    /// Lines of all runs.
    pub fn journal(&self) -> Vec<String> {
        let present = self.process.as_ref().map(|process| process.output().lines());
        self.past.iter().cloned().chain(present.into_iter().flatten()).collect()
    }
}
