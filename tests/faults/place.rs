//! Where actors panic: a server in this process, one at a time, because a fault is armed for all of it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smp_actors::Machine;
use smp_actors::clock::Clock;
use smp_client::protocol::address::ServerAddress;
use smp_client::{Client, NewQueueOptions, Options, Queue};
use smp_config::certificates::{NewChain, SignAlgorithm};
use smp_store::files::RealFiles;
use smp_store::files::faulty::{Faults, FaultyFiles};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::harness::GIVE_UP;
use crate::harness::control::{ADMIN, Control, USER};
use crate::harness::log::Log;
use crate::harness::relay::free_port;
use crate::in_process;

static ALONE: Mutex<()> = Mutex::new(());

/// A running server and what it runs on.
pub struct Place {
    pub address: ServerAddress,
    pub control_port: u16,
    pub log: Log,
    pub faults: Faults,
    pub clock: Arc<AtomicI64>,
}

/// Meets a server with these settings in `[STORE_LOG]` and `[LIMITS]`, and ends it in good order.
pub fn with_server(store_log: &str, limits: &str, meet: impl AsyncFnOnce(&Place, &TempDir)) {
    let _alone: MutexGuard<'_, ()> = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let state = tempfile::tempdir().expect("there is room");
    let chain = NewChain::generate(SignAlgorithm::Ed25519, "localhost").expect("certificates can be made");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let control_port = runtime.block_on(free_port());
    let settings = format!(
        "[STORE_LOG]\nenable = on\n{store_log}\n\
         [TRANSPORT]\nport = 0\nwebsockets = off\ncontrol_port = {control_port}\n\
         [AUTH]\ncontrol_port_admin_password = {ADMIN}\ncontrol_port_user_password = {USER}\n\
         [LIMITS]\nthreads = 1\n{limits}\n"
    );
    let (files, faults) = FaultyFiles::new(Arc::new(RealFiles));
    let clock = Arc::new(AtomicI64::new(Clock::system().now()));
    let machine = Machine { files: Arc::new(files), clock: Clock::set_by(Arc::clone(&clock)), ..Machine::default() };
    let log = Log::default();
    in_process::run(&settings, state.path(), &chain, machine, log.logger(), async |address| {
        let place = Place { address, control_port, log, faults, clock };
        meet(&place, &state).await;
    });
}

impl Place {
    pub async fn connect(&self) -> Client {
        Client::connect(&self.address, &Options::default()).await.expect("the server accepts clients")
    }

    /// So many new queues, to which nobody is subscribed.
    pub async fn queues(&self, client: &Client, count: usize) -> Vec<Queue> {
        let mut queues = Vec::new();
        for _ in 0..count {
            let options = NewQueueOptions { subscribe: false, ..NewQueueOptions::default() };
            queues.push(client.create_queue(options).await.expect("a queue can be created"));
        }
        queues
    }

    /// Waits until the operator is told this line.
    pub async fn server_info(&self, line: &str) {
        let told = async {
            loop {
                let info = Control::admin(self.control_port).await.all_of("server-info").await;
                if info.lines().any(|told| told == line) {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(GIVE_UP, told).await.is_ok(), "server-info never has {line:?}");
    }

    /// The clock shows this many seconds more.
    pub fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }
}
