//! `address` and `completions`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::Place;

/// The line that a start prints.
fn told_at_the_start(place: &Place) -> String {
    let ended = place.start_and_stop([]);
    let line = ended.stdout.lines().find_map(|line| line.strip_prefix("Server address: "));
    line.expect("the start tells the address").to_owned()
}

#[test]
fn the_address_is_that_of_the_start() {
    let place = Place::with_server();
    let address = place.run(["address"]).succeeded().stdout.clone();
    assert_eq!(address.trim_end(), told_at_the_start(&place));
    assert!(address.contains('@') && address.contains(':'));
    assert_eq!(Place::empty().run(["address"]).code, Some(1));
}

#[test]
fn the_code_is_shown_and_written() {
    let place = Place::with_server();
    let address = place.run(["address"]).stdout;
    let shown = place.run(["address", "--qr"]).succeeded().stdout.clone();
    let code: Vec<_> = shown.strip_prefix(&address).expect("the address comes first").lines().collect();
    let width = code[0].chars().count();
    assert!(width > 25 && code.iter().all(|line| line.chars().count() == width), "{shown}");
    assert!(code.len().abs_diff(width / 2) <= 1, "two rows in a line");

    let file = place.directories.config.join("address.svg");
    let path = file.to_str().expect("a path of a test is text");
    place.run(["address", "--svg", path]).succeeded();
    let image = fs::read_to_string(&file).unwrap();
    assert!(image.contains("<svg ") && image.ends_with("</svg>"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "it has the password in it");
    let png = place.directories.config.join("address.png");
    place.run(["address", "--png", png.to_str().unwrap()]).succeeded();
    let picture = image::open(&png).unwrap().to_luma8();
    let [wide, high] = [picture.width(), picture.height()].map(|size| size as usize);
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(wide, high, |x, y| picture.as_raw()[y * wide + x]);
    assert_eq!(picture.detect_grids()[0].decode().unwrap().1, address.trim_end());
    let again = place.run(["address", "--svg", path]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("cannot write") && again.stderr.contains(path), "{}", again.stderr);
}

/// The log of a service is read by more people than its settings.
#[test]
fn the_start_keeps_the_address_to_itself() {
    let place = Place::with_server();
    let address = place.run(["address"]).succeeded().stdout.clone();
    let password = address.split([':', '@']).nth(2).expect("the address has a password");
    place.set("print_address", "off");
    let ended = place.start_and_stop([]);
    assert!(!ended.stdout.contains("smp://") && !ended.stdout.contains(password), "{}", ended.stdout);
    assert!(!ended.stderr.contains(password) && ended.stdout.contains("\nFingerprint: "), "{ended:?}");
    assert_eq!(place.run(["address"]).succeeded().stdout, address);
}

#[test]
fn an_address_that_nobody_can_use_has_no_code() {
    let place = Place::with_server();
    for host in ["<hostnames>", "", "not a name", "smp.example.org,<hostnames>"] {
        place.set("host", host);
        place.run(["address"]).succeeded();
        let picture = place.directories.config.join("address.png");
        for arguments in [&["--qr"][..], &["--png", "address.png"], &["--svg", picture.to_str().unwrap()]] {
            let ended = place.run(["address"].into_iter().chain(arguments.iter().copied()));
            assert_eq!(ended.code, Some(1), "{host}: {ended:?}");
            assert!(ended.stderr.contains("set `host` in section [TRANSPORT]"), "{}", ended.stderr);
            assert!(!picture.exists() && ended.stdout.lines().count() == 1, "{ended:?}");
        }
    }
}

/// The script is sound for the shell it is for, and names the commands.
#[test]
fn bash_reads_the_completions() {
    let place = Place::empty();
    let script = place.run(["completions", "bash"]).succeeded().stdout.clone();
    for word in ["init", "start", "--skip-warnings", "journal", "address", "--qr"] {
        assert!(script.contains(word), "{word}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &script).unwrap();
    let checked = Command::new("bash").arg("-n").arg(file.path()).stdin(Stdio::null()).status().unwrap();
    assert!(checked.success());
    let unknown = place.run(["completions", "tcsh"]);
    assert!(unknown.code == Some(1) && unknown.stderr.contains("possible values: bash"), "{}", unknown.stderr);
    for shell in ["zsh", "fish"] {
        assert!(place.run(["completions", shell]).succeeded().stdout.contains("smp-server"));
    }
}
