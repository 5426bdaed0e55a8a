//! A machine for the guide: its commands run in a directory that stands for `/`, as the user of the test, who is also `smp`.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use smp_config::paths::{CONFIG_VARIABLE, Directories, STATE_VARIABLE};
use tempfile::TempDir;

/// Programs that administer a machine, for somebody who has none: other users become the one who runs the test, the firewall
/// opens nothing, and `cargo` has built already. `$ROOT` is the machine.
const PROGRAMS: [(&str, &str); 12] = [
    ("sudo", "if [ \"$1\" = -u ]; then shift 2; fi\nexec \"$@\""),
    // su smp -c COMMAND
    ("su", "shift; exec sh \"$@\""),
    ("chown", "exit 0"),
    ("useradd", "exit 0"),
    ("ufw", "exit 0"),
    ("firewall-cmd", "exit 0"),
    ("cargo", "exit 0"),
    ("journalctl", "cat \"$ROOT/var/log/smp-server.log\""),
    ("systemd-analyze", "exit 0"),
    // Without owner and group.
    (
        "install",
        "while [ $# -gt 0 ]; do case $1 in -o | -g) shift 2 ;; -m) mode=$2; shift 2 ;; *) break ;; esac; done\n\
        cp \"$1\" \"$2.new\"\nchmod \"$mode\" \"$2.new\"\nmv \"$2.new\" \"$2\"",
    ),
    ("certbot", CERTBOT),
    ("systemctl", SYSTEMCTL),
];

/// A certificate authority that believes everybody.
const CERTBOT: &str = r#"while [ $# -gt 0 ]; do
    case $1 in --domain) domain=$2; shift 2 ;; --deploy-hook) hook=$2; shift 2 ;; *) shift ;; esac
done
export RENEWED_LINEAGE="$ROOT/etc/letsencrypt/live/$domain"
mkdir -p "$RENEWED_LINEAGE"
openssl req -x509 -nodes -days 90 -newkey rsa:2048 -subj "/CN=$domain" -keyout "$RENEWED_LINEAGE/privkey.pem" \
    -out "$RENEWED_LINEAGE/fullchain.pem" 2>/dev/null
seen=$(wc -l <"$ROOT/var/log/smp-server.log")
"$hook"
# The guide says that the server notices.
until tail -n "+$((seen + 1))" "$ROOT/var/log/smp-server.log" | grep -q 'loaded the web certificate'; do :; done
"#;

/// One service. Ports are free ones instead of those that need privileges or may be in use.
const SYSTEMCTL: &str = r#"log="$ROOT/var/log/smp-server.log"
unit="$ROOT/etc/systemd/system/smp-server.service"
pid="$ROOT/run/smp-server.pid"
command=$1
start() {
    sed -i -e "s/^port = 5223,443\$/port = $PORTS/" -e "s/^https = 443\$/https = ${PORTS#*,}/" "$SMP_SERVER_CFG_PATH/smp-server.ini"
    program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
    seen=$(wc -l <"$log")
    setsid "$ROOT$program" start +RTS -N -RTS >>"$log" 2>&1 &
    echo $! >"$pid"
    until tail -n "+$((seen + 1))" "$log" | grep -q 'Server started'; do
        kill -0 "$(cat "$pid")" || { cat "$log"; exit 1; }
    done
}
stop() {
    [ -e "$pid" ] || return 0
    kill -INT "$(cat "$pid")"
    while kill -0 "$(cat "$pid")" 2>/dev/null; do :; done
    rm "$pid"
}
case $command in
daemon-reload) ;;
enable | start) start ;;
disable | stop) stop ;;
restart) stop; start ;;
reload)
    seen=$(wc -l <"$log")
    kill -HUP "$(cat "$pid")"
    until tail -n "+$((seen + 1))" "$log" | grep -q 'reloaded certificate'; do :; done
    ;;
