//! `journal` and `database`.

use std::fs;

use crate::support::{Ended, MESSAGES, Place};

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
fn there_and_back() {
    let place = Place::with_server();
    let saved = place.with_messages(3, 30);
    let (log, journal) = (place.directories.messages_log(), place.directories.journal());
    let before = place.snapshot();
    let question = format!("Messages of {} will be moved to {}.\nContinue (Y/n): ", log.display(), journal.display());
    let refused = place.answer(["journal", "import"], "n\n");
    assert_eq!(refused, failed(format!("{question}Messages not imported\n"), ""));
    assert_eq!(place.snapshot(), before);

    let done = "Import completed: 3 messages, 3 queues\nSet store_messages to `journal` in smp-server.ini\n";
    assert_eq!(place.answer(["journal", "import"], "Y\n").succeeded().stdout, format!("{question}{done}"));
    assert!(journal.is_dir() && !log.exists());
    let backup = log.with_extension("log.bak");
    assert!(backup.exists());

    place.set("store_messages", "journal");
    assert_eq!(place.start_and_stop([]).code, Some(0));

    let question = format!("Messages of {} will be copied to {}.\nContinue (Y/n): ", journal.display(), log.display());
    let done = "Export completed: 3 messages, 3 queues\n\
                Run `smp-server journal delete` and set store_messages to `memory` in smp-server.ini\n";
    assert_eq!(place.answer(["journal", "export"], "Y\n").succeeded().stdout, format!("{question}{done}"));
    assert_eq!(place.sorted_lines(MESSAGES), saved);
    let again = format!("{} file already exists: import or remove it first\n", log.display());
    assert_eq!(place.run(["journal", "export"]), failed(again, ""));

    let question = format!("WARNING: {} will be deleted with all messages in it.\nContinue (Y/n): ", journal.display());
    let refused = place.answer(["journal", "delete"], "\n");
    assert_eq!(refused, failed(format!("{question}Messages NOT deleted\n"), ""));
    assert!(journal.is_dir());
    let done = format!("{question}Deleted all messages in {}\n", journal.display());
    assert_eq!(place.answer(["journal", "delete"], "Y\n").succeeded().stdout, done);
    assert!(!journal.exists());
    place.set("store_messages", "memory");
    assert_eq!(place.start_and_stop([]).code, Some(0));
    assert_eq!(place.sorted_lines(MESSAGES), saved);
}

#[test]
fn there_must_be_messages() {
    let place = Place::with_server();
    place.with_messages(1, 30);
    std::fs::remove_file(place.directories.messages_log()).unwrap();
    let (log, journal) = (place.directories.messages_log(), place.directories.journal());
    for (command, text) in [
        ("import", format!("{} file does not exist: there is nothing to import\n", log.display())),
        ("export", format!("{} directory does not exist: there is nothing to export\n", journal.display())),
        ("delete", format!("{} directory does not exist\n", journal.display())),
    ] {
        assert_eq!(place.run(["journal", command]), failed(text, ""));
    }
}

#[test]
fn a_running_server_keeps_its_messages() {
    let place = Place::with_server();
    place.set("store_messages", "journal");
    let server = place.start([]);
    for command in ["export", "delete"] {
        let ended = place.answer(["journal", command], "Y\n");
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("another server runs in"), "{}", ended.stderr);
    }
    server.signal(rustix::process::Signal::INT);
    assert_eq!(server.end().code, Some(0));
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
