//! The actor around the resolver.

use std::sync::Arc;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised};
use slog::{Logger, info, warn};
use smp_protocol::command::Name;
use smp_protocol::error::NameError;
use smp_protocol::response::NameRecord;

use super::resolver::Resolver;
use crate::faults::{self, FaultPoint};
use crate::guard::Guard;

/// Resolves names, many at a time. After a panic it begins anew with other connections to the resolver.
pub struct Names {
    resolver: Arc<Resolver>,
    guard: Guard,
    logger: Logger,
}

impl Names {
    /// An actor for a resolver.
    pub fn new(resolver: Resolver, guard: Guard, logger: Logger) -> Self {
        Self { resolver: Arc::new(resolver), guard, logger }
    }
}

impl Actor for Names {
    type Context = Context<Self>;
}

impl Supervised for Names {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.resolver = Arc::new(self.resolver.renewed());
        self.guard.restarted();
    }
}

/// Asks what a name stands for.
#[derive(Debug, Message)]
#[rtype(result = "Result<NameRecord, NameError>")]
pub struct Resolve(pub Name);

impl Handler<Resolve> for Names {
    type Result = ResponseFuture<Result<NameRecord, NameError>>;

    fn handle(&mut self, Resolve(name): Resolve, context: &mut Self::Context) -> Self::Result {
        let (resolver, actor, guard) = (Arc::clone(&self.resolver), context.address(), self.guard.clone());
        let lookup = async move {
            faults::pass(FaultPoint::Names, None);
            resolver.resolve(&name).await
        };
        Box::pin(async move {
            guard.watch(lookup).await.unwrap_or_else(|| {
                actor.do_send(LookupPanicked);
                Err(NameError::Resolver("resolver error".to_owned()))
            })
        })
    }
}

/// A lookup panicked.
#[derive(Message)]
#[rtype(result = "()")]
struct LookupPanicked;

impl Handler<LookupPanicked> for Names {
    type Result = ();

    fn handle(&mut self, _: LookupPanicked, context: &mut Self::Context) {
        context.stop();
    }
}

/// Asks the resolver whether it is well, for the log. Nothing depends on it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Probe;

impl Handler<Probe> for Names {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Probe, _: &mut Self::Context) -> Self::Result {
        let (resolver, logger) = (Arc::clone(&self.resolver), self.logger.clone());
        let guard = self.guard.clone();
        let probe = async move {
            match resolver.probe().await {
                Ok(()) => info!(logger, "[NAMES] resolver {}: healthy", resolver.endpoint()),
                Err(problem) => warn!(
                    logger,
                    "[NAMES] resolver {}: {problem}; names are resolved only while it works",
                    resolver.endpoint()
                ),
            }
        };
        Box::pin(async move {
            let _ = guard.watch(probe).await;
        })
    }
}
