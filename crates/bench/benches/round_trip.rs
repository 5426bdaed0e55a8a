//! Through a whole server and back, over TLS on loopback: what passes session and registry. `cargo bench -p smp-bench`

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::try_join_all;
use slog::{Discard, Logger, o};
use smp_actors::clock::Clock;
use smp_actors::{Server, ServerParts, Sockets};
use smp_client::protocol::address::{Host, ServerAddress};
use smp_client::{Client, NewQueueOptions, Options, Queue};
use smp_config::certificates::{NewChain, SignAlgorithm};
use smp_config::paths::Directories;
use smp_config::settings::Settings;
use smp_store::files::RealFiles;

const SETTINGS: &str = "[STORE_LOG]\nenable = on\n[TRANSPORT]\nport = 0\nwebsockets = off\n[LIMITS]\nthreads = 1\n";
/// Queues whose commands share a block.
const QUEUES: usize = 100;

/// A server in this process, which ends with it.
fn server(state: &Path) -> ServerAddress {
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let key_hash = chain.identity();
    let (settings, _) = Settings::parse(Path::new("smp-server.ini"), SETTINGS).expect("the settings are right");
    let parts = ServerParts {
        settings,
        directories: Directories { config: state.to_owned(), state: state.to_owned() },
        credentials: chain.credentials(),
        skip_warnings: false,
        handle_signals: false,
        version: "",
        logger: Logger::root(Discard, o!()),
    };
    let (ready, port) = mpsc::channel();
    thread::spawn(move || {
        let sockets = Sockets::bind(&parts.settings).expect("ports are free");
        let server = Server::load_with(parts, Arc::new(RealFiles), Clock::system()).expect("the state is sound");
        server.run(sockets, |server| ready.send(server.listening[0].port()).expect("somebody waits")).expect("it runs");
    });
    let port = Some(port.recv().expect("it starts"));
    ServerAddress { key_hash, password: None, hosts: vec![Host::V4([127, 0, 0, 1].into())], port }
}

fn round_trips(criterion: &mut Criterion) {
    let state = tempfile::tempdir().expect("there is room");
    let address = server(state.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (client, queues) = runtime.block_on(async {
        let client = Client::connect(&address, &Options::default()).await.expect("it accepts");
        let queues = (0..QUEUES).map(|_| client.create_queue(NewQueueOptions::default()));
        let queues = try_join_all(queues).await.expect("queues can be made");
        (client, queues)
    });
    criterion.bench_function("PING", |bencher| {
        bencher.iter(|| runtime.block_on(client.ping()).expect("it answers"));
    });
    criterion.bench_function("SUB", |bencher| {
        bencher.iter(|| runtime.block_on(queues[0].subscribe()).expect("it answers"));
    });
    let mut group = criterion.benchmark_group("blocks");
    group.throughput(Throughput::Elements(QUEUES as u64));
    group.bench_function("SUB", |bencher| {
        bencher.iter(|| runtime.block_on(try_join_all(queues.iter().map(Queue::subscribe))).expect("it answers"));
    });
    group.finish();
}

criterion_group!(benches, round_trips);
criterion_main!(benches);
