//! PostgreSQL connection strings, which may contain a password.

use std::fmt;

use crate::secret::Secret;

/// A libpq connection string: a `postgresql://` URI or `key=value` pairs.
///
/// Printed with the password masked.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString(Secret);

impl ConnectionString {
    /// Takes over a text as it stands.
    pub fn new(text: &str) -> Self {
        Self(Secret::new(text))
    }

    /// The text itself, for connecting.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Display for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.expose();
        let masked = match text.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}", mask_user_info(rest)),
            None => text.to_owned(),
        };
        f.write_str(&mask_parameters(&masked))
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionString({self})")
    }
}

/// `user:password@rest` → `user:***@rest`. The last `@` before the path counts, as a password may contain one.
fn mask_user_info(rest: &str) -> String {
    let authority = rest.split('/').next().unwrap_or(rest);
    let masked = authority.rfind('@').and_then(|at| {
        let user = authority[..at].split(':').next().filter(|user| user.len() < at)?;
        Some(format!("{user}:***{}", &rest[at..]))
    });
    masked.unwrap_or_else(|| rest.to_owned())
}

/// `password=…` → `password=***`, up to the next separator or, if the value is quoted, the closing quote.
fn mask_parameters(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(found) = rest.find("password") {
        let (before, after) = rest.split_at(found + "password".len());
        masked.push_str(before);
        rest = after;
        let Some(value) = after.trim_start().strip_prefix('=') else { continue };
        masked.push_str("=***");
        let value = value.trim_start();
        rest = match value.strip_prefix('\'') {
            Some(quoted) => after_quote(quoted),
            None => value.find([' ', '&']).map_or("", |end| &value[end..]),
        };
    }
    masked + rest
}

fn after_quote(quoted: &str) -> &str {
    let mut escaped = false;
    for (index, character) in quoted.char_indices() {
        match character {
            '\'' if !escaped => return &quoted[index + 1..],
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_wherever_they_stand() {
        for (text, shown) in [
            ("postgresql://smp@/smp_server_store", "postgresql://smp@/smp_server_store"),
            ("postgresql://smp:secret@host/db", "postgresql://smp:***@host/db"),
            ("postgres://smp:se@cret:x@host:5432/db?a=b", "postgres://smp:***@host:5432/db?a=b"),
            ("postgresql://host/db?user=smp&password=secret&a=b", "postgresql://host/db?user=smp&password=***&a=b"),
            ("host=/run user=smp password=secret dbname=db", "host=/run user=smp password=*** dbname=db"),
            ("password = 'se cr\\'et' dbname=db", "password=*** dbname=db"),
            ("dbname=db password='secret", "dbname=db password=***"),
            ("passfile=/etc/pgpass", "passfile=/etc/pgpass"),
        ] {
            let connection = ConnectionString::new(text);
            assert_eq!(connection.to_string(), shown);
            assert_eq!(connection.expose(), text);
            assert!(!format!("{connection:?}").contains("secret"));
        }
    }
}
