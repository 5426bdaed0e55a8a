//! A server in the process of the test, on files that the test may make fail. It speaks over real TLS like any other.

use std::path::Path;
use std::sync::Arc;

use slog::Logger;
use smp_actors::clock::Clock;
use smp_actors::{EndReason, RunningServer, Server, ServerParts, Sockets};
use smp_client::protocol::address::{Host, KeyHash, ServerAddress};
use smp_config::certificates::NewChain;
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_store::files::Files;

/// What a server runs on.
pub struct Machine {
    pub files: Arc<dyn Files>,
    pub clock: Clock,
    pub logger: Logger,
}

/// Runs a server with these settings on this state until `meet` has met it; what `meet` returns.
pub fn run<T>(
    settings: &str,
    state: &Path,
    chain: &NewChain,
    Machine { files, clock, logger }: Machine,
    meet: impl AsyncFnOnce(ServerAddress) -> T,
) -> T {
    let (settings, _) = Settings::parse(Path::new("smp-server.ini"), settings).expect("the settings are right");
    let parts = ServerParts {
        settings,
        directories: Directories { config: state.to_owned(), state: state.to_owned() },
        credentials: chain.credentials(),
        skip_warnings: false,
        handle_signals: false,
        version: "",
        logger,
    };
    let (running, is_running) = tokio::sync::oneshot::channel();
    let server = std::thread::spawn(move || {
        let sockets = Sockets::bind(&parts.settings).expect("ports are free");
        let server = Server::load_with(parts, files, clock).expect("the state is sound");
        server.run(sockets, |server| drop(running.send(server))).expect("it ends well")
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let met = runtime.block_on(async {
        let server = is_running.await.expect("it starts");
        let met = meet(address(chain.identity(), &server)).await;
        server.stop();
        met
    });
    assert_eq!(server.join().expect("it does not panic"), EndReason::Requested);
    met
}

fn address(key_hash: KeyHash, server: &RunningServer) -> ServerAddress {
    let port = Some(server.listening[0].port());
    ServerAddress { key_hash, password: None, hosts: vec![Host::V4([127, 0, 0, 1].into())], port }
}
