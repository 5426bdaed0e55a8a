//! Many clients come back at the same time.

use std::time::Instant;

use futures_util::future::{join_all, try_join_all};
use structopt::StructOpt;

use super::Failure;
use crate::crowd::{CrowdSize, Member, dissolve, gather};
use crate::floor::Floor;
use crate::report::{Report, as_f64};
use crate::target::Target;

/// Connects many clients, has all of them leave and come back at once, and subscribe to everything.
#[derive(Debug, StructOpt)]
pub struct Storm {
    #[structopt(flatten)]
    target: Target,
    #[structopt(flatten)]
    size: CrowdSize,
}

impl Storm {
    /// Gathers, scatters and gathers again.
    pub async fn run(&self) -> Result<Report, Failure> {
        let members = gather(&self.target, &self.size).await?;
        let absent = join_all(members.into_iter().map(Member::leave)).await;

        let (options, meter, begin) = (self.target.options(), self.target.meter(), Instant::now());
        let back = absent.into_iter().map(|absent| absent.come_back(&self.target, &options));
        let members = try_join_all(back).await?;
        let elapsed = begin.elapsed();
        let cost = meter.cost();

        let mut report = Report::new("storm: clients come back at the same time");
        report.add_count("clients", self.size.clients);
        report.add_count("subscriptions", self.size.total());
        report.add("until all are subscribed", elapsed.as_secs_f64(), "s");
        report.add_rate("subscribed", self.size.total(), elapsed);
        // The handshakes are shared out among the subscriptions.
        let floor = Floor::measure();
        let handshakes = floor.per_handshake().div_f64(as_f64(self.size.queues.max(1)));
        let floor = floor.per_command() + handshakes;
        report.add_cost("subscription, connections included", self.size.total(), cost, Some(floor));
        report.add_memory("client with its subscriptions", self.size.clients, cost);
        dissolve(&members).await?;
        Ok(report)
    }
}
