//! One connection to the control port.

use std::sync::Arc;
use std::time::Duration;

use slog::{error, warn};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::command::{ControlCommand, Role};
use super::desk::ControlDesk;
use super::line::{Line, LineReader, MAX_LINE};
use crate::admission::Place;

/// Time to take an answer.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

const GREETING: &str = "SMP server control port\n'help' for supported commands\n";
const HELP: &str = "commands: stats, stats-rts, clients, sockets, socket-threads, threads, server-info, status, block, \
    unblock, delete, save, help, quit\n";

/// Reads lines and answers each, until the operator quits or is gone.
///
/// Whoever has a role keeps the place.
pub async fn serve(stream: TcpStream, desk: Arc<ControlDesk>, place: &Place) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = LineReader::new(read);
    let mut role = Role::None;
    let mut keeps_place = None;
    timeout(WRITE_LIMIT, write.write_all(GREETING.as_bytes())).await??;
    loop {
        let text = match lines.next().await? {
            Line::Text(text) => text,
            Line::TooLong => {
                return write.write_all(format!("error: a line has at most {MAX_LINE} bytes\n").as_bytes()).await;
            }
            Line::End => return Ok(()),
        };
        let reply = match ControlCommand::parse(&text) {
            Ok(None) => continue,
            Ok(Some(ControlCommand::Quit)) => return Ok(()),
            Ok(Some(ControlCommand::Help)) => HELP.to_owned(),
            Ok(Some(ControlCommand::Auth(password))) => {
                let reply = desk.log_in(&mut role, &password.0);
                if role > Role::None && keeps_place.is_none() {
                    keeps_place = Some(place.busy());
                }
                reply
            }
            Ok(Some(command)) if role < command.role() => {
                if desk.unauthorized.allows_line() {
                    error!(desk.logger, "Unauthorized control port command");
                }
                "AUTH\n".to_owned()
            }
            Ok(Some(command)) => {
                // Which queue it is about is nobody's business but the operator's.
                let word = text.split_whitespace().next().unwrap_or_default();
                warn!(desk.logger, "ControlPort: {word}");
                desk.execute(command, role).await
            }
            Err(invalid) => format!("error: {invalid}\n"),
        };
        timeout(WRITE_LIMIT, write.write_all(reply.as_bytes())).await??;
    }
}
