//! Clients that ask for much and read nothing.

use std::time::Duration;

use smp_client::protocol::batch::{BatchWriter, MAX_TRANSMISSIONS, Pushed};
use smp_client::protocol::command::{Command, LinkCommand, LinkData};
use smp_client::protocol::id::{CorrId, LinkId};
use smp_client::protocol::transmission::{Credentials, Wire};
use smp_client::protocol::version::{Version, VersionRange};
use smp_client::transport::block::new_block;
use smp_client::transport::connect::Connector;
use smp_client::transport::handshake::{ClientHandshake, ClientSession};
use smp_client::transport::tls::TlsClient;
use smp_client::{Client, ClientError, NewQueueOptions, Queue, QueueKind};
use structopt::StructOpt;
use tokio::time::sleep;

use super::{Failure, progress};
use crate::report::{Report, as_f64};
use crate::target::Target;

/// Time for a handshake.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at the memory of the server.
const LOOK: Duration = Duration::from_millis(100);

/// Clients ask for 15 KB of link data, 255 times in each block, and never read.
#[derive(Debug, StructOpt)]
pub struct Unread {
    #[structopt(flatten)]
    target: Target,
    /// Clients
    #[structopt(long, default_value = "100")]
    clients: u64,
    /// Blocks of each
    #[structopt(long, default_value = "4")]
    blocks: usize,
    /// How long its memory is watched while they are there, and again when they are gone
    #[structopt(long, default_value = "20")]
    seconds: u64,
}

impl Unread {
    /// Asks, and reads nothing.
    pub async fn run(&self) -> Result<Report, Failure> {
        let owner = Client::connect(&self.target.address, &self.target.options()).await?;
        let data = LinkData { fixed: vec![1; 2_000].into(), user: vec![2; 13_000].into() };
        let link = LinkId::random();
        let kind = QueueKind::Contact(Some((link.clone(), data)));
        let options = NewQueueOptions { kind, subscribe: false, ..NewQueueOptions::default() };
        let queue = owner.create_queue(options).await?;
        let measured = self.measure(&link, &queue).await;
        queue.delete().await?;
        measured
    }

    async fn measure(&self, link: &LinkId, queue: &Queue) -> Result<Report, Failure> {
        let before = self.resident()?;
        let bar = progress(self.clients, "clients");
        let mut clients = Vec::new();
        for _ in 0..self.clients {
            clients.push(self.ask(link).await?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let most = self.watch(queue, u64::max).await?;
        drop(clients);
        let after = self.watch(queue, u64::min).await?;
        let mut report = Report::new("unread: clients that ask for much and read nothing");
        report.add_count("clients", self.clients);
        let grown = as_f64(most.saturating_sub(before));
        report.add("server's memory before", as_f64(before) / 1e6, "MB");
        report.add("server's memory with them", as_f64(most) / 1e6, "MB");
        report.add("server's memory when they are gone", as_f64(after) / 1e6, "MB");
        report.add("server's memory per client", grown / as_f64(self.clients.max(1)), "B");
        Ok(report)
    }

    fn resident(&self) -> Result<u64, Failure> {
        let usage = self.target.usage();
        usage
            .map(|usage| usage.resident)
            .ok_or_else(|| Failure::Wrong("--pid is needed, of a process that is there".into()))
    }

    /// The greatest or the least that the server uses for a while.
    async fn watch(&self, queue: &Queue, of: fn(u64, u64) -> u64) -> Result<u64, Failure> {
        let mut found = self.resident()?;
        let looks = Duration::from_secs(self.seconds).as_millis() / LOOK.as_millis();
        for _ in 0..looks {
            sleep(LOOK).await;
            // Others are served meanwhile.
            queue.info().await?;
            found = of(found, self.resident()?);
        }
        Ok(found)
    }

    async fn ask(&self, link: &LinkId) -> Result<ClientSession, Failure> {
        let version = Version(self.target.protocol);
        let handshake = ClientHandshake {
            versions: VersionRange::single(version),
            send_key: true,
            is_proxy: false,
            service: None,
            limit: LIMIT,
        };
        let connector = Connector { tls: TlsClient::default(), handshake, keep_alive: None, limit: LIMIT };
        let (host, port) = self.target.host_and_port();
        let session = connector.connect(&host, port, &self.target.address.key_hash.0).await;
        let mut session = session.map_err(ClientError::from)?;
        let wire = Wire::connection(version, &session.session_id);
        for _ in 0..self.blocks {
            let mut batch = BatchWriter::new();
            for _ in 0..MAX_TRANSMISSIONS {
                let credentials = Credentials { key: None, session_key: None, service: None };
                let (corr_id, command) = (CorrId::random(), Command::Link(LinkCommand::Get));
                let write = |out: &mut Vec<u8>| {
                    wire.write_command(&command, &corr_id, &link.clone().into(), &credentials, out);
                };
                if batch.push(write) != Pushed::Added {
                    break;
                }
            }
            let written = session.writer.write_content(batch.content(), &mut new_block()).await;
            written.map_err(|error| Failure::Wrong(error.to_string()))?;
            session.writer.flush().await.map_err(|error| Failure::Wrong(error.to_string()))?;
        }
        Ok(session)
    }
}
