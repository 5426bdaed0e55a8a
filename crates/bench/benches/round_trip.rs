//! Through a whole server and back, over TLS on loopback: what passes session and registry. `cargo bench -p smp-bench`

#[allow(dead_code, reason = "shared with test programs, each of which needs its part")]
#[path = "../../../tests/harness/in_process.rs"]
mod in_process;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::try_join_all;
use in_process::{InProcess, silent};
use smp_actors::Machine;
use smp_client::{Client, NewQueueOptions, Options, Queue};
use smp_config::certificates::{NewChain, SignAlgorithm};

const SETTINGS: &str = "[STORE_LOG]\nenable = on\n[TRANSPORT]\nport = 0\nwebsockets = off\n[LIMITS]\nthreads = 1\n";
/// Queues whose commands share a block.
const QUEUES: usize = 100;

fn round_trips(criterion: &mut Criterion) {
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let server = InProcess::start(SETTINGS, state.path(), &chain, Machine::default(), silent());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (client, queues) = runtime.block_on(async {
        let client = Client::connect(&server.address, &Options::default()).await.expect("it accepts");
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
    server.stop();
}

criterion_group!(benches, round_trips);
criterion_main!(benches);