status) if kill -0 "$(cat "$pid")"; then echo 'active (running)'; cat "$log"; else exit 3; fi ;;
*) exit 1 ;;
esac
"#;

/// Ends a server that a failed test has left behind.
const KILL: &str = "[ ! -e \"$ROOT/run/smp-server.pid\" ] || kill -9 \"$(cat \"$ROOT/run/smp-server.pid\")\" || true";

pub struct Host {
    root: TempDir,
    /// Free ones.
    ports: String,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn succeeded(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.sh(KILL);
    }
}

impl Host {
    pub fn new() -> Self {
        let port = TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port();
        let this = Self { root: tempfile::tempdir().unwrap(), ports: port.to_string() };
        let programs = this.path("/usr/local/bin");
        fs::create_dir_all(&programs).unwrap();
        for (name, script) in PROGRAMS {
            let path = programs.join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_smp-server"), programs.join("smp-server")).unwrap();
        for directory in ["/var/log", "/run", "/tmp", "/root", "/target/release", "/etc/systemd/system"] {
            fs::create_dir_all(this.path(directory)).unwrap();
        }
        fs::write(this.path("/var/log/smp-server.log"), "").unwrap();
        // The clone in which the operator works.
        symlink(env!("CARGO_BIN_EXE_smp-server"), this.path("/target/release/smp-server")).unwrap();
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
        let copied = Command::new("cp").arg("-r").arg(deploy).arg(this.root.path()).status().unwrap();
        assert!(copied.success());
        this
    }

    /// Where a path of the machine is.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    pub fn directories(&self) -> Directories {
        Directories { config: self.path("/etc/opt/simplex"), state: self.path("/var/opt/simplex") }
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    /// Directories as the reference left them, and its program, which is ours here, with its unit.
    pub fn with_reference_server(&self) {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/store/tests/data/reference-6.5.5/memory/state");
        self.sh("smp-server init --yes --fqdn localhost").succeeded();
        // The recorded messages must never be too old for this test.
        let ini = self.read("/etc/opt/simplex/smp-server.ini");
        self.write("/etc/opt/simplex/smp-server.ini", &ini.replace("_days = 21", "_days = 100000"));
        let state = self.path("/var/opt/simplex");
        let copied = Command::new("cp").arg("-r").arg(data).arg(state.with_file_name("copied")).status().unwrap();
        assert!(copied.success());
        fs::remove_dir_all(&state).unwrap();
        fs::rename(state.with_file_name("copied"), state).unwrap();
        fs::copy("deploy/smp-server.service", self.path("/etc/systemd/system/smp-server.service")).unwrap();
    }

    /// The text of a command with the paths and the name of this machine.
    pub fn adapted(&self, text: &str) -> String {
        let root = self.root.path().display();
        let paths = ["/etc/opt", "/var/opt", "/usr/local/bin", "/tmp/smp"];
        let text = paths.iter().fold(text.to_owned(), |text, path| text.replace(path, &format!("{root}{path}")));
        text.replace("smp.example.org", "localhost").replace("~/", &format!("{root}/root/"))
    }

    /// A shell that will run this command here.
    pub fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.env("ROOT", self.root.path()).env("DESTDIR", self.root.path()).env("PORTS", self.ports.as_str());
        let programs = self.path("/usr/local/bin");
        let path = std::env::var("PATH").unwrap_or_default();
        shell.args(["-c", &self.adapted(command)]).env("PATH", format!("{}:{path}", programs.display()));
        let Directories { config, state } = self.directories();
        shell.env(CONFIG_VARIABLE, config).env(STATE_VARIABLE, state).current_dir(self.root.path());
        shell
    }

    pub fn sh(&self, command: &str) -> Ended {
        self.answer(command, "")
    }

    pub fn answer(&self, command: &str, input: &str) -> Ended {
        let mut shell = self.shell(command);
        let mut child = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A program that does not read it all may have ended.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("the shell ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
