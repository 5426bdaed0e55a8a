//! A server in the process of the test, on files that the test may make fail. It speaks over real TLS like any other.

use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use slog::{Discard, Logger, o};
use smp_actors::{EndReason, Machine, RunningServer, Server, ServerParts, Sockets};
use smp_client::protocol::address::{Host, ServerAddress};
use smp_config::certificates::NewChain;
use smp_config::paths::Directories;
use smp_config::settings::Settings;

/// Nothing is logged.
pub fn silent() -> Logger {
    Logger::root(Discard, o!())
}

/// A running server. It ends with the process, if it is not stopped.
pub struct InProcess {
    pub address: ServerAddress,
    server: RunningServer,
    thread: JoinHandle<EndReason>,
}

impl InProcess {
    /// Returns when it listens. `port = 0`, which no file can have, is any free port.
    pub fn start(settings: &str, state: &Path, chain: &NewChain, machine: Machine, logger: Logger) -> Self {
        let with_port = settings.replace("\nport = 0\n", "\nport = 5223\n");
        let parsed = Settings::parse(Path::new("smp-server.ini"), &with_port);
        let (mut parsed, _) = parsed.expect("the settings are right");
        if settings != with_port {
            parsed.transport.ports = vec![0];
        }
        let parts = ServerParts {
            settings: parsed,
            directories: Directories { config: state.to_owned(), state: state.to_owned() },
            credentials: chain.credentials(),
            skip_warnings: false,
            handle_signals: false,
            version: "",
            logger,
        };
        let (running, is_running) = mpsc::channel();
        let thread = thread::spawn(move || {
            let sockets = Sockets::bind(&parts.settings).expect("ports are free");
            let server = Server::load_on(machine, parts).expect("the state is sound");
            server.run(sockets, |server| drop(running.send(server))).expect("it ends well")
        });
        let server = is_running.recv().expect("it starts");
        let port = Some(server.listening[0].port());
        let hosts = vec![Host::V4([127, 0, 0, 1].into())];
        let address = ServerAddress { key_hash: chain.identity(), password: None, hosts, port };
        Self { address, server, thread }
    }

    /// Ends it in good order.
    pub fn stop(self) {
        self.server.stop();
        assert_eq!(self.thread.join().expect("it does not panic"), EndReason::Requested);
    }
}

/// Runs a server with these settings on this state until `meet` has met it; what `meet` returns.
pub fn run<T>(
    settings: &str,
    state: &Path,
    chain: &NewChain,
    machine: Machine,
    logger: Logger,
    meet: impl AsyncFnOnce(ServerAddress) -> T,
) -> T {
    let server = InProcess::start(settings, state, chain, machine, logger);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let met = runtime.block_on(meet(server.address.clone()));
    server.stop();
    met
}
