//! Whether a name was meant to be another one.

/// Whether two names differ only in case, hyphens, underscores, dots and spaces.
pub(crate) fn is_other_case(name: &str, meant: &str) -> bool {
    letters(name) == letters(meant)
}

/// As [`is_other_case`], or besides in one letter: another one, one too many, one too few, or two that changed places.
pub(crate) fn is_misspelt(name: &str, meant: &str) -> bool {
    let (name, meant) = (letters(name), letters(meant));
    let same_start = name.iter().zip(&meant).take_while(|(one, other)| one == other).count();
    let (name, meant) = (&name[same_start..], &meant[same_start..]);
    let same_end = name.iter().rev().zip(meant.iter().rev()).take_while(|(one, other)| one == other).count();
    match (&name[..name.len() - same_end], &meant[..meant.len() - same_end]) {
        ([a, b], [c, d]) => a == d && b == c,
        (name, meant) => name.len() <= 1 && meant.len() <= 1,
    }
}

fn letters(name: &str) -> Vec<char> {
    let separators = ['-', '_', '.', ' '];
    name.chars().flat_map(char::to_lowercase).filter(|character| !separators.contains(character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised() {
        for (name, meant) in [
            ("auth", "AUTH"),
            ("AUHT", "AUTH"),
            ("AUT", "AUTH"),
            ("AUTHH", "AUTH"),
            ("UTH", "AUTH"),
            ("AUTO", "AUTH"),
            ("CREATE_PASSWORD", "create_password"),
            ("create-password", "create_password"),
            ("createpassword", "create_password"),
            ("create_pasword", "create_password"),
            ("create_password\u{200b}", "create_password"),
            ("cr\u{435}ate_password", "create_password"),
            ("control_port_user_passwrod", "control_port_user_password"),
            ("control-port", "control_port"),
        ] {
            assert!(is_misspelt(name, meant) && is_misspelt(meant, name), "{name}");
        }
        for (name, meant) in
            [("AU", "AUTH"), ("WEB", "AUTH"), ("password", "create_password"), ("UATHS", "AUTH"), ("", "AUTH")]
        {
            assert!(!is_misspelt(name, meant) && !is_misspelt(meant, name), "{name}");
        }
        assert!(is_other_case("Create Password", "create_password") && !is_other_case("auht", "AUTH"));
    }
}
