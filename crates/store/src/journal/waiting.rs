//! Messages that a start found in the journal. There may be millions, and most queues are not used for a long time: what is
//! known of them is kept in the order of queues, and their messages are made when a queue is used first.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use smp_protocol::id::MessageId;

use super::buckets::Found;
use super::key_table::{FoundKeys, QueueKey};
use super::record::{Header, Kind};
use super::segment::{Filed, Segment};
use crate::message_body::MessageBody;
use crate::message_queue::{MessageQueue, StoredContent, StoredMessage};

/// Messages of a queue that are still to be made. Their segments stay as long as they wait.
pub struct Waiting {
    backlog: Arc<Backlog>,
    /// Those of this queue; nothing once they are made.
    places: Range<u32>,
}

/// Messages of many queues.
pub(super) struct Backlog {
    /// All segments of the journal.
    pub(super) segments: Arc<[Arc<Segment>]>,
    /// As several threads found them.
    pub(super) records: Vec<Vec<Found>>,
    /// The messages among them, in the order of queues and within these of messages.
    pub(super) places: Vec<Place>,
}

/// Which record it is: the number of the thread that found it, and a number among what that found.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) thread: u32,
    pub(super) number: u32,
}

impl Backlog {
    pub(super) fn record(&self, place: Place) -> &Found {
        &self.records[place.thread as usize][place.number as usize]
    }

    pub(super) fn segment(&self, found: &Found) -> &Arc<Segment> {
        &self.segments[found.segment as usize]
    }
}

impl Waiting {
    /// The messages in these places, which must belong to one queue. Their segments count them already.
    pub(super) fn new(backlog: &Arc<Backlog>, places: Range<u32>) -> Self {
        Self { backlog: Arc::clone(backlog), places }
    }

    /// Number of messages, a marker included.
    pub fn len(&self) -> usize {
        self.indices().len()
    }

    fn indices(&self) -> Range<usize> {
        self.places.start as usize..self.places.end as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Takes all of them.
    pub(super) fn take(&mut self) -> Self {
        Self { backlog: Arc::clone(&self.backlog), places: std::mem::take(&mut self.places) }
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Found> {
        self.backlog.places[self.indices()].iter().map(|place| self.backlog.record(*place))
    }

    /// Markers, each with the place of its segment among all.
    pub(super) fn markers(&self) -> impl Iterator<Item = (usize, MessageId)> {
        let markers = self.records().filter(|found| found.header.kind == Kind::QuotaMarker);
        markers.map(|found| (found.segment as usize, found.header.message))
    }

    /// The segment of each message that has a body.
    fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.records().filter(|found| found.is_message()).map(|found| self.backlog.segment(found))
    }

    /// The messages, sealed ones with their keys.
    pub(super) fn opened_with(self, keys: &FoundKeys) -> MessageQueue {
        let mut messages = VecDeque::with_capacity(self.len());
        messages.extend(self.records().filter_map(|found| stored(self.backlog.segment(found), found, keys)));
        MessageQueue::restored(messages)
    }
}

/// Messages that are not sealed.
impl From<Waiting> for MessageQueue {
    fn from(waiting: Waiting) -> Self {
        waiting.opened_with(&FoundKeys::new())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.segments().for_each(|segment| segment.release());
    }
}

fn stored(segment: &Arc<Segment>, found: &Found, keys: &FoundKeys) -> Option<StoredMessage> {
    let header = &found.header;
    let content = match header.kind {
        Kind::Message { notify } => {
            let body = Filed::new(segment, found.offset, header).opened_with(key_of(header, keys));
            StoredContent::Message { notify, body: MessageBody::Filed(body) }
        }
        Kind::QuotaMarker => StoredContent::QuotaMarker,
        Kind::Removal => return None,
    };
    Some(StoredMessage { id: header.message, timestamp: header.timestamp, content })
}

/// The newest key that was in use when the message was stored.
pub(super) fn key_of(header: &Header, keys: &FoundKeys) -> Option<Arc<QueueKey>> {
    let keys = keys.get(&header.queue).filter(|_| header.sealed)?;
    let (_, key) = keys.iter().rev().find(|(first, _)| *first <= header.sequence)?;
    Some(Arc::clone(key))
}
