//! Files that would leave the server open, as people write them.

use std::path::Path;

use crate::settings::Settings;

const MINIMAL: &str = "[STORE_LOG]\nenable = on\n[TRANSPORT]\nhost = a.org\nport = 5223\nwebsockets = off\n";

/// The error for a file with these lines, which begin at line 7.
fn error(lines: &str) -> String {
    let parsed = Settings::parse(Path::new("ini"), &format!("{MINIMAL}{lines}"));
    let error = parsed.map(|_| ()).expect_err(lines).to_string();
    assert!(!error.contains('\n') && !error.contains("secret"), "{error}");
    error
}

#[test]
fn nothing_that_was_meant_to_protect_is_ignored() {
    for (lines, message) in [
        ("[auth]", "ini:7: section [auth] would be ignored, and passwords in it with it; write [AUTH]"),
        (
            "[AUHT]\ncreate_password = secret",
            "ini:7: section [AUHT] would be ignored, and passwords in it with it; write [AUTH]",
        ),
        (
            "[AUTH]\nCREATE_PASSWORD = secret",
            "ini:8: key CREATE_PASSWORD in section [AUTH] would be ignored; write `create_password = …`",
        ),
        (
            "[AUTH]\ncreate-password = secret",
            "ini:8: key create-password in section [AUTH] would be ignored; write `create_password = …`",
        ),
        (
            "[AUTH]\ncreate_password hunter:secret",
            "ini:8: key create_password in section [AUTH] would be ignored; write `create_password = …`",
        ),
        (
            "[AUTH]\ncreate_password secret",
            "ini:8: create_password is not `key = value`, and would be ignored; \
             write `create_password = …` on a line of its own in section [AUTH]",
        ),
        (
            "[AUTH] create_password = secret",
            "ini:7: create_password stands behind the name of a section, and would be ignored; \
             write `create_password = …` on a line of its own in section [AUTH]",
        ),
        (
            "[AUTH\ncreate_password = secret",
            "ini:8: create_password follows a line that is not the name of a section, and would be ignored; \
             write `create_password = …` on a line of its own in section [AUTH]",
        ),
        (
            "new-queues = off",
            "ini:7: key new-queues in section [TRANSPORT] would be ignored; write it as `new_queues = …` in section [AUTH]",
        ),
        (
            "[AUTH]\ncontrol_port = 5224",
            "ini:8: key control_port in section [AUTH] would be ignored; \
             write it as `control_port = …` in section [TRANSPORT]",
        ),
        (
            "[AUTH]\ncontrol_port_admin_pasword = secret",
            "ini:8: key control_port_admin_pasword in section [AUTH] would be ignored; \
             write `control_port_admin_password = …`",
        ),
        (
            "[AUTH]\npassword = secret",
            "ini:8: key password in section [AUTH] would be ignored; the passwords are create_password, \
             control_port_admin_password and control_port_user_password",
        ),
        (
            "[proxy]\nsocks_proxy = 127.0.0.1:9050",
            "ini:8: key socks_proxy in section [proxy] would be ignored; write it as `socks_proxy = …` in section [PROXY]",
        ),
        ("Bind = 127.0.0.1", "ini:7: key Bind in section [TRANSPORT] would be ignored; write `bind = …`"),
        (
            "[PROXY]\nproxy = off",
            "ini:8: key proxy in section [PROXY] would be ignored; write it as `proxy = …` in section [LIMITS]",
        ),
    ] {
        assert_eq!(error(lines), message);
    }
    let early = Settings::parse(Path::new("ini"), &format!("create_password = secret\n{MINIMAL}")).unwrap_err();
    assert_eq!(
        early.to_string(),
        "ini:1: create_password stands before the first section, and would be ignored; \
         write `create_password = …` on a line of its own in section [AUTH]"
    );
}

#[test]
fn the_first_such_line_is_named() {
    assert!(error("[AUTH]\nnew_queue = off\n[PROXY]\nsocksproxy = :9050").starts_with("ini:8: key new_queue"));
}

#[test]
fn other_lines_do_not_stop_a_start() {
    for lines in [
        "[AUTH]\nqueue_limit = 5",
        "[ORACLE]",
        "[OTHER]\nfind = 1\nkind = 2",
        "[AUTH] # who may do what",
        "[AUTH]\nnew queues are welcome\nbind",
        "[INFORMATION]\npassword_reset = by mail",
    ] {
        let (_, warnings) = Settings::parse(Path::new("ini"), &format!("{MINIMAL}{lines}")).expect(lines);
        assert!(warnings.len() <= 2, "{warnings:?}");
    }
}

#[test]
fn a_missing_key_is_looked_for_elsewhere() {
    let text = "[SERVER]\nport = 5223\nhost = a.org\n[STORE]\nenable = on\n[TRANSPORT]\nwebsockets = off\n";
    let error = Settings::parse(Path::new("ini"), text).unwrap_err().to_string();
    let expected = "no key port in section TRANSPORT, where these belong: port in [SERVER], line 2; host in [SERVER], line 3 (ini,";
    assert!(error.starts_with(expected), "{error}");
}
