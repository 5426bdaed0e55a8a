//! The two OpenSSL configuration files, for operators who make certificates by hand.

use super::profile::{CA_COMMON_NAME, CA_ORGANIZATION, CommonName};

/// `openssl_ca.conf`, for `openssl req -new -x509 -extensions v3`.
pub(super) fn for_ca() -> String {
    format!(
        "# CA certificate: the identity of this SMP server\n\
         {}CN = {CA_COMMON_NAME}\n\
         O = {CA_ORGANIZATION}\n\
         \n\
         [v3]\n\
         subjectKeyIdentifier = hash\n\
         authorityKeyIdentifier = keyid:always\n\
         basicConstraints = critical,CA:true\n",
        request_section()
    )
}

/// `openssl_server.conf`, for `openssl req -new -reqexts v3` and `openssl x509 -req -extensions v3`.
pub(super) fn for_leaf(common_name: &CommonName) -> String {
    format!(
        "# Leaf certificate: the TLS credential of this SMP server\n\
         {}CN = {}\n\
         \n\
         [v3]\n\
         basicConstraints = CA:FALSE\n\
         keyUsage = digitalSignature, nonRepudiation, keyAgreement\n\
         extendedKeyUsage = serverAuth\n",
        request_section(),
        escaped(common_name.as_str())
    )
}

fn request_section() -> &'static str {
    "[req]\n\
     distinguished_name = req_distinguished_name\n\
     prompt = no\n\
     utf8 = yes\n\
     string_mask = utf8only\n\
     \n\
     [req_distinguished_name]\n"
}

/// OpenSSL gives a meaning to these characters; a backslash takes it away.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for character in value.chars() {
        if matches!(character, '\\' | '$' | '#' | '"' | '\'' | '`') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}
