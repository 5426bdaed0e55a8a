//! One connection to the control port.

use std::sync::Arc;

use slog::{error, warn};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::command::{ControlCommand, Role};
use super::desk::ControlDesk;
use crate::admission::Place;

/// Most bytes of a line, its end included.
const MAX_LINE: u64 = 4096;

const GREETING: &str = "SMP server control port\n'help' for supported commands\n";
const HELP: &str = "commands: stats, stats-rts, clients, sockets, socket-threads, threads, server-info, status, block, \
    unblock, delete, save, help, quit\n";

/// Reads lines and answers each, until the operator quits or is gone.
///
/// Whoever has a role keeps the place.
pub async fn serve(stream: TcpStream, desk: Arc<ControlDesk>, place: &Place) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut role = Role::None;
    let mut keeps_place = None;
    write.write_all(GREETING.as_bytes()).await?;
    loop {
        let mut line = Vec::new();
        if (&mut read).take(MAX_LINE).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") && line.len() as u64 == MAX_LINE {
            return write.write_all(format!("error: a line has at most {MAX_LINE} bytes\n").as_bytes()).await;
        }
        let text = String::from_utf8_lossy(&line);
        let reply = match ControlCommand::parse(text.trim_end_matches(['\r', '\n'])) {
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
        write.write_all(reply.as_bytes()).await?;
    }
}
