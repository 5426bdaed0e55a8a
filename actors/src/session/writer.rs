//! Packs what waits in the outbox into blocks, as many transmissions as fit, and writes them.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use slog::error;
use smp_protocol::batch::{BatchWriter, Pushed};
use smp_protocol::error::ErrorType;
use smp_protocol::message::{Plain, seal_message};
use smp_protocol::response::{Response, encode_message_head, message_length};
use smp_protocol::transmission::Wire;
use smp_protocol::version::Version;
use smp_store::message_queue::{StoredContent, StoredMessage};
use smp_transport::block::WriteError;
use tokio::time::timeout;

use super::BlockSink;
use super::actor::SessionContext;
use super::bodies::{Bodies, Body, Read, at_hand};
use super::outbox::{Outbox, Outgoing};
use super::terms::Terms;
use crate::block_pool::PooledBlock;
use crate::registry::Answer;
use crate::session_handle::{Delivery, SessionHandle};

/// The writing part of a session.
pub(super) struct Writer {
    pub sink: BlockSink,
    pub outbox: Rc<Outbox>,
    pub bodies: Bodies,
    pub terms: Rc<Terms>,
    pub handle: Arc<SessionHandle>,
    pub context: Arc<SessionContext>,
    /// Something was too long to be sent, which is logged once.
    pub has_given_up: Cell<bool>,
}

impl Writer {
    /// Writes until the outbox is closed and empty, or the connection fails, or the client takes nothing for too long.
    pub async fn run(mut self) -> (BlockSink, Result<(), WriteError>) {
        let result = self.write_all().await;
        (self.sink, result)
    }

    async fn write_all(&mut self) -> Result<(), WriteError> {
        let limit = self.context.write_timeout;
        while self.outbox.wait_filled().await {
            // Buffers are taken only while there is something to write.
            let mut batch = BatchWriter::new();
            let mut block = PooledBlock::take();
            while self.pack(&mut batch).await {
                let written = timeout(limit, self.sink.write_content(batch.content(), &mut block)).await;
                written.map_err(io::Error::from)??;
                self.handle.note_sent(self.context.clock.now());
                batch.clear();
                if self.bodies.is_reading() {
                    self.flush().await?;
                }
            }
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), WriteError> {
        timeout(self.context.write_timeout, self.sink.flush()).await.map_err(io::Error::from)?
    }

    /// Fills a block; false if there is nothing to write.
    async fn pack(&mut self, batch: &mut BatchWriter) -> bool {
        while let Some((item, body)) = self.next(batch).await {
            match batch.push(|out| self.encode(&item, body.as_deref().unwrap_or_default(), out)) {
                Pushed::Added => {}
                Pushed::Full => {
                    self.outbox.put_back(item);
                    break;
                }
                Pushed::TooLong => self.give_up(item),
            }
        }
        !batch.is_empty()
    }

    /// The next transmission with its body. `None`: there is none, it needs a block of its own, or its body takes longer to be read
    /// than what is packed already should wait.
    async fn next(&mut self, batch: &BatchWriter) -> Option<(Outgoing, Body)> {
        loop {
            if !self.bodies.is_reading() {
                let item = self.outbox.pop()?;
                // Encrypting, and reading a body, is too much work to find out by it.
                if batch.room() < self.least_length(&item) {
                    if batch.is_empty() {
                        self.give_up(item);
                        continue;
                    }
                    self.outbox.put_back(item);
                    return None;
                }
                match at_hand(&item.content) {
                    Ok(body) => return Some((item, body)),
                    Err(place) => self.bodies.begin(item, place),
                }
            }
            match self.bodies.finish(batch.is_empty()).await {
                Read::Ready(item, body) => return Some((item, body)),
                Read::Nothing => {}
                Read::Later => return None,
            }
        }
    }

    /// No block has room for this: whoever waits for it is told that there is no answer.
    fn give_up(&self, item: Outgoing) {
        if !self.has_given_up.replace(true) {
            error!(self.context.logger, "a session has an answer that fits no block; its client is told INTERNAL");
        }
        if let Some(failure) = item.into_failure() {
            self.outbox.put_back(failure);
        }
    }

    /// Exact for messages, nothing for the rest.
    fn least_length(&self, item: &Outgoing) -> usize {
        match &item.content {
            Answer::Message(delivery) => {
                self.wire().response_length(&item.corr_id, &item.entity) + message_length(&delivery.message.id)
            }
            Answer::Response(_) => 0,
        }
    }

    fn wire(&self) -> Wire<'_> {
        Wire::connection(self.terms.version, &self.terms.session_id)
    }

    fn encode(&self, item: &Outgoing, body: &[u8], out: &mut Vec<u8>) {
        self.wire().write(&item.corr_id, &item.entity, out, |out| match &item.content {
            Answer::Response(response) => encode_response(response, self.terms.version, out),
            Answer::Message(delivery) => encode_delivery(delivery, body, out),
        });
    }
}

/// A response with a part that is longer than its length field can tell is no answer.
fn encode_response(response: &Response, version: Version, out: &mut Vec<u8>) {
    let start = out.len();
    if response.encode(version, out).is_err() {
        out.truncate(start);
        // Nothing in it has a length that is not known.
        let _ = Response::Error(ErrorType::Internal).encode(version, out);
    }
}

fn encode_delivery(delivery: &Delivery, body: &[u8], out: &mut Vec<u8>) {
    let Delivery { secret, message, .. } = delivery;
    encode_message_head(&message.id, out);
    seal_message(secret, &message.id, plain(message, body), out);
}

fn plain<'a>(message: &StoredMessage, body: &'a [u8]) -> Plain<'a> {
    let timestamp = message.timestamp;
    match &message.content {
        StoredContent::Message { notify, .. } => Plain::Message { timestamp, notify: *notify, body },
        StoredContent::QuotaMarker => Plain::QuotaExceeded { timestamp },
    }
}
