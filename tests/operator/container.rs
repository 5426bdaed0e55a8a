//! The entrypoint of the container, in the directories of a test: containers themselves are not built here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::Signal;
use tokio::time::timeout;

use crate::harness::GIVE_UP;
use crate::harness::process::Process;
use crate::host::{Ended, Host};

const ENTRYPOINT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/container/entrypoint");

/// A host with the two volumes of the container.
fn volumes() -> Host {
    let host = Host::new();
    for path in ["/etc/opt/simplex", "/var/opt/simplex"] {
        fs::create_dir_all(host.path(path)).unwrap();
    }
    host
}

fn entrypoint(host: &Host, variables: &[(&str, &str)], options: &str) -> Command {
    let mut command = host.shell(&format!("exec {ENTRYPOINT} {options}"));
    for name in ["ADDR", "PASS", "WEB_MANUAL", "SOURCE_CODE"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    command
}

/// Makes the server, and loads it once.
fn make(host: &Host, variables: &[(&str, &str)]) -> Ended {
    let output = entrypoint(host, variables, "--maintenance").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn the_address_decides_what_is_made() {
    for (address, lines) in [
        ("smp.example.org", &["host = smp.example.org", "own_server_domains = example.org"][..]),
        ("192.0.2.1", &["host = 192.0.2.1", "# own_server_domains = example.org"]),
        ("2001:db8::a", &["host = 2001:db8::a"]),
    ] {
        let host = volumes();
        let ended = make(&host, &[("ADDR", address), ("PASS", "secret"), ("WEB_MANUAL", "1")]);
        assert!(ended.succeeded().stdout.contains("'maintenance' mode"), "{ended:?}");
        let ini = host.read("/etc/opt/simplex/smp-server.ini");
        for line in lines.iter().chain(&["create_password = secret", "log_stats = on", "port = 5223", "# https = 443"])
        {
            assert!(ini.lines().any(|found| found == *line), "{line} is not in {ini}");
        }
        // The variables count once.
        make(&host, &[("ADDR", "another.example.org")]).succeeded();
        assert_eq!(host.read("/etc/opt/simplex/smp-server.ini"), ini);
    }
}

#[test]
fn certificates_are_those_of_the_volume() {
    let host = volumes();
    make(&host, &[("ADDR", "smp.example.org"), ("SOURCE_CODE", "https://example.org/source")]).succeeded();
    let ini = host.read("/etc/opt/simplex/smp-server.ini");
    for line in [
        "cert = /certificates/smp.example.org.crt",
        "key = /certificates/smp.example.org.key",
        "https = 443",
        "# create_password = password",
        "source_code = https://example.org/source",
    ] {
        assert!(ini.lines().any(|found| found == line), "{line} is not in {ini}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (variables, complaint, remedy) in [
        (&[][..], "Please specify ADDR", "set ADDR to the host name"),
        (&[("ADDR", "localhost")], "ADDR=localhost is no address", "a name with a dot"),
        (&[("ADDR", "smp.example.org"), ("PASS", "p@ss")], "the value of PASS cannot be used: ", "set PASS to another"),
        (&[("ADDR", "smp.example.org"), ("PASS", "two words")], "a password cannot contain ' '", "set PASS to another"),
        (&[("ADDR", "\"smp.example.org\"")], "the value of ADDR cannot be used: ", "set ADDR to another"),
        (&[("ADDR", "smp.example.org"), ("SOURCE_CODE", "a\nb")], "the value of SOURCE_CODE cannot", "set SOURCE_CODE"),
        // Without PASS everybody may create queues: that must be meant.
        (
            &[("ADDR", "smp.example.org"), ("PASSWORD", "secret")],
            "PASSWORD is set, and PASS is not",
            "set PASS instead",
        ),
        (&[("ADDR", "smp.example.org"), ("pass", "secret")], "pass is set, and PASS is not", "set PASS instead"),
        (&[("ADDR", "smp.example.org"), ("SMP_PASS", "secret")], "SMP_PASS is set", "set PASS instead of SMP_PASS"),
    ] {
        let host = volumes();
        let ended = make(&host, variables);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(complaint) && ended.stderr.contains(remedy), "{ended:?}");
        assert!(!host.path("/etc/opt/simplex/smp-server.ini").exists());
    }
}

#[test]
fn volumes_are_checked_for_rights() {
    let host = volumes();
    let state = host.path("/var/opt/simplex");
    fs::remove_dir(&state).unwrap();
    let ended = make(&host, &[("ADDR", "smp.example.org")]);
    assert!(ended.code == Some(1) && ended.stderr.contains("mount a volume at"), "{ended:?}");
    if rustix::process::geteuid().is_root() {
        // Who may write everywhere is asked as somebody who may not.
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
        for path in ["/etc", "/etc/opt", "/etc/opt/simplex", "/var", "/var/opt", ""] {
            fs::set_permissions(host.path(path), fs::Permissions::from_mode(0o777)).unwrap();
        }
        let mut command = entrypoint(&host, &[("ADDR", "smp.example.org")], "");
        let mut other = Command::new("setpriv");
        other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]).args(command.get_args());
        other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command = other;
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        for words in ["user 65534 may not write to", "owner 0:0, mode 700", "sudo chown -R 65534:65534"] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
}

/// The container stops it with SIGINT, and asks it how it is.
#[tokio::test]
async fn the_server_is_the_process_of_the_container() {
    let host = volumes();
    make(&host, &[("ADDR", "127.0.0.1"), ("WEB_MANUAL", "1")]).succeeded();
    let free = std::net::TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port();
    let ini = host.read("/etc/opt/simplex/smp-server.ini").replace("\nport = 5223\n", &format!("\nport = {free}\n"));
    host.write("/etc/opt/simplex/smp-server.ini", &ini);
    let process = Process::start(&mut entrypoint(&host, &[], "+RTS -N -RTS"));
    let started = process.output().line(0, |line| line.contains("Server started"));
    timeout(GIVE_UP, started).await.unwrap().expect("the server starts");
    host.sh("smp-server check --local").succeeded();
    let output = process.output().clone();
    process.signal(Signal::INT);
    assert_eq!(process.exit().await.code(), Some(0));
    assert!(output.lines().iter().any(|line| line.ends_with("Server stopped")));
}
