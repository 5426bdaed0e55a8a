//! The control port, as an operator with a terminal uses it.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::GIVE_UP;
use super::ini::Setting;
use super::relay::free_port;
use super::server::Server;

pub const ADMIN: &str = "admin-password";
pub const USER: &str = "user-password";

/// A server with a control port.
pub async fn with_control_port(settings: &[Setting<'_>]) -> (Server, u16) {
    let port = free_port().await;
    let text = port.to_string();
    let own = [
        ("TRANSPORT", "control_port", &*text),
        ("AUTH", "control_port_admin_password", ADMIN),
        ("AUTH", "control_port_user_password", USER),
    ];
    (Server::start_with(&[&own, settings].concat()).await, port)
}

/// A connection to the control port.
pub struct Control(BufReader<TcpStream>);

impl Control {
    /// Without a role.
    pub async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the control port is open");
        let mut this = Self(BufReader::new(stream));
        assert_eq!(this.line().await, "SMP server control port");
        assert_eq!(this.line().await, "'help' for supported commands");
        this
    }

    /// With the role of a user.
    pub async fn user(port: u16) -> Self {
        let mut this = Self::connect(port).await;
        assert_eq!(this.ask(&format!("auth {USER}")).await, "Current role is CPRUser");
        this
    }

    /// With the role of an admin.
    pub async fn admin(port: u16) -> Self {
        let mut this = Self::connect(port).await;
        assert_eq!(this.ask(&format!("auth {ADMIN}")).await, "Current role is CPRAdmin");
        this
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.expect("the control port takes it");
    }

    /// The next line.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(GIVE_UP, self.0.read_line(&mut line)).await.expect("a line comes").expect("lines are text");
        line.trim_end_matches('\n').to_owned()
    }

    /// Sends a line to a server that may end; the first line of the reply.
    pub async fn try_ask(&mut self, line: &str) -> io::Result<String> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).await?;
        self.try_line().await
    }

    /// The next line of a server that may end.
    pub async fn try_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match timeout(GIVE_UP, self.0.read_line(&mut line)).await.expect("a line comes, or the end") {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            read => read.map(|_| line.trim_end_matches('\n').to_owned()),
        }
    }

    /// Sends a line; the first line of the reply.
    pub async fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\n").as_bytes()).await;
        self.line().await
    }

    /// Sends a line and then `quit`; everything that comes.
    pub async fn all_of(mut self, line: &str) -> String {
        self.send(format!("{line}\nquit\n").as_bytes()).await;
        self.rest().await
    }

    /// Everything up to the end of the connection.
    pub async fn rest(mut self) -> String {
        let mut text = String::new();
        timeout(GIVE_UP, self.0.read_to_string(&mut text)).await.expect("the connection ends").expect("it is text");
        text
    }
}
