//! `man`.

use std::fs;
use std::process::Command;

use crate::support::Place;

#[test]
fn the_manual_page_has_every_command() {
    let place = Place::empty();
    let page = place.run(["man"]).succeeded().stdout.clone();
    assert!(page.contains(".TH SMP-SERVER 1"), "{page}");
    for command in ["init", "start", "delete", "cert", "check", "password", "backup", "restore", "journal", "database"]
    {
        let section = page.split_once(&format!(".SS smp-server {command}\n"));
        let (_, section) = section.unwrap_or_else(|| panic!("{command} is not in {page}"));
        assert!(section.starts_with(".nf\n") && section.contains("Usage: smp\\-server"), "{section}");
    }
    for section in ["FILES", "ENVIRONMENT", "SIGNALS", "EXIT STATUS"] {
        assert!(page.contains(&format!(".SH {section}")) || page.contains(&format!(".SH \"{section}\"")), "{section}");
    }
}

/// Groff has no complaints.
#[test]
fn the_manual_page_can_be_set() {
    let place = Place::empty();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), place.run(["man"]).stdout).unwrap();
    let set = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(file.path()).output();
    let set = set.expect("groff is installed");
    assert!(set.status.success() && set.stderr.is_empty(), "{}", String::from_utf8_lossy(&set.stderr));
}
