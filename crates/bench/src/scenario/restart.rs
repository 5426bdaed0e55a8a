//! The server is started again while clients are connected.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use smp_client::{Event, Options};
use structopt::StructOpt;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::Failure;
use crate::crowd::{Absent, CrowdSize, Member, dissolve, gather};
use crate::report::{Report, as_f64};
use crate::target::Target;

/// How long a client waits before it tries again.
const RETRY: Duration = Duration::from_millis(20);
/// A server that does not come back until then does not come back.
const GIVE_UP: Duration = Duration::from_mins(10);
/// How long a message may take once everybody is subscribed.
const PATIENCE: Duration = Duration::from_secs(10);
const BODY: &[u8] = b"sent before the restart";

/// Runs a command that starts the server again, and waits until all clients are subscribed again. Every client has a message
/// waiting, and it is counted how many are still there.
#[derive(Debug, StructOpt)]
pub struct Restart {
    #[structopt(flatten)]
    target: Target,
    #[structopt(flatten)]
    size: CrowdSize,
    /// Starts the server again; given to sh
    #[structopt(long)]
    command: String,
    /// Queues on the server, of others too, by which its memory after the start is divided
    #[structopt(long)]
    stored: Option<u64>,
}

impl Restart {
    /// Gathers, starts again and gathers again.
    pub async fn run(&self) -> Result<Report, Failure> {
        let members = gather(&self.target, &self.size).await?;
        for member in &members {
            if let Some(queue) = member.queues.first() {
                member.client.sender(queue.sender_id()).send(BODY).await?;
            }
        }
        let begin = Instant::now();
        let left = join_all(members.into_iter().map(async |member| {
            let disconnection = member.client.closed();
            drop(timeout(GIVE_UP, disconnection).await);
            member.leave().await
        }));
        let ((), absent) = tokio::try_join!(self.start_again(), async { Ok(left.await) })?;

        let options = self.target.options();
        self.first(&options).await?;
        let available = begin.elapsed();
        let loaded = self.target.usage();
        let members = try_join_all(absent.into_iter().map(|absent| absent.come_back(&self.target, &options))).await?;
        let subscribed = begin.elapsed();
        let found = join_all(members.iter().map(waiting)).await.into_iter().filter(|&found| found).count() as u64;

        let mut report = Report::new("restart: the server is started again");
        report.add_count("clients", self.size.clients);
        report.add_count("subscriptions", self.size.total());
        report.add("from the command to the first connection", available.as_secs_f64(), "s");
        report.add("until all are subscribed again", subscribed.as_secs_f64(), "s");
        report.add_count("messages waiting before", self.size.clients);
        report.add_count("messages waiting after", found);
        if let Some(usage) = loaded {
            report.add("server's memory after the start", as_f64(usage.resident) / 1e6, "MB");
            report.add("server's processor time until then", usage.processor.as_secs_f64(), "s");
            if let Some(stored) = self.stored {
                report.add("server's memory after the start per queue", as_f64(usage.resident) / as_f64(stored), "B");
            }
        }
        dissolve(&members).await?;
        Ok(report)
    }

    async fn start_again(&self) -> Result<(), Failure> {
        let status = Command::new("sh").args(["-c", &self.command]).status().await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::Command(format!("--command: {status}"))),
            Err(error) => Err(Failure::Command(format!("--command: cannot run sh: {error}"))),
        }
    }

    /// Waits until somebody can connect.
    async fn first(&self, options: &Options) -> Result<(), Failure> {
        let connected = async {
            while Absent::default().come_back(&self.target, options).await.is_err() {
                sleep(RETRY).await;
            }
        };
        timeout(GIVE_UP, connected).await.map_err(|_| Failure::Wrong("the server did not come back".to_owned()))
    }
}

/// Whether the message is still there.
async fn waiting(member: &Member) -> bool {
    match timeout(PATIENCE, member.client.next_event()).await {
        Ok(Ok(Event::Message(_, message))) => member.queues.first().is_some_and(|queue| queue.open(&message).is_ok()),
        _ => false,
    }
}
