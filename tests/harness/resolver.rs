//! A resolver of names that answers as a test likes, and keeps the requests.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the resolver does with a request for a name.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An HTTP response of these bytes; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, and the end of the connection.
    Last(Vec<u8>),
    /// A head, and a body that never ends.
    Endless,
    /// Nothing.
    Silence,
}

impl Answer {
    /// A response with this status and body.
    pub fn with(status: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n\r\n", body.len());
        Self::Bytes([head.as_bytes(), body].concat())
    }
}

struct State {
    answer: Answer,
    health: u16,
    /// Heads of requests, each with its lines.
    requests: Vec<Vec<String>>,
}

/// An HTTP server on loopback.
pub struct Resolver {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Resolver {
    /// One that is well.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there are free ports");
        let port = listener.local_addr().expect("the listener is bound").port();
        let state = State { answer: Answer::with(404, ""), health: 200, requests: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                // A client that goes away is what some tests are about.
                connections.spawn(async move { serve(stream, &state).await.unwrap_or_default() });
            }
        });
        Self { port, state }
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on names are answered like this.
    pub fn answers(&self, answer: Answer) {
        self.state.lock().answer = answer;
    }

    /// From now on probes are answered with this status.
    pub fn health(&self, status: u16) {
        self.state.lock().health = status;
    }

    /// The requests since the last time.
    pub fn requests(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.state.lock().requests)
    }

    /// The request lines since the last time.
    pub fn request_lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|mut lines| lines.swap_remove(0)).collect()
    }
}

async fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let is_probe = head[0].contains(" /health ");
        let answer = {
            let mut state = state.lock();
            state.requests.push(head);
            if is_probe { Answer::with(state.health, "") } else { state.answer.clone() }
        };
        match answer {
            Answer::Bytes(bytes) => stream.write_all(&bytes).await?,
            Answer::Last(bytes) => return stream.write_all(&bytes).await,
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
                loop {
                    stream.write_all(b"4\r\nmore\r\n").await?;
                }
            }
            Answer::Silence => std::future::pending().await,
        }
    }
}
