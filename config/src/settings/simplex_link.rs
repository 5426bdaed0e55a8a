//! Telling SimpleX contact links from other texts.

/// Whether `link` has the shape of a full or a short SimpleX contact link:
///
/// * full: `simplex:/contact#/?v=…&smp=…` or `https://host/contact#/?v=…&smp=…`
/// * short: `https://host/a#<key>`, or `simplex:/a#<key>?h=<host>`; `a`, `c`, `g` and `r` are kinds of contacts
pub(super) fn is_contact_link(link: &str) -> bool {
    let (server_in_link, path) = match after_scheme(link, "simplex:/") {
        Some(path) => (false, path),
        None => match after_scheme(link, "https://").and_then(|rest| rest.split_once('/')) {
            Some((host, path)) if is_host(host) => (true, path),
            _ => return false,
        },
    };
    let Some((kind, fragment)) = path.split_once('#') else { return false };
    match kind.strip_suffix('/').unwrap_or(kind) {
        "contact" => is_full(fragment),
        "a" | "c" | "g" | "r" => is_short(fragment, server_in_link),
        _ => false,
    }
}

/// What follows the scheme, which may be in any case.
fn after_scheme<'a>(link: &'a str, scheme: &str) -> Option<&'a str> {
    let (begin, rest) = link.split_at_checked(scheme.len())?;
    begin.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && !text.contains(['#', ',', ';', ' '])
}

fn is_full(fragment: &str) -> bool {
    let Some(query) = fragment.strip_prefix("/?") else { return false };
    parameter(query, "v").is_some() && parameter(query, "smp").is_some()
}

fn is_short(fragment: &str, server_in_link: bool) -> bool {
    let (key, query) = fragment.split_once('?').unwrap_or((fragment, ""));
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    !key.is_empty() && key.bytes().all(base64url) && (server_in_link || parameter(query, "h").is_some())
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::is_contact_link;

    const FULL: &str =
        "/contact#/?v=2-7&smp=smp%3A%2F%2FrDuU7gVvQQulEHkZ4LsiH-nqhnyFvnlL2v4XaOiiG2U%3D%40smp.example.org%2Fid";

    #[test]
    fn contact_links_are_recognised() {
        for link in [
            &format!("simplex:{FULL}"),
            &format!("https://simplex.chat{FULL}"),
            "https://smp.example.org/a#Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmE",
            "https://smp.example.org:444/g/#Zm9v",
            "simplex:/c#Zm9v?h=smp.example.org,abc.onion&p=5224&c=YmFy",
            "HTTPS://smp.example.org/a#Zm9v",
            "Simplex:/c#Zm9v?h=smp.example.org",
        ] {
            assert!(is_contact_link(link), "{link}");
        }
    }

    #[test]
    fn other_texts_are_not() {
        for link in [
            "",
            "admin@example.org",
            "https://example.org/contact",
            "simplex:/contact#/?v=2",
            "simplex:/invitation#/?v=2-7&smp=x&e2e=y",
            "https://smp.example.org/i#Zm9v/YmFy",
            "simplex:/a#Zm9v",
            "https://smp.example.org/a#",
            "http://smp.example.org/a#Zm9v",
        ] {
            assert!(!is_contact_link(link), "{link}");
        }
    }
}
