//! Reading lines of the queue log, those of every release since 3.0 included (operations.md §6.3).

use smp_protocol::command::{LinkData, QueueMode};
use smp_protocol::error::BlockingInfo;
use smp_protocol::handshake::ServiceRole;
use smp_protocol::id::LinkId;
use smp_protocol::key::{AuthKey, DhSecret};

use super::{LogRecord, ServiceParty};
use crate::date::Date;
use crate::parse::{Fields, ParseError};
use crate::record::{CertificateChain, Link, Notifier, QueueRecord, QueueStatus, RecipientKeys, ServiceRecord};

type Parsed<T> = Result<T, ParseError>;

impl LogRecord {
    /// Reads one line without its LF. Any bytes may come; the whole line must have the form.
    pub fn parse(line: &[u8]) -> Result<Self, ParseError> {
        let mut fields = Fields::new(line);
        let start = fields;
        let tag = fields.token();
        if !fields.accept(" ") {
            return Err(start.error("a known record"));
        }
        let f = &mut fields;
        let record = match tag {
            b"CREATE" => Self::Create(queue(f)?),
            b"LINK" => Self::Link(id(f)?, spaced(f, link)?),
            b"LDELETE" => Self::DeleteLink(id(f)?),
            b"SECURE" => Self::Secure(id(f)?, spaced(f, key)?),
            b"KEYS" => Self::Keys(id(f)?, spaced(f, keys)?),
            b"NOTIFIER" => Self::Notifier(id(f)?, spaced(f, notifier)?),
            b"NDELETE" => Self::DeleteNotifier(id(f)?),
            b"SUSPEND" => Self::Suspend(id(f)?),
            b"BLOCK" => Self::Block(id(f)?, spaced(f, blocking_info)?),
            b"UNBLOCK" => Self::Unblock(id(f)?),
            b"DELETE" => Self::Delete(id(f)?),
            b"TIME" => Self::Time(id(f)?, spaced(f, date)?),
            b"NEW_SERVICE" => Self::NewService(service(f)?),
            b"QUEUE_SERVICE" => queue_service(f)?,
            _ => return Err(start.error("a known record")),
        };
        fields.finish()?;
        Ok(record)
    }
}

fn spaced<T>(f: &mut Fields<'_>, field: impl FnOnce(&mut Fields<'_>) -> Parsed<T>) -> Parsed<T> {
    f.require(" ")?;
    field(f)
}

