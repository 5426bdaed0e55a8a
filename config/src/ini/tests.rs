//! The grammar, as operators meet it.

use std::path::Path;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Ini {
    Ini::parse(Path::new("smp-server.ini"), text).unwrap()
}

/// `key → value` of section `[A]`, in alphabetical order of the keys.
fn section_a(text: &str) -> Vec<(String, String)> {
    let ini = parse(text);
    let keys = ini.sections.get("A").into_iter().flatten();
    keys.map(|(key, entry)| (key.clone(), entry.value.to_string())).collect()
}

fn warnings(text: &str) -> Vec<String> {
    parse(text).warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn lines_mean_what_they_mean_to_the_reference() {
    for (text, key, value) in [
        ("[A]\nk = v", "k", "v"),
        ("[A]\nk: v", "k", "v"),
        ("[A]\nk=v", "k", "v"),
        ("[A]\nk:5223", "k", "5223"),
        ("\u{feff}[A]\r\n  k = v  \r\n", "k", "v"),
        ("[ A ]\n\tk\t=\tv", "k", "v"),
        ("[A]\nk = v # not a comment", "k", "v # not a comment"),
        ("[A]\nk = v ; not a comment", "k", "v ; not a comment"),
        ("[A]\nk = \"quoted\"", "k", "\"quoted\""),
        ("[A]\nk = a=b:c#d", "k", "a=b:c#d"),
        ("[A]\nk: http://host/?a=b", "k", "http://host/?a=b"),
        ("[A]\nk =", "k", ""),
        ("[A]\nk:", "k", ""),
        ("[A]\nhost name = v", "host name", "v"),
        ("[A]\nk = pos\u{142}uchaj", "k", "pos\u{142}uchaj"),
        ("[A]\n# k = comment\n ; k = comment\n\n  \nk = v", "k", "v"),
        ("[A]\n[B]\nm = v\n[A]\nk = v", "k", "v"),
        ("x = before\n[A]\nk = v", "k", "v"),
        ("[A]\nno separator\nk = v", "k", "v"),
        ("[A]\nk[0] = x\nk = v", "k", "v"),
        ("[A]\n= x\nk = v", "k", "v"),
        ("[A] # text\nk = v", "k", "v"),
        ("[A]\nk = v\n[B\nk = lost\nm = lost", "k", "v"),
    ] {
        assert_eq!(section_a(text), [(key.to_owned(), value.to_owned())], "{text:?}");
    }
    assert_eq!(section_a("[a]\nk = v"), [], "sections are case-sensitive");
    assert_eq!(section_a("[A]"), []);
}

#[test]
fn skipped_lines_are_reported() {
    for (text, warning) in [
        ("x = 1", "smp-server.ini:1: ignored: stands before the first section"),
        ("[A]\r\nnonsense", "smp-server.ini:2: ignored: neither `key = value` nor `[section]`"),
        ("[A]\n\nk[] = v", "smp-server.ini:3: ignored: not a key"),
        ("[A\nk = 1", "smp-server.ini:1: not a section name; all keys up to the next section are ignored"),
        ("[]", "smp-server.ini:1: not a section name; all keys up to the next section are ignored"),
        ("[A] x", "smp-server.ini:1: text after [A] is ignored"),
    ] {
        assert_eq!(warnings(text), [warning], "{text:?}");
    }
}

#[test]
fn equal_sections_are_one() {
    let read = section_a("[A]\nk = 1\n[B]\nk = 2\n[A]\nm = 3\n[ A ]\nn: 4");
    let expected = [("k", "1"), ("m", "3"), ("n", "4")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(read, expected);
}

#[test]
fn equal_keys_are_an_error_that_names_both_lines() {
    for text in ["[A]\nk = 1\n\nk = 1", "[A]\nk = 1\n[A]\nk: 2", "[A]\nk=\n[B]\n[A]\nm = 1\nk = 2\nk = 3"] {
        let second = text.lines().enumerate().skip(2).find(|(_, line)| line.starts_with('k')).unwrap().0 + 1;
        let error = Ini::parse(Path::new("ini"), text).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("ini:{second}: k in section [A] is set in line 2 already; delete line 2 or line {second}")
        );
    }
    parse("[A]\nk = 1\n[B]\nk = 2");
}

#[test]
fn errors_say_everything_on_one_line() {
    let ini = parse("[A]\nswitch = yes\nmode = fast\nnumber = 1.5\nsecret = pass@word\nbell = \u{7}");
    let section = ini.section("A");
    let words = [("slow", 1), ("steady", 2)];
    for (error, text) in [
        (
            section.on_off("switch").unwrap_err(),
            "invalid INI setting switch: yes (smp-server.ini:2, section [A], key switch; allowed: on, off)",
        ),
        (
            section.one_of("mode", &words).unwrap_err(),
            "invalid INI setting mode: fast (smp-server.ini:3, section [A], key mode; allowed: slow, steady)",
        ),
        (
            section.integer("number", 0..=9).unwrap_err(),
            "invalid INI setting number: 1.5 (smp-server.ini:4, section [A], key number; \
             allowed: a whole number from 0 to 9)",
        ),
        (
            section.required("absent", "a port").unwrap_err(),
            "no key absent in section A (smp-server.ini, section [A], key absent; allowed: a port)",
        ),
        (
            section.on_off("bell").unwrap_err(),
            "invalid INI setting bell: \u{fffd} (smp-server.ini:6, section [A], key bell; allowed: on, off)",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
    let error = section.password("secret").unwrap_err().to_string();
    assert!(error.contains("'@'") && error.contains("smp-server.ini:5") && !error.contains("pass@word"), "{error}");
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "([\\[\\]=:#;a-c \\r\\n\u{2028}]|\\PC){0,60}") {
        let _ = Ini::parse(Path::new("ini"), &text).map(Ini::into_warnings);
    }

    #[test]
    fn what_is_written_is_read(pairs in proptest::collection::btree_map("[a-z_]{1,8}", "[!-~]([ -~]{0,20}[!-~])?", 0..8)) {
        for separator in ["=", " = ", ": ", ":"] {
            let lines: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}{separator}{value}")).collect();
            let read = section_a(&format!("[A]\n{}", lines.join("\n")));
            prop_assert_eq!(read, pairs.clone().into_iter().collect::<Vec<_>>());
        }
    }
}
