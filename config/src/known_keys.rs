//! The one table of the sections and keys of `smp-server.ini`, but for those of `[LIMITS]`, which has its own.

use crate::settings::LIMITS;

/// A section and its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownSection {
    pub(crate) name: &'static str,
    /// Keys that protect the server, its data or its operator: without them it is more open.
    pub(crate) protecting: &'static [&'static str],
    /// The other keys.
    pub(crate) others: &'static [&'static str],
}

/// Every section.
pub(crate) static SECTIONS: [KnownSection; 9] = [
    KnownSection {
        name: AUTH,
        protecting: &[
            "new_queues",
            "create_password",
            "control_port_admin_password",
            "control_port_user_password",
            "daily_block_queue_quota",
            "print_address",
        ],
        others: &[],
    },
    KnownSection {
        name: "TRANSPORT",
        protecting: &["control_port", "bind", "accept_service_credentials"],
        others: &["host", "port", "log_tls_errors", "websockets"],
    },
    KnownSection {
        name: "STORE_LOG",
        protecting: &["encrypt"],
        others: &[
            "enable",
            "sync",
            "store_queues",
            "db_connection",
            "db_schema",
            "db_pool_size",
            "db_store_log",
            "db_deleted_ttl",
            "store_messages",
            "restore_messages",
            "expire_messages_days",
            "expire_messages_on_start",
            "expire_messages_on_send",
            "expire_ntfs_hours",
            "log_stats",
            "prometheus_interval",
            "prometheus_listen",
        ],
    },
    KnownSection {
        name: "PROXY",
        protecting: &["required_host_mode", "socks_proxy", "socks_mode"],
        others: &["host_mode", "own_server_domains", "client_concurrency", "allow_private"],
    },
    KnownSection {
        name: "NAMES",
        protecting: &[],
        others: &[
            "enable",
            "resolver_endpoint",
            "resolver_auth",
            "resolver_timeout_ms",
            "resolver_max_response_bytes",
            "resolver_concurrency",
        ],
    },
    KnownSection { name: "INACTIVE_CLIENTS", protecting: &[], others: &["disconnect", "ttl", "check_interval"] },
    KnownSection { name: "WEB", protecting: &["bind"], others: &["static_path", "http", "https", "cert", "key"] },
    KnownSection {
        name: "INFORMATION",
        protecting: &[],
        others: &[
            "source_code",
            "usage_conditions",
            "condition_amendments",
            "server_country",
            "operator",
            "operator_country",
            "website",
            "admin_simplex",
            "admin_email",
            "admin_pgp",
            "admin_pgp_fingerprint",
            "complaints_simplex",
            "complaints_email",
            "complaints_pgp",
            "complaints_pgp_fingerprint",
            "hosting",
            "hosting_country",
            "hosting_type",
        ],
    },
    // Its other keys are in the table of limits.
    KnownSection { name: "LIMITS", protecting: &["proxy", "max_connections"], others: &[] },
];

/// The section that decides who may do what.
pub(crate) const AUTH: &str = "AUTH";

impl KnownSection {
    /// Every key.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> + use<> {
        let limits = if self.name == "LIMITS" { &LIMITS[..] } else { &[] };
        let own = if self.name == "LIMITS" { &[] } else { self.protecting };
        own.iter().chain(self.others).copied().chain(limits.iter().map(|limit| limit.name))
    }
}

/// The section with this name.
pub(crate) fn section(name: &str) -> Option<&'static KnownSection> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// Whether a section has this key.
pub(crate) fn is_known(section: &str, key: &str) -> bool {
    self::section(section).is_some_and(|section| section.keys().any(|known| known == key))
}

/// Every section with every of its keys.
pub fn known_keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECTIONS.iter().flat_map(|section| section.keys().map(|key| (section.name, key)))
}
