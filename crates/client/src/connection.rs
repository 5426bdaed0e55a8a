//! The task of a connection: it reads, it writes, and it tells everybody when it ends.

use std::convert::Infallible;
use std::sync::Arc;

use smp_protocol::batch;
use smp_protocol::block::BLOCK_SIZE;
use smp_protocol::encoding::Malformed;
use smp_protocol::response::Response;
use smp_transport::block::{BlockReader, BlockWriter, CLOSE_LIMIT, Disconnected, close};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::outgoing::{Submission, requested, transmit};
use crate::pending::Pending;
use crate::session::Session;
use crate::{Disconnection, Event};

/// What the task shares with the handles.
pub(crate) struct Ends {
    pub(crate) session: Arc<Session>,
    pub(crate) pending: EndOnDrop,
    pub(crate) submissions: mpsc::Receiver<Submission>,
    /// `None`: events are thrown away.
    pub(crate) events: Option<mpsc::Sender<Event>>,
    /// Closing is asked for by true, or by the end of the handles.
    pub(crate) closing: watch::Receiver<bool>,
    /// Dropped when the socket is closed.
    pub(crate) finished: watch::Sender<()>,
}

/// Serves the connection until it ends, and closes it.
pub(crate) async fn run<R, W>(mut reader: BlockReader<R>, mut writer: BlockWriter<W>, ends: Ends)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Ends { session, pending, mut submissions, events, mut closing, finished } = ends;
    let reason = tokio::select! {
        Err(disconnected) = receive(&mut reader, &session, &pending.0, events.as_ref()) => disconnected.into(),
        written = transmit(&mut writer, &mut submissions, closing.clone()) => match written {
            Ok(()) => Disconnection::Local,
            Err(error) => error.into(),
        },
        () = async { requested(&mut closing).await; sleep(CLOSE_LIMIT).await } => Disconnection::Local,
    };
    pending.0.end(reason);
    drop((submissions, events));
    close(reader, writer).await;
    drop(finished);
}

/// Ends the requests even if the task is dropped with its runtime.
pub(crate) struct EndOnDrop(pub(crate) Arc<Pending>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end(Disconnection::Local);
    }
}

async fn receive<R: AsyncRead + Unpin>(
    reader: &mut BlockReader<R>,
    session: &Session,
    pending: &Pending,
    events: Option<&mpsc::Sender<Event>>,
) -> Result<Infallible, Disconnected> {
    loop {
        reader.ready().await?;
        let mut block = Box::new([0; BLOCK_SIZE]);
        let content = reader.read(&mut block).await?;
        pending.block_received();
        let transmissions = content.map_err(|_| Malformed).and_then(batch::split);
        let Ok(transmissions) = transmissions else {
            report(events, Event::Malformed).await;
            continue;
        };
        for transmission in transmissions {
            if let Some(event) = sort(transmission, session, pending) {
                report(events, event).await;
            }
        }
    }
}

/// Hands an answer to who waits for it; gives back what is none.
fn sort(transmission: &[u8], session: &Session, pending: &Pending) -> Option<Event> {
    let Ok(transmission) = session.wire().read(transmission) else { return Some(Event::Malformed) };
    let (entity, body) = (transmission.entity, transmission.body);
    if transmission.corr_id.is_empty() {
        return Some(Event::decode(entity, body, session.version));
    }
    pending.resolve(&transmission.corr_id, entity, Response::decode(body, session.version));
    None
}

/// Waits while the buffer is full, so that nothing more is read.
async fn report(events: Option<&mpsc::Sender<Event>>, event: Event) {
    if let Some(events) = events {
        // Fails only when the client is gone, and then the connection is about to end.
        let _ = events.send(event).await;
    }
}
