//! Statistics as they are saved (behaviour.md §9.1, §9.5). The names are those of the file.

use std::time::SystemTime;

use smp_protocol::id::RecipientId;

/// A group of counters whose order and names are those of the file.
macro_rules! counters {
    ($(#[$doc:meta])* $group:ident { $($field:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $group {
            $(#[doc = concat!("`", $name, "`")] pub $field: i64,)+
        }

        impl $group {
            /// Names and values, in the order of the file.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, i64)> {
                [$(($name, self.$field)),+].into_iter()
            }

            pub(crate) fn named_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut i64)> {
                [$(($name, &mut self.$field)),+].into_iter()
            }
        }
    };
}

counters! {
    /// Single counters.
    Counters {
        q_created = "qCreated",
        q_secured = "qSecured",
        q_deleted_all = "qDeletedAll",
        q_deleted_new = "qDeletedNew",
        q_deleted_secured = "qDeletedSecured",
        q_deleted_all_b = "qDeletedAllB",
        q_blocked = "qBlocked",
        q_count = "qCount",
        q_sub = "qSub",
        q_sub_all_b = "qSubAllB",
        q_sub_auth = "qSubAuth",
        q_sub_duplicate = "qSubDuplicate",
        q_sub_prohibited = "qSubProhibited",
        q_sub_end = "qSubEnd",
        q_sub_end_b = "qSubEndB",
        ntf_created = "ntfCreated",
        ntf_new_created = "ntfNewCreated",
        ntf_deleted = "ntfDeleted",
        ntf_deleted_b = "ntfDeletedB",
        ntf_sub = "ntfSub",
        ntf_sub_b = "ntfSubB",
        ntf_sub_auth = "ntfSubAuth",
        ntf_sub_duplicate = "ntfSubDuplicate",
        msg_sent = "msgSent",
        msg_sent_auth = "msgSentAuth",
        msg_sent_quota = "msgSentQuota",
        msg_sent_large = "msgSentLarge",
        msg_sent_block = "msgSentBlock",
        msg_recv = "msgRecv",
        msg_recv_get = "msgRecvGet",
        msg_get = "msgGet",
        msg_get_no_msg = "msgGetNoMsg",
        msg_get_auth = "msgGetAuth",
        msg_get_duplicate = "msgGetDuplicate",
        msg_get_prohibited = "msgGetProhibited",
        msg_expired = "msgExpired",
        msg_sent_ntf = "msgSentNtf",
        msg_recv_ntf = "msgRecvNtf",
        msg_ntfs = "msgNtfs",
        msg_ntfs_b = "msgNtfsB",
        msg_ntf_no_sub = "msgNtfNoSub",
        msg_ntf_lost = "msgNtfLost",
        msg_ntf_expired = "msgNtfExpired",
    }
}

counters! {
    /// Requests to other relays.
    RelayCounters {
        requests = "requests",
        successes = "successes",
        errors_connect = "errorsConnect",
        errors_compat = "errorsCompat",
        errors_other = "errorsOther",
    }
}

counters! {
    /// Services of one party. The file misspells `assocUpdated`.
    ServiceCounters {
        assoc_new = "assocNew",
        assoc_duplicate = "assocDuplicate",
        assoc_updated = "assocUpdatedt",
        assoc_removed = "assocRemoved",
        sub_count = "subCount",
        sub_duplicate = "subDuplicate",
        sub_queues = "subQueues",
        sub_end = "subEnd",
    }
}

counters! {
    /// Name resolution.
    NameCounters {
        requests = "reqs",
        successes = "succ",
        not_found = "notFound",
        resolver_errors = "resolverErrs",
        disabled = "disabled",
    }
}

/// Hashes of queues, ascending, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueHashes(Vec<i64>);

impl QueueHashes {
    /// The hashes, ascending.
    pub fn as_slice(&self) -> &[i64] {
        &self.0
    }
}

impl FromIterator<i64> for QueueHashes {
    fn from_iter<I: IntoIterator<Item = i64>>(hashes: I) -> Self {
        let mut hashes: Vec<i64> = hashes.into_iter().collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self(hashes)
    }
}

/// Queues used in the current day, week and month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveQueues {
    /// Since the last midnight.
    pub day: QueueHashes,
    /// Since the last Monday.
    pub week: QueueHashes,
    /// Since the last first of a month.
    pub month: QueueHashes,
}

/// All saved statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// When the current day of counting began.
    pub from_time: SystemTime,
    /// Single counters.
    pub counters: Counters,
    /// Queues with messages.
    pub active_queues: ActiveQueues,
    /// Queues with messages that ask for a notification.
    pub active_queues_ntf: ActiveQueues,
    /// Sessions with other relays.
    pub relays: RelayCounters,
    /// Sessions with the operator's own relays.
    pub relays_own: RelayCounters,
    /// Messages forwarded to other relays.
    pub forwards: RelayCounters,
    /// Messages forwarded to the operator's own relays.
    pub forwards_own: RelayCounters,
    /// `pMsgFwdsRecv`: messages forwarded to this relay.
    pub forwards_received: i64,
    /// Services that receive.
    pub rcv_services: ServiceCounters,
    /// Services that are notified.
    pub ntf_services: ServiceCounters,
    /// Name resolution.
    pub names: NameCounters,
}

impl StatsSnapshot {
    /// Nothing counted yet.
    pub fn new(from_time: SystemTime) -> Self {
        Self {
            from_time,
            counters: Counters::default(),
            active_queues: ActiveQueues::default(),
            active_queues_ntf: ActiveQueues::default(),
            relays: RelayCounters::default(),
            relays_own: RelayCounters::default(),
            forwards: RelayCounters::default(),
            forwards_own: RelayCounters::default(),
            forwards_received: 0,
            rcv_services: ServiceCounters::default(),
            ntf_services: ServiceCounters::default(),
            names: NameCounters::default(),
        }
    }
}

/// The hash under which a queue is counted as active (operations.md §8.2): FNV-1 over the ID, begun with its length, so
/// that sets continue when one server takes over from another.
pub fn queue_hash(id: &RecipientId) -> i64 {
    hash_bytes(id.as_ref())
}

pub(crate) fn hash_bytes(bytes: &[u8]) -> i64 {
    const PRIME: u64 = 1_099_511_628_211;
    const START: u64 = 14_695_981_039_346_656_037;
    let step = |hash: u64, value: u64| hash.wrapping_mul(PRIME) ^ value;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let begun = [48, 32, 16, 0].into_iter().fold(START, |hash, shift| step(hash, (length >> shift) & 0xffff));
    bytes.iter().fold(begun, |hash, &byte| step(hash, byte.into())).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_ascending_and_unique() {
        let hashes: QueueHashes = [3, -1, 3, 2].into_iter().collect();
        assert_eq!(hashes.as_slice(), [-1, 2, 3]);
    }
}