fn named<T>(
    f: &mut Fields<'_>,
    name: &'static str,
    field: impl FnOnce(&mut Fields<'_>) -> Parsed<T>,
) -> Parsed<Option<T>> {
    if f.accept(name) { field(f).map(Some) } else { Ok(None) }
}

fn id<T: From<[u8; 24]>>(f: &mut Fields<'_>) -> Parsed<T> {
    f.base64("ID of 24 bytes").map(T::from)
}

fn key(f: &mut Fields<'_>) -> Parsed<AuthKey> {
    f.short_base64("public key", AuthKey::from_spki)
}

fn secret(f: &mut Fields<'_>) -> Parsed<DhSecret> {
    f.base64("secret of 32 bytes").map(DhSecret::from)
}

fn date(f: &mut Fields<'_>) -> Parsed<Date> {
    f.integer("date in seconds").map(Date::from_unix_seconds)
}

fn keys(f: &mut Fields<'_>) -> Parsed<RecipientKeys> {
    let first = key(f)?;
    if !f.rest().starts_with(b",") {
        return Ok(first.into());
    }
    let mut keys = vec![first];
    while f.accept(",") {
        keys.push(key(f)?);
    }
    RecipientKeys::try_from(keys).map_err(|_| f.error("public key"))
}

fn queue(f: &mut Fields<'_>) -> Parsed<QueueRecord> {
    f.require("rid=")?;
    let recipient_id = id(f)?;
    f.require(" rk=")?;
    let recipient_keys = keys(f)?;
    f.require(" rdh=")?;
    let dh_secret = secret(f)?;
    f.require(" sid=")?;
    let sender_id = id(f)?;
    f.require(" sk=")?;
    let unsecured = f.rest().first().is_none_or(|&b| b == b' ');
    Ok(QueueRecord {
        recipient_id,
        recipient_keys,
        dh_secret,
        sender_id,
        sender_key: if unsecured { None } else { Some(key(f)?) },
        mode: mode(f)?,
        link: named(f, " link_id=", create_link)?.map(Box::new),
        notifier: named(f, " notifier=", notifier)?.map(Box::new),
        updated_at: named(f, " updated_at=", date)?,
        status: named(f, " status=", status)?.unwrap_or(QueueStatus::Active),
        service: named(f, " rsrv=", id)?.map(Box::new),
    })
}

fn mode(f: &mut Fields<'_>) -> Parsed<Option<QueueMode>> {
    if let Some(mode) = named(f, " queue_mode=", |f| f.letter("M or C", QueueMode::from_letter))? {
        return Ok(Some(mode));
    }
    named(f, " sndSecure=", |f| {
        f.letter("T or F", |letter| match letter {
            b'T' => Ok(QueueMode::Messaging),
            b'F' => Ok(QueueMode::Contact),
            _ => Err(()),
        })
    })
}

fn status(f: &mut Fields<'_>) -> Parsed<QueueStatus> {
    if f.accept("active") {
        Ok(QueueStatus::Active)
    } else if f.accept("off") {
        Ok(QueueStatus::Off)
    } else {
        f.require("blocked,")?;
        blocking_info(f).map(|info| QueueStatus::Blocked(Box::new(info)))
    }
}

/// The notice is JSON that ends where its object ends: `rsrv` may follow, which the reference takes for a part of it.
fn blocking_info(f: &mut Fields<'_>) -> Parsed<BlockingInfo> {
    let (info, length) = BlockingInfo::decode_prefix(f.rest()).map_err(|_| f.error("reason=spam or reason=content"))?;
    f.skip(length);
    Ok(info)
}

fn create_link(f: &mut Fields<'_>) -> Parsed<Link> {
    let start = *f;
    let id = link_id(f)?;
    f.require(" queue_data=")?;
    Link::new(id, link_data(f)?).map_err(|_| start.error("link data within 65535 bytes"))
}

fn link(f: &mut Fields<'_>) -> Parsed<Link> {
    let start = *f;
    let id = link_id(f)?;
    Link::new(id, spaced(f, link_data)?).map_err(|_| start.error("link data within 65535 bytes"))
}

fn link_id(f: &mut Fields<'_>) -> Parsed<LinkId> {
    let start = *f;
    let bytes = f.long_base64("link ID")?;
    LinkId::try_from(&bytes[..]).map_err(|_| start.error("link ID"))
}

fn link_data(f: &mut Fields<'_>) -> Parsed<LinkData> {
    let fixed = f.long_base64("link data")?.into();
    f.require(" ")?;
    Ok(LinkData { fixed, user: f.long_base64("link data")?.into() })
}

fn notifier(f: &mut Fields<'_>) -> Parsed<Notifier> {
    Ok(Notifier { id: id(f)?, key: spaced(f, key)?, secret: spaced(f, secret)?, service: named(f, " nsrv=", id)? })
}

fn service(f: &mut Fields<'_>) -> Parsed<ServiceRecord> {
    f.require("service_id=")?;
    let id = id(f)?;
    f.require(" role=")?;
    let role = f.letter("M, N or P", ServiceRole::from_letter)?;
    f.require(" cert=")?;
    let chain = chain(f)?;
    f.require(" cert_hash=")?;
    let fingerprint = f.base64("SHA-256 of a certificate")?;
    f.require(" created_at=")?;
    Ok(ServiceRecord { id, role, chain, fingerprint, created_at: date(f)? })
}

fn chain(f: &mut Fields<'_>) -> Parsed<CertificateChain> {
    let start = *f;
    let mut certificates = vec![f.long_base64("certificate")?];
    while f.accept(",") {
        certificates.push(f.long_base64("certificate")?);
    }
    CertificateChain::new(certificates).map_err(|_| start.error("certificate"))
}

fn queue_service(f: &mut Fields<'_>) -> Parsed<LogRecord> {
    let queue = id(f)?;
    f.require(" ")?;
    let party = f.letter("R or N", ServiceParty::from_letter)?;
    f.require(" ")?;
    let service = if f.rest().is_empty() { None } else { Some(id(f)?) };
    Ok(LogRecord::QueueService(queue, party, service))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smp_protocol::error::{BlockingReason, Notice};

    use super::*;
    use crate::log_record::samples::plain_queue;

    const CREATE: &str = "CREATE rid=UvImZaYMEtKJGF2VDuiBNgkWb2sRPReN rk=MCowBQYDK2VwAyEA4NFQV7FZmH-UzHQR1xfxRXmyqhAPu7NPpZP-rtJySLc= rdh=XpyQUfMgsNuD856nrb0NdObex_PfrsyPZGVmZBp7omY= sid=bA_TkB_yOaGglfIPk5VlDPk4C47bIkpr sk=";

    fn create(attributes: &str) -> Result<QueueRecord, ParseError> {
        match LogRecord::parse(format!("{CREATE}{attributes}").as_bytes())? {
            LogRecord::Create(queue) => Ok(queue),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn legacy_attributes() {
        assert_eq!(create("").unwrap().mode, None);
        assert_eq!(create(" sndSecure=T").unwrap().mode, Some(QueueMode::Messaging));
        assert_eq!(create(" sndSecure=F updated_at=1719792000").unwrap().mode, Some(QueueMode::Contact));
        assert_eq!(create(" status=active").unwrap().status, QueueStatus::Active);
        let date = create(" queue_mode=M updated_at=1719792007").unwrap().updated_at;
        assert_eq!(date.map(Date::unix_seconds), Some(1_719_792_000));
    }

    #[test]
    fn a_notice_followed_by_a_service() {
        let queue = create(r#" status=blocked,reason=spam,notice={"ttl":86400} rsrv=unJJm_oSHoNrKsFXJu59awr2qxPDjpLK"#)
            .unwrap();
        assert!(queue.service.is_some());
        let notice = Some(Notice { ttl_seconds: Some(86400) });
        let info = BlockingInfo { reason: BlockingReason::Spam, notice };
        assert_eq!(queue.status, QueueStatus::Blocked(Box::new(info)));
    }

    #[test]
    fn padding_is_optional() {
        let line = CREATE.replace("= ", " ");
        assert_eq!(LogRecord::parse(line.as_bytes()), LogRecord::parse(CREATE.as_bytes()));
    }

    #[test]
    fn an_empty_service_keeps_its_space() {
        let id = plain_queue(1).recipient_id;
        let mut line = Vec::new();
        LogRecord::QueueService(id, ServiceParty::Recipient, None).write(&mut line);
        assert!(line.ends_with(b" R \n"));
        line.pop();
        assert_eq!(LogRecord::parse(&line), Ok(LogRecord::QueueService(id, ServiceParty::Recipient, None)));
        assert!(LogRecord::parse(line.trim_ascii_end()).is_err());
    }

    #[test]
    fn other_lines_are_errors() {
        for attributes in [
            " ",
            "x",
            " queue_mode=X",
            " status=",
            " status=blocked",
            " status=off x",
            " rsrv=",
            " updated_at=",
            " link_id=YQ==",
            " link_id= queue_data=YQ== YQ==",
            " link_id=YQ== queue_data= YQ==",
            " link_id=YQ== queue_data=YQ== ",
            " updated_at=1 queue_mode=M",
            "\r",
        ] {
            assert!(create(attributes).is_err(), "{attributes:?}");
        }
        for line in [
            "",
            " ",
            "CREATE",
            "CREATE ",
            "NOTHING x",
            "DELETE ",
            "DELETE UvImZaYMEtKJGF2VDuiBNgkWb2sRPR",
            "delete UvImZaYMEtKJGF2VDuiBNgkWb2sRPReN",
        ] {
            assert!(LogRecord::parse(line.as_bytes()).is_err(), "{line:?}");
        }
    }

    #[test]
    fn every_cut_of_a_line_is_an_error_or_a_shorter_record() {
        let line = format!(
            "{CREATE}MCowBQYDK2VwAyEAYuOrWAXwdlornB1-DzfESSG9P2Vk6t9_FCpyZoxH4iM= queue_mode=M updated_at=1719792000 status=off"
        );
        for n in 0..line.len() {
            if let Ok(LogRecord::Create(queue)) = LogRecord::parse(&line.as_bytes()[..n]) {
                assert_eq!(queue.status, QueueStatus::Active);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(line: Vec<u8>) {
            let _ = LogRecord::parse(&line);
        }

        #[test]
        fn damaged_lines_are_safe(position in 0..CREATE.len(), byte: u8) {
            let mut line = CREATE.as_bytes().to_vec();
            line[position] = byte;
            let _ = LogRecord::parse(&line);
        }
    }
}
