//! `smp-server-stats.daily.log`: one CSV line of 101 columns a day, without header (operations.md §8.1, behaviour.md §9.3).

use std::io;
use std::path::Path;

use csv::{Terminator, WriterBuilder};

use crate::append_file::AppendFile;
use crate::date::Date;
use crate::error::FileError;
use crate::files::Files;
use crate::names::DAILY_CSV;
use crate::stats::{RelayCounters, ServiceCounters, StatsSnapshot};

/// Numbers of active queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActiveCounts {
    /// Of the day.
    pub day: u64,
    /// Of the week; `None` on other days than Monday, which leaves the column empty.
    pub week: Option<u64>,
    /// Of the month; `None` on other days than the first.
    pub month: Option<u64>,
}

/// Numbers that are counted where queues, messages and services are kept, at the time of the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoredCounts {
    /// Undelivered messages.
    pub messages: i64,
    /// Undelivered notifications.
    pub notifications: i64,
    /// Queues.
    pub queues: u64,
    /// Queues with a notifier.
    pub notifiers: u64,
    /// Services that receive.
    pub rcv_services: u64,
    /// Services that are notified.
    pub ntf_services: u64,
    /// Queues whose messages a service receives.
    pub rcv_service_queues: u64,
    /// Queues of whose messages a service is notified.
    pub ntf_service_queues: u64,
}

/// One line.
#[derive(Debug, Clone, Copy)]
pub struct DailyLine<'a> {
    /// Counters of the day that ends, with the time when it began. Their active-queue sets are not used.
    pub stats: &'a StatsSnapshot,
    /// Queues with messages.
    pub active: ActiveCounts,
    /// Queues with messages that ask for a notification.
    pub active_ntf: ActiveCounts,
    /// Numbers at the end of the day.
    pub stored: StoredCounts,
}

/// Appends one line and syncs it. A last line that was not written completely is ended first.
pub fn append(files: &dyn Files, directory: &Path, line: &DailyLine<'_>) -> Result<(), FileError> {
    let path = directory.join(DAILY_CSV);
    let mut bytes = if ends_within_a_line(files, &path)? { vec![b'\n'] } else { Vec::new() };
    write(line, &mut bytes).map_err(FileError::on("write", &path))?;
    let mut file = AppendFile::open(files, &path)?;
    file.append(&bytes)?;
    file.sync()
}

/// Appends the line with its LF to a buffer.
fn write(line: &DailyLine<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(out);
    writer.write_record(columns(line))?;
    writer.flush()
}

fn ends_within_a_line(files: &dyn Files, path: &Path) -> Result<bool, FileError> {
    if !files.exists(path).map_err(FileError::on("look for", path))? {
        return Ok(false);
    }
    let mut file = files.open(path).map_err(FileError::on("read", path))?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(FileError::on("read", path))?;
    Ok(content.last().is_some_and(|&b| b != b'\n'))
}

/// The columns in groups as the releases added them; numbers in comments are those of the first column of a row.
#[rustfmt::skip]
fn columns(line: &DailyLine<'_>) -> Vec<String> {
    let DailyLine { stats, active, active_ntf, stored } = line;
    let c = &stats.counters;
    let n = &stats.names;
    let mut row = Row(vec![Date::of(stats.from_time).to_string()]);
    row.put([c.q_created, c.q_secured, c.q_deleted_all, c.msg_sent, c.msg_recv]); // 2
    row.active(active); // 7
    row.put([c.msg_sent_ntf, c.msg_recv_ntf]); // 10
    row.active(active_ntf); // 12
    row.put([c.q_count, stored.messages, c.msg_expired, c.q_deleted_new, c.q_deleted_secured]); // 15
    for relays in [&stats.relays, &stats.relays_own, &stats.forwards, &stats.forwards_own] { row.relays(relays); } // 20
    row.put([stats.forwards_received, c.q_sub, c.q_sub_auth, c.q_sub_duplicate, c.q_sub_prohibited]); // 40
    row.put([c.msg_sent_auth, c.msg_sent_quota, c.msg_sent_large]); // 45
    row.put([c.msg_ntfs, c.msg_ntf_no_sub, c.msg_ntf_lost, 0]); // 48
    row.put([c.msg_recv_get, c.msg_get, c.msg_get_no_msg, c.msg_get_auth, c.msg_get_duplicate, c.msg_get_prohibited]); // 52
    row.put([0, 0, 0]); // 58
    row.put([stored.queues]); // 61
    row.put([c.ntf_created, c.ntf_deleted, c.ntf_sub, c.ntf_sub_auth, c.ntf_sub_duplicate]); // 62
    row.put([stored.notifiers]); // 67
    row.put([c.q_deleted_all_b, c.q_sub_all_b, c.q_sub_end, c.q_sub_end_b, c.ntf_deleted_b, c.ntf_sub_b, c.msg_ntfs_b]); // 68
    row.put([c.msg_ntf_expired, stored.notifications]); // 75
    row.put([stored.rcv_services, stored.ntf_services, stored.rcv_service_queues, stored.ntf_service_queues]); // 77
    for services in [&stats.rcv_services, &stats.ntf_services] { row.services(services); } // 81
    row.put([n.requests, n.successes, n.not_found, n.resolver_errors, n.disabled]); // 97
    row.0
}

