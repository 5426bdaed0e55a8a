//! What everybody may know about the server, as JSON (operations.md §11.6).

use serde::Serialize;
use smp_config::settings::{Conditions, Contact, Entity, Information, PgpKey, Settings};

/// What survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Persistence {
    /// Nothing.
    MemoryOnly,
    /// Queues.
    Queues,
    /// Queues and undelivered messages.
    Messages,
}

impl Persistence {
    /// According to the settings.
    pub fn of(settings: &Settings) -> Self {
        let store_log = &settings.store_log;
        if store_log.storage.messages_in_journal() || store_log.restore_messages {
            Self::Messages
        } else if store_log.writes_store_log() {
            Self::Queues
        } else {
            Self::MemoryOnly
        }
    }

    /// As the page says it.
    pub fn words(self) -> &'static str {
        match self {
            Self::MemoryOnly => "In-memory only",
            Self::Queues => "Queues",
            Self::Messages => "Queues and messages",
        }
    }
}

/// Content of `/info.json`.
#[derive(Debug, Serialize)]
pub struct PublicInformation {
    config: PublicConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    information: Option<PublicOperator>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicConfig {
    persistence: Persistence,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_expiration: Option<u64>,
    stats_enabled: bool,
    new_queues_allowed: bool,
    basic_auth_enabled: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicOperator {
    source_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_conditions: Option<PublicConditions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<PublicEntity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    website: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_contacts: Option<PublicContact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complaints_contacts: Option<PublicContact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosting: Option<PublicEntity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosting_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_country: Option<String>,
}

#[derive(Debug, Serialize)]
struct PublicConditions {
    conditions: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    amendments: Option<String>,
}

#[derive(Debug, Serialize)]
struct PublicEntity {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
}

#[derive(Debug, Serialize)]
struct PublicContact {
    #[serde(skip_serializing_if = "Option::is_none")]
    simplex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pgp: Option<PublicPgpKey>,
}

#[derive(Debug, Serialize)]
struct PublicPgpKey {
    #[serde(rename = "pkURI")]
    uri: String,
    #[serde(rename = "pkFingerprint")]
    fingerprint: String,
}

impl PublicInformation {
    /// What the settings make public.
    pub fn of(settings: &Settings) -> Self {
        let config = PublicConfig {
            persistence: Persistence::of(settings),
            message_expiration: settings.message_ttl().map(|ttl| ttl.as_secs()),
            stats_enabled: settings.store_log.log_stats,
            new_queues_allowed: settings.auth.new_queues,
            basic_auth_enabled: settings.auth.create_password.is_some(),
        };
        Self { config, information: settings.information.as_ref().map(PublicOperator::of) }
    }
}

impl PublicOperator {
    fn of(information: &Information) -> Self {
        Self {
            source_code: information.source_code.clone(),
            usage_conditions: information.conditions.as_ref().map(PublicConditions::of),
            operator: information.operator.as_ref().map(PublicEntity::of),
            website: information.website.clone(),
            admin_contacts: information.admin.as_ref().map(PublicContact::of),
            complaints_contacts: information.complaints.as_ref().map(PublicContact::of),
            hosting: information.hosting.as_ref().map(PublicEntity::of),
            hosting_type: information.hosting_type.map(|kind| kind.to_string()),
            server_country: information.server_country.map(|country| country.to_string()),
        }
    }
}

impl PublicConditions {
    fn of(conditions: &Conditions) -> Self {
        Self { conditions: conditions.conditions.clone(), amendments: conditions.amendments.clone() }
    }
}

impl PublicEntity {
    fn of(entity: &Entity) -> Self {
        Self { name: entity.name.clone(), country: entity.country.map(|country| country.to_string()) }
    }
}

impl PublicContact {
    fn of(contact: &Contact) -> Self {
        Self {
            simplex: contact.simplex.clone(),
            email: contact.email.clone(),
            pgp: contact.pgp.as_ref().map(PublicPgpKey::of),
        }
    }
}

impl PublicPgpKey {
    fn of(key: &PgpKey) -> Self {
        Self { uri: key.uri.clone(), fingerprint: key.fingerprint.clone() }
    }
}
