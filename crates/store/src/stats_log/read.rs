//! Reading saved statistics of every release: the order is fixed, most lines are optional.

use crate::content_error::ContentError;
use crate::parse::{Fields, ParseError};
use crate::stats::{ActiveQueues, Counters, QueueHashes, StatsSnapshot, hash_bytes};
use crate::timestamp;

/// Counters that every release writes.
const MANDATORY: [&str; 7] =
    ["qCreated", "qSecured", "qDeletedAll", "qDeletedNew", "qDeletedSecured", "msgSent", "msgRecv"];

/// Reads a whole file. Anything unknown or out of order is an error.
pub fn parse(content: &[u8]) -> Result<StatsSnapshot, ContentError> {
    let mut lines = StatLines::new(content);
    read(&mut lines).map_err(|error| ContentError::Line { line: lines.number, error })
}

fn read(lines: &mut StatLines<'_>) -> Result<StatsSnapshot, ParseError> {
    let from_time = lines.value("fromTime").ok_or_else(|| expected("fromTime"))?;
    let from_time = str::from_utf8(from_time).ok().and_then(timestamp::parse);
    let mut stats = StatsSnapshot::new(from_time.ok_or_else(|| expected("a time in UTC after fromTime="))?);
    lines.advance();
    single_counters(lines, &mut stats.counters)?;
    stats.active_queues = active_queues(lines)?;
    if lines.header("subscribedQueues:") {
        active_block(lines)?;
    }
    if lines.header("activeQueuesNtf:") {
        stats.active_queues_ntf = active_block(lines)?;
    }
    lines.group("pRelays:", stats.relays.named_mut())?;
    lines.group("pRelaysOwn:", stats.relays_own.named_mut())?;
    lines.group("pMsgFwds:", stats.forwards.named_mut())?;
    lines.group("pMsgFwdsOwn:", stats.forwards_own.named_mut())?;
    if let Some(received) = lines.integer("pMsgFwdsRecv")? {
        stats.forwards_received = received;
    }
    lines.group("rcvServices:", stats.rcv_services.named_mut())?;
    lines.group("ntfServices:", stats.ntf_services.named_mut())?;
    lines.group("rslvStats:", stats.names.named_mut())?;
    if lines.current.is_some() { Err(expected("the end of the file or the next known line")) } else { Ok(stats) }
}

fn single_counters(lines: &mut StatLines<'_>, counters: &mut Counters) -> Result<(), ParseError> {
    let mut one_for_all_deleted = false;
    for (name, counter) in counters.named_mut() {
        if name == "qDeletedAll"
            && let Some(deleted) = lines.integer("qDeleted")?
        {
            *counter = deleted;
            one_for_all_deleted = true;
            continue;
        }
        match lines.integer(name)? {
            Some(value) => *counter = value,
            None if one_for_all_deleted && name.starts_with("qDeleted") => {}
            None if MANDATORY.contains(&name) => return Err(expected(name)),
            None => {}
        }
        if name == "qSub" {
            lines.integer("qSubNoMsg")?;
        }
    }
    Ok(())
}

fn active_queues(lines: &mut StatLines<'_>) -> Result<ActiveQueues, ParseError> {
    if lines.header("activeQueues:") {
        return active_block(lines);
    }
    Ok(ActiveQueues {
        day: lines.hashes(&["dayMsgQueues"])?,
        week: lines.hashes(&["weekMsgQueues"])?,
        month: lines.hashes(&["monthMsgQueues"])?,
    })
}

fn active_block(lines: &mut StatLines<'_>) -> Result<ActiveQueues, ParseError> {
    Ok(ActiveQueues {
        day: lines.hashes(&["dayHashes", "day"])?,
        week: lines.hashes(&["weekHashes", "week"])?,
        month: lines.hashes(&["monthHashes", "month"])?,
    })
}

fn expected(what: &'static str) -> ParseError {
    ParseError { expected: what, position: 0 }
}

/// The lines that have not been understood yet.
struct StatLines<'a> {
    rest: std::slice::Split<'a, u8, fn(&u8) -> bool>,
    current: Option<&'a [u8]>,
    /// Of the current line, from 1.
    number: u64,
}

impl<'a> StatLines<'a> {
    fn new(content: &'a [u8]) -> Self {
        let is_end: fn(&u8) -> bool = |&b| b == b'\n';
        let rest = content.strip_suffix(b"\n").unwrap_or(content).split(is_end);
        let mut lines = Self { rest, current: None, number: 0 };
        lines.advance();
        lines
    }

    fn advance(&mut self) {
        self.current = self.rest.next();
        self.number += 1;
    }

    /// What follows `name=` if the current line begins so.
    fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.current?.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    }

    fn header(&mut self, name: &str) -> bool {
        let found = self.current == Some(name.as_bytes());
        if found {
            self.advance();
        }
        found
    }

    fn integer(&mut self, name: &'static str) -> Result<Option<i64>, ParseError> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let mut fields = Fields::new(text);
        let value = fields.integer("an integer after the name")?;
        fields.finish()?;
        self.advance();
        Ok(Some(value))
    }

    fn group<'c>(
        &mut self,
        header: &str,
        counters: impl Iterator<Item = (&'static str, &'c mut i64)>,
    ) -> Result<(), ParseError> {
        if !self.header(header) {
            return Ok(());
        }
        for (name, counter) in counters {
            *counter = self.integer(name)?.ok_or_else(|| expected(name))?;
        }
        Ok(())
    }

    /// A list of hashes, or of recipient IDs as releases before 6.1 wrote them, under one of these names.
    fn hashes(&mut self, names: &[&'static str]) -> Result<QueueHashes, ParseError> {
        let list = names.iter().find_map(|name| self.value(name)).ok_or_else(|| expected(names[0]))?;
        let items = list.split(|&b| b == b',').filter(|item| !item.is_empty());
        let hashes = items.map(hash).collect::<Result<QueueHashes, ParseError>>()?;
        self.advance();
        Ok(hashes)
    }
}