struct Row(Vec<String>);

impl Row {
    fn put<T: ToString>(&mut self, values: impl IntoIterator<Item = T>) {
        self.0.extend(values.into_iter().map(|value| value.to_string()));
    }

    fn active(&mut self, counts: &ActiveCounts) {
        self.put([counts.day]);
        let or_empty = |count: Option<u64>| count.map_or_else(String::new, |n| n.to_string());
        self.put([or_empty(counts.week), or_empty(counts.month)]);
    }

    fn relays(&mut self, relays: &RelayCounters) {
        self.put(relays.named().map(|(_, value)| value));
    }

    fn services(&mut self, services: &ServiceCounters) {
        self.put(services.named().map(|(_, value)| value));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::files::RealFiles;

    /// Counters whose value is the number of their column.
    fn numbered() -> StatsSnapshot {
        let mut stats = StatsSnapshot::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_392_000 + 5));
        let single = [
            2, 3, 4, 18, 19, 68, 0, 15, 41, 69, 42, 43, 44, 70, 71, 62, 0, 63, 72, 64, 73, 65, 66, 5, 45, 46, 47, 0, 6,
            52, 53, 54, 55, 56, 57, 17, 10, 11, 48, 74, 49, 50, 75,
        ];
        stats.counters.named_mut().zip(single).for_each(|((_, slot), column)| *slot = column);
        let relays = [&mut stats.relays, &mut stats.relays_own, &mut stats.forwards, &mut stats.forwards_own];
        relays.into_iter().flat_map(RelayCounters::named_mut).zip(20..).for_each(|((_, slot), column)| *slot = column);
        stats.forwards_received = 40;
        let services = [&mut stats.rcv_services, &mut stats.ntf_services];
        services
            .into_iter()
            .flat_map(ServiceCounters::named_mut)
            .zip(81..)
            .for_each(|((_, slot), column)| *slot = column);
        stats.names.named_mut().zip(97..).for_each(|((_, slot), column)| *slot = column);
        stats
    }

    fn line(stats: &StatsSnapshot) -> DailyLine<'_> {
        DailyLine {
            stats,
            active: ActiveCounts { day: 7, week: Some(8), month: Some(9) },
            active_ntf: ActiveCounts { day: 12, week: Some(13), month: Some(14) },
            stored: StoredCounts {
                messages: 16,
                notifications: 76,
                queues: 61,
                notifiers: 67,
                rcv_services: 77,
                ntf_services: 78,
                rcv_service_queues: 79,
                ntf_service_queues: 80,
            },
        }
    }

    #[test]
    fn every_column_is_in_its_place() {
        let columns = columns(&line(&numbered()));
        assert_eq!(columns.len(), 101);
        assert_eq!(columns[0], "2026-11-23");
        for (column, value) in (1..).zip(&columns).skip(1) {
            let removed = column == 51 || (58..=60).contains(&column);
            assert_eq!(*value, if removed { 0 } else { column }.to_string(), "column {column}");
        }
    }

    #[test]
    fn week_and_month_may_be_empty() {
        let stats = numbered();
        let mut daily = line(&stats);
        daily.active = ActiveCounts { day: 7, week: None, month: None };
        let mut out = Vec::new();
        write(&daily, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("2026-11-23,2,3,4,5,6,7,,,10,11,12,13,14,15,"), "{text}");
        assert!(text.ends_with(",100,101\n"));
    }

    #[test]
    fn lines_are_added_and_a_torn_one_is_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DAILY_CSV);
        let stats = numbered();
        for _ in 0..2 {
            append(&RealFiles, directory.path(), &line(&stats)).unwrap();
        }
        let mut torn = std::fs::read(&path).unwrap();
        torn.truncate(torn.len() - 10);
        std::fs::write(&path, &torn).unwrap();
        append(&RealFiles, directory.path(), &line(&stats)).unwrap();
        let content = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = content.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], lines[2]);
    }
}
