//! `journal` and `database`, for kinds of storage that the program does not have.

use std::fs;

use crate::support::{Ended, Place};

fn failed(stdout: impl Into<String>, stderr: impl Into<String>) -> Ended {
    Ended { code: Some(1), stdout: stdout.into(), stderr: stderr.into() }
}

#[test]
fn there_must_be_a_server() {
    let place = Place::empty();
    let ini = place.directories.ini();
    let text =
        format!("Error: server is not initialized ({} does not exist).\nRun `smp-server init`.\n", ini.display());
    for arguments in [["journal", "import"], ["journal", "export"], ["journal", "delete"], ["database", "import"]] {
        assert_eq!(place.run(arguments), failed(&*text, ""));
    }
}

#[test]
fn the_journal_needs_a_store_log() {
    for command in ["import", "export", "delete"] {
        let place = Place::with_server();
        let store_log = place.directories.store_log();
        let text = format!("Store log file {} not found\n", store_log.display());
        assert_eq!(place.run(["journal", command]), failed(text, ""));
        place.set("enable", "off");
        assert_eq!(place.run(["journal", command]), failed("Store log disabled, see `[STORE_LOG] enable`\n", ""));
        place.set("enable", "perhaps");
        assert!(place.run(["journal", command]).stderr.starts_with("Error: invalid INI setting enable: perhaps ("));
    }
}

#[test]
fn there_is_no_journal() {
    let place = Place::with_server();
    place.with_messages(1, 30);
    let before = place.snapshot();
    for (command, nothing) in [
        ("import", "no messages were imported"),
        ("export", "no messages were exported"),
        ("delete", "nothing was deleted"),
    ] {
        let text = format!("Error: this program has no journal storage: {nothing}\n");
        assert_eq!(place.run(["journal", command]), failed("", text));
    }
    assert_eq!(place.snapshot(), before);
}

#[test]
fn there_is_no_database() {
    let place = Place::with_server();
    let default = "postgresql://smp@/smp_server_store, schema: smp_server, connections: 10";
    for (arguments, database, nothing) in [
        (&["import"][..], default, "nothing was imported"),
        (&["export"], default, "nothing was exported"),
        (&["delete"], default, "nothing was deleted"),
        (&["import", "--table", "all"], default, "nothing was imported"),
        (&["--table", "queues", "import"], default, "no queues were imported"),
        (&["export", "--table=messages"], default, "no messages were exported"),
        (
            &["-d", "postgresql://smp:secret@host/db", "export", "--schema", "other"],
            "postgresql://smp:***@host/db, schema: other, connections: 10",
            "nothing was exported",
        ),
        (
            &["--pool-size=2", "--schema=before", "import", "--schema=after", "--database", "dbname=a password=secret"],
            "dbname=a password=***, schema: after, connections: 2",
            "nothing was imported",
        ),
    ] {
        let ended = place.run(["database"].into_iter().chain(arguments.iter().copied()));
        let stdout = format!("PostgreSQL database: {database}\n");
        let stderr = format!("Error: this program has no PostgreSQL storage: {nothing}\n");
        assert_eq!(ended, failed(stdout, stderr));
    }
}

#[test]
fn a_file_that_is_not_text_is_named() {
    let place = Place::with_server();
    fs::write(place.directories.ini(), b"[AUTH]\n# caf\xe9\n").unwrap();
    let text = format!("Error: {}:2: not UTF-8 text; save the file in UTF-8\n", place.directories.ini().display());
    assert_eq!(place.run(["journal", "import"]), failed("", text));
}
