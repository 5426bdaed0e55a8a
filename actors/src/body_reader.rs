//! The body reader: reads bodies of messages from the journal, so that sessions and shards never wait for the disk.
//!
//! A few threads, which a slow disk may block, with a short queue in front of them. A session that finds it full waits for its turn;
//! everything that needs no disk goes on meanwhile.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use slog::{Logger, error};
use smp_store::error::FileError;
use smp_store::journal::Filed;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::faults::{self, FaultPoint};
use crate::guard::Guard;

/// Bodies that are read at a time: a disk is fastest when it has several things to do.
const THREADS: usize = 4;
/// Bodies that wait for a thread.
const WAITING: usize = 64;
/// How long a session waits for a body, in the queue and for the disk.
const LIMIT: Duration = Duration::from_secs(30);

/// The way to the threads. They end with the last clone of it.
#[derive(Clone)]
pub struct BodyReader {
    requests: mpsc::Sender<Request>,
}

struct Request {
    place: Filed,
    reply: oneshot::Sender<Result<Vec<u8>, FileError>>,
}

impl BodyReader {
    /// Starts the threads.
    pub(crate) fn start(guard: &Guard, logger: &Logger) -> Self {
        let (requests, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..THREADS {
            let (waiting, guard) = (Arc::clone(&waiting), guard.clone());
            let thread = thread::Builder::new().name("body reader".to_owned()).spawn(move || work(&waiting, &guard));
            // The others do its work. Without any, the channel is closed and each body an error.
            if let Err(failure) = thread {
                error!(logger, "cannot start a thread that reads messages: {failure}; raise the limit of threads");
            }
        }
        Self { requests }
    }

    /// One without threads, for messages that are in memory.
    pub(crate) fn of_nothing() -> Self {
        Self { requests: mpsc::channel(1).0 }
    }

    /// Reads a body. A damaged one is an error of kind [`io::ErrorKind::InvalidData`]; one that takes too long, of
    /// [`io::ErrorKind::TimedOut`].
    pub(crate) async fn read(&self, place: &Filed) -> Result<Vec<u8>, FileError> {
        let (reply, body) = oneshot::channel();
        let read = async {
            self.requests.send(Request { place: place.clone(), reply }).await.ok()?;
            body.await.ok()
        };
        let (kind, text) = match timeout(LIMIT, read).await {
            Ok(Some(body)) => return body,
            Ok(None) => (io::ErrorKind::Other, "the thread that reads it failed"),
            Err(_) => (io::ErrorKind::TimedOut, "the disk does not answer"),
        };
        Err(FileError { action: "read", path: place.path().to_owned(), source: io::Error::new(kind, text) })
    }

    /// Number of bodies that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.requests.max_capacity() - self.requests.capacity()
    }
}

/// Reads bodies as long as there is somebody who may ask.
fn work(requests: &Mutex<mpsc::Receiver<Request>>, guard: &Guard) {
    while let Some(Request { place, reply }) = next(requests) {
        // Whoever waited has given up.
        if reply.is_closed() {
            continue;
        }
        let body = guard.run(|| {
            faults::pass(FaultPoint::BodyReader, None);
            place.read()
        });
        if let Some(body) = body {
            let _ = reply.send(body);
        }
    }
}

/// One thread waits for a request, the others for their turn to do so.
fn next(requests: &Mutex<mpsc::Receiver<Request>>) -> Option<Request> {
    requests.lock().blocking_recv()
}
