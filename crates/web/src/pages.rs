//! The pages. What operators write in their settings is text, whatever it looks like.

use std::time::Duration;

use askama::Template;
use smp_config::settings::{Information, Settings};

use crate::public::Persistence;

/// A page could not be made.
pub type RenderError = askama::Error;

#[derive(Template)]
#[template(path = "information.html")]
struct InformationPage<'a> {
    host: Option<String>,
    onion_host: Option<String>,
    information: Option<&'a Information>,
    hosting_type: Option<String>,
    persistence: &'static str,
    retention: String,
    stats_enabled: &'static str,
    new_queues: &'static str,
    password: &'static str,
    version: &'a str,
    ini: &'static str,
}

fn yes_or_no(answer: bool) -> &'static str {
    if answer { "Yes" } else { "No" }
}

/// What the server says about itself. `version` is that of the program.
pub fn information(settings: &Settings, version: &str) -> Result<String, RenderError> {
    let page = InformationPage {
        host: settings.transport.hosts.first().map(ToString::to_string).filter(|host| !host.starts_with('<')),
        onion_host: settings.transport.onion_host().map(ToString::to_string),
        information: settings.information.as_ref(),
        hosting_type: settings.information.as_ref().and_then(|known| known.hosting_type).map(|kind| {
            let word = kind.to_string();
            word[..1].to_uppercase() + &word[1..]
        }),
        persistence: Persistence::of(settings).words(),
        retention: settings.message_ttl().map_or_else(|| "Ever".to_owned(), retention),
        stats_enabled: yes_or_no(settings.store_log.log_stats),
        new_queues: yes_or_no(settings.auth.new_queues),
        password: yes_or_no(settings.auth.create_password.is_some()),
        version,
        ini: "smp-server.ini",
    };
    page.render()
}

/// `1 month 2 days`: in the largest units first.
fn retention(ttl: Duration) -> String {
    const DAY: u64 = 86_400;
    let mut rest = ttl.as_secs();
    let mut words = Vec::new();
    for (unit, length) in
        [("month", 30 * DAY), ("week", 7 * DAY), ("day", DAY), ("hour", 3_600), ("minute", 60), ("second", 1)]
    {
        // Three weeks are said in days.
        let count = if unit == "week" && rest != 7 * DAY && rest != 14 * DAY { 0 } else { rest / length };
        rest -= count * length;
        if count > 0 {
            words.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if words.is_empty() { "No time".to_owned() } else { words.join(" ") }
}

/// What a link of the network leads to; the first element of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// `contact`: full contact address.
    Contact,
    /// `invitation`: full one-time invitation.
    Invitation,
    /// `a`: short contact address.
    ShortContact,
    /// `c`: channel.
    Channel,
    /// `g`: group.
    Group,
    /// `r`: chat relay.
    Relay,
    /// `i`: short one-time invitation.
    ShortInvitation,
}

impl LinkKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Contact,
        Self::Invitation,
        Self::ShortContact,
        Self::Channel,
        Self::Group,
        Self::Relay,
        Self::ShortInvitation,
    ];

    /// The first element of its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Invitation => "invitation",
            Self::ShortContact => "a",
            Self::Channel => "c",
            Self::Group => "g",
            Self::Relay => "r",
            Self::ShortInvitation => "i",
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::Contact | Self::ShortContact => "Contact address",
            Self::Invitation | Self::ShortInvitation => "One-time invitation",
            Self::Channel => "Channel",
            Self::Group => "Group",
            Self::Relay => "Chat relay",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::Contact | Self::ShortContact => "Somebody can be reached at this address in SimpleX Chat.",
            Self::Invitation | Self::ShortInvitation => {
                "Somebody invites you to talk in SimpleX Chat. The invitation can be used once."
            }
            Self::Channel => "This is the address of a channel in SimpleX Chat.",
            Self::Group => "You are invited to a group in SimpleX Chat.",
            Self::Relay => "This is the address of a relay for channels and groups in SimpleX Chat.",
        }
    }
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    heading: &'static str,
    purpose: &'static str,
}

/// The page for links of this kind; the script of the page adds what is after `#` in its address.
pub fn link(kind: LinkKind) -> Result<String, RenderError> {
    LinkPage { heading: kind.heading(), purpose: kind.purpose() }.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_said_in_familiar_units() {
        const DAY: u64 = 86_400;
        for (seconds, words) in [
            (21 * DAY, "21 days"),
            (7 * DAY, "1 week"),
            (14 * DAY, "2 weeks"),
            (30 * DAY, "1 month"),
            (32 * DAY, "1 month 2 days"),
            (DAY + 60, "1 day 1 minute"),
            (0, "No time"),
        ] {
            assert_eq!(retention(Duration::from_secs(seconds)), words);
        }
    }
}