/// A recipient ID has 32 characters, more than any integer.
fn hash(item: &[u8]) -> Result<i64, ParseError> {
    let mut fields = Fields::new(item);
    if item.len() <= 20 {
        return fields.integer("hashes after the name");
    }
    let id = fields.long_base64("recipient IDs after the name")?;
    Ok(hash_bytes(&id))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::stats_log::write;

    const OLDEST: &str = "fromTime=2023-06-05T10:00:00.5Z\nqCreated=1\nqSecured=2\nqDeleted=3\nmsgSent=4\nmsgRecv=5\n";

    fn snapshot() -> impl Strategy<Value = StatsSnapshot> {
        let sets = || [(); 3].map(|()| vec(any::<i64>(), 0..5).prop_map(QueueHashes::from_iter));
        (vec(any::<i64>(), 43 + 20 + 1 + 16 + 5), sets(), sets(), 0..4_000_000_000_u64).prop_map(
            |(values, active, active_ntf, seconds)| {
                let mut stats =
                    StatsSnapshot::new(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(seconds, 120_000));
                let [day, week, month] = active;
                stats.active_queues = ActiveQueues { day, week, month };
                let [day, week, month] = active_ntf;
                stats.active_queues_ntf = ActiveQueues { day, week, month };
                let slots = stats
                    .counters
                    .named_mut()
                    .chain(stats.relays.named_mut())
                    .chain(stats.relays_own.named_mut())
                    .chain(stats.forwards.named_mut())
                    .chain(stats.forwards_own.named_mut())
                    .chain([("pMsgFwdsRecv", &mut stats.forwards_received)])
                    .chain(stats.rcv_services.named_mut())
                    .chain(stats.ntf_services.named_mut())
                    .chain(stats.names.named_mut());
                slots.zip(values).for_each(|((_, slot), value)| *slot = value);
                stats
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(stats in snapshot()) {
            let mut content = Vec::new();
            write(&stats, &mut content);
            prop_assert_eq!(content.split_inclusive(|&b| b == b'\n').count(), 101);
            prop_assert_eq!(parse(&content).unwrap(), stats);
        }

        #[test]
        fn any_bytes_are_safe(content: Vec<u8>) {
            let _ = parse(&content);
        }
    }

    #[test]
    fn the_oldest_form_is_read() {
        let id = "UvImZaYMEtKJGF2VDuiBNgkWb2sRPReN";
        let content = format!("{OLDEST}dayMsgQueues={id}\nweekMsgQueues={id},-7\nmonthMsgQueues=");
        let stats = parse(content.as_bytes()).unwrap();
        assert_eq!(stats.counters.q_deleted_all, 3);
        assert_eq!((stats.counters.q_deleted_new, stats.counters.msg_recv), (0, 5));
        assert_eq!(stats.active_queues.day.as_slice().len(), 1);
        assert!(stats.active_queues.week.as_slice().contains(&-7));
        assert!(stats.active_queues.week.as_slice().contains(&stats.active_queues.day.as_slice()[0]));
        assert!(stats.active_queues.month.as_slice().is_empty());
    }

    #[test]
    fn lines_of_the_past_are_skipped() {
        let content = OLDEST.replace("msgSent", "qSub=6\nqSubNoMsg=7\nqSubAuth=8\nmsgSent")
            + "activeQueues:\nday=\nweek=\nmonth=\nsubscribedQueues:\ndayHashes=1\nweekHashes=\nmonthHashes=\n\
               activeQueuesNtf:\ndayHashes=-1,1\nweekHashes=\nmonthHashes=\npMsgFwdsRecv=9\n";
        let stats = parse(content.as_bytes()).unwrap();
        assert_eq!((stats.counters.q_sub, stats.counters.q_sub_auth, stats.forwards_received), (6, 8, 9));
        assert_eq!(stats.active_queues_ntf.day.as_slice(), [-1, 1]);
    }

    #[test]
    fn anything_else_is_an_error() {
        let active = "activeQueues:\ndayHashes=\nweekHashes=\nmonthHashes=\n";
        let good = format!("{OLDEST}{active}");
        assert!(parse(good.as_bytes()).is_ok());
        for bad in [
            String::new(),
            OLDEST.to_owned(),
            format!("{good}unknown=1\n"),
            format!("{good}\n"),
            format!("{good}pRelays:\nrequests=1\n"),
            good.replace("qSecured=2\n", ""),
            good.replace("qSecured=2", "qSecured=x"),
            good.replace("qSecured=2", "qSecured=2 "),
            good.replace("qCreated=1\nqSecured=2", "qSecured=2\nqCreated=1"),
            good.replace("fromTime=2023-06-05T10:00:00.5Z", "fromTime=yesterday"),
            good.replace("dayHashes=", "dayHashes=1,x"),
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let error = parse(good.replace("qSecured=2", "qSecured=x").as_bytes()).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
