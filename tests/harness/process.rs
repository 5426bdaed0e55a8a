//! A running program. It is killed when it is dropped, so that no failed test leaves one behind.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use super::GIVE_UP;
use super::output::Output;

/// A program started by a test.
pub struct Process {
    child: Child,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts a program with nothing on its standard input.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let stdout: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("standard output is piped"));
        let stderr: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("standard error is piped"));
        let (output, readers) = Output::collect(vec![stdout, stderr]);
        Self { child, output, readers }
    }

    /// What it has written.
    pub fn output(&self) -> &Arc<Output> {
        &self.output
    }

    /// Its process ID.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the program has not been waited for");
    }

    /// Waits until it ends.
    pub async fn exit(mut self) -> ExitStatus {
        timeout(GIVE_UP, self.output.ended()).await.expect("the program ends");
        self.reap()
    }

    fn reap(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("the program can be waited for");
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        self.reap();
    }
}
