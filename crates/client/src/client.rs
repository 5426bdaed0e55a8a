//! The handle of a connection.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use smp_protocol::address::{DEFAULT_PORT, Host, ServerAddress};
use smp_protocol::authorization::AuthPrivateKey;
use smp_protocol::command::{BasicAuth, Command};
use smp_protocol::id::{CorrId, EntityId, ServiceId, SessionId};
use smp_protocol::key::DhPublicKey;
use smp_protocol::response::Response;
use smp_protocol::version::Version;
use smp_transport::connect::ConnectError;
use smp_transport::handshake::ClientSession;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::{EndOnDrop, Ends, run};
use crate::outgoing::Submission;
use crate::pending::{Pending, PendingResponse};
use crate::session::Session;
use crate::{ClientError, Disconnection, Event, Options, Request};

/// Submissions that wait to be packed into blocks.
const SUBMISSIONS: usize = 64;
/// Instead of time limits that the clock cannot represent.
const NEVER: Duration = Duration::from_hours(24 * 365 * 30);

/// A connection to a server. Clones share it; it is closed when the last one is dropped.
///
/// May be used from any number of tasks and threads. The connection itself is served by a task on the tokio runtime in which
/// it was made, and ends with that runtime.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    request_timeout: Duration,
}

struct Inner {
    session: Arc<Session>,
    pending: Arc<Pending>,
    submissions: mpsc::Sender<Submission>,
    events: Option<Mutex<mpsc::Receiver<Event>>>,
    password: Option<BasicAuth>,
    closing: watch::Sender<bool>,
    finished: watch::Receiver<()>,
}

impl Client {
    /// Connects to the first host of `address` that can be reached, onion services left out.
    ///
    /// Fails with the error of the last host.
    pub async fn connect(address: &ServerAddress, options: &Options) -> Result<Self, ClientError> {
        let connector = options.connector();
        let port = address.port.unwrap_or(DEFAULT_PORT);
        let mut failure = ClientError::OnlyOnionHosts;
        for host in &address.hosts {
            let name = match host {
                Host::V4(ip) => ip.to_string(),
                Host::V6(ip) => ip.to_string(),
                Host::Domain(name) => name.clone(),
                Host::Onion(_) => continue,
            };
            let identity = &address.key_hash.0;
            let started = if options.websocket {
                let session = connector.connect_websocket(&name, port, identity).await;
                session.map(|session| Self::start(session, address, options))
            } else {
                let session = connector.connect(&name, port, identity).await;
                session.map(|session| Self::start(session, address, options))
            };
            match started {
                Ok(client) => return client,
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }

    /// TLS and the SMP handshake over a stream that is connected already, for example through a SOCKS proxy. Of the address
    /// only the identity and the password are used, and the first host for what a WebSocket is asked for.
    pub async fn over<S>(stream: S, address: &ServerAddress, options: &Options) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connector = options.connector();
        let identity = &address.key_hash.0;
        if options.websocket {
            let host = address.hosts.first().map(ToString::to_string).unwrap_or_default();
            let session = timeout(connector.limit, connector.establish_websocket(stream, &host, identity)).await;
            Self::start(session.map_err(|_| ConnectError::Timeout)??, address, options)
        } else {
            let session = timeout(connector.limit, connector.establish(stream, identity)).await;
            Self::start(session.map_err(|_| ConnectError::Timeout)??, address, options)
        }
    }

    fn start<S>(session: ClientSession<S>, address: &ServerAddress, options: &Options) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let password = address.password.as_ref().map(BasicAuth::try_from).transpose()?;
        let pending = Arc::new(Pending::new());
        let (submissions, submitted) = mpsc::channel(SUBMISSIONS);
        let (report, events) = match options.event_capacity {
            0 => (None, None),
            capacity => {
                let (report, events) = mpsc::channel(capacity.min(Semaphore::MAX_PERMITS));
                (Some(report), Some(Mutex::new(events)))
            }
        };
        let (closing, close_requested) = watch::channel(false);
        let (finish, finished) = watch::channel(());
        let ClientSession { reader, writer, .. } = session;
        let session = Arc::new(Session {
            version: session.version,
            versions: session.versions,
            own_max: options.versions.max(),
            id: session.session_id,
            own_key: session.session_key,
            server_key: session.peer_key,
            server_proof: session.server_key,
            service: session.service,
            max_content: writer.max_content(),
            secret: OnceLock::new(),
        });
        tokio::spawn(run(
            reader,
            writer,
            Ends {
                session: Arc::clone(&session),
                pending: EndOnDrop(Arc::clone(&pending)),
                submissions: submitted,
                events: report,
                closing: close_requested,
                finished: finish,
            },
        ));
        let inner = Inner { session, pending, submissions, events, password, closing, finished };
        Ok(Self { inner: Arc::new(inner), request_timeout: options.request_timeout })
    }

    /// The same connection with another limit for answers.
    #[must_use]
    pub fn with_request_timeout(&self, request_timeout: Duration) -> Self {
        Self { inner: Arc::clone(&self.inner), request_timeout }
    }

    /// The version agreed on.
    pub fn version(&self) -> Version {
        self.inner.session.version
    }

    /// The session ID of the connection.
    pub fn session_id(&self) -> &SessionId {
        &self.inner.session.id
    }

    /// The session key of the server, proved by its certificates.
    pub fn server_key(&self) -> Option<&DhPublicKey> {
        self.inner.session.server_key.as_ref()
    }

    /// The ID that the server gave to this client as a service.
    pub fn service_id(&self) -> Option<ServiceId> {
        self.inner.session.service.as_ref().map(|service| service.id)
    }

    /// Most bytes of content in a block: 16366 if blocks are encrypted a second time, otherwise 16382.
    pub fn max_content(&self) -> usize {
        self.inner.session.max_content
    }

    /// Sends a command and waits for the response to it. `ERR` is [`ClientError::Server`].
    pub async fn send(
        &self,
        entity: impl Into<EntityId>,
        command: Command,
        key: Option<&AuthPrivateKey>,
    ) -> Result<Response, ClientError> {
        self.submit(&Request::new(entity, command, key)).await?.response().await
    }

    /// Sends commands in as few blocks as possible and waits for the responses, which are in the order of the requests. The
    /// time limit applies to each answer anew: it starts again when an answer comes.
    ///
    /// Servers may execute the commands of one block in any order. Fails as a whole, before anything is sent, if one of the
    /// requests cannot be sent.
    pub async fn send_batch(
        &self,
        requests: &[Request<'_>],
    ) -> Result<Vec<Result<Response, ClientError>>, ClientError> {
        let mut deadline = self.deadline();
        let mut responses = Vec::with_capacity(requests.len());
        for pending in self.submit_batch(requests).await? {
            let reply = pending.reply_before(deadline).await;
            if !matches!(reply, Err(ClientError::Timeout)) {
                deadline = self.deadline();
            }
            responses.push(reply.and_then(crate::Reply::into_response));
        }
        Ok(responses)
    }

    /// Hands a command to the connection, without waiting until it is sent or answered. Commands submitted one after another
    /// go out in this order, as many in a block as wait together; see [`Self::send_batch`] about their execution.
    pub async fn submit(&self, request: &Request<'_>) -> Result<PendingResponse, ClientError> {
        let deadline = self.deadline();
        let (pending, transmission) = self.prepare(request, deadline)?;
        self.hand_over(Submission::One(transmission), deadline).await?;
        Ok(pending)
    }

    /// [`Self::submit`] for several commands. They share a block if they fit one, and their responses have the order of the
    /// requests.
    pub async fn submit_batch(&self, requests: &[Request<'_>]) -> Result<Vec<PendingResponse>, ClientError> {
        let deadline = self.deadline();
        let prepared = requests.iter().map(|request| self.prepare(request, deadline));
        let (pending, transmissions) = prepared.collect::<Result<(Vec<_>, Vec<_>), _>>()?;
        self.hand_over(Submission::Many(transmissions), deadline).await?;
        Ok(pending)
    }

    fn prepare(&self, request: &Request<'_>, deadline: Instant) -> Result<(PendingResponse, Vec<u8>), ClientError> {
        let (corr_id, transmission) = self.encode(request)?;
        let pending = self.inner.pending.expect(corr_id, Some(request.entity.clone()), deadline)?;
        Ok((pending, transmission))
    }

    /// The next event. Several callers share the events: each event goes to one of them.
    ///
    /// After the end of the connection the events that are left, then how it ended. Cancel safe.
    pub async fn next_event(&self) -> Result<Event, Disconnection> {
        if let Some(events) = &self.inner.events
            && let Some(event) = events.lock().await.recv().await
        {
            return Ok(event);
        }
        Err(self.closed().await)
    }

    /// When the last block arrived; until then, when the connection was made.
    pub fn last_received(&self) -> Instant {
        self.inner.pending.last_received()
    }

    /// How the connection ended, if it has.
    pub fn disconnection(&self) -> Option<Disconnection> {
        self.inner.pending.disconnection()
    }

    /// Waits for the end of the connection. That the server closed it is noticed behind the events it sent before, so
    /// somebody has to take these.
    pub async fn closed(&self) -> Disconnection {
        self.inner.pending.ended().await
    }

    /// Sends what was submitted, closes the connection and waits until that is done, at most 10 s. Answers that have not
    /// arrived are not waited for.
    pub async fn close(&self) {
        self.inner.closing.send_replace(true);
        let mut finished = self.inner.finished.clone();
        while finished.changed().await.is_ok() {}
    }

    /// The correlation ID and the transmission of a request, neither sent nor expected.
    pub fn encode(&self, request: &Request<'_>) -> Result<(CorrId, Vec<u8>), ClientError> {
        let corr_id = request.corr_id.clone().unwrap_or_else(CorrId::random);
        let transmission = self.inner.session.encode(request, &corr_id)?;
        Ok((corr_id, transmission))
    }

    /// Waits for the answer with this correlation ID to something that is sent raw.
    pub fn expect(&self, corr_id: CorrId) -> Result<PendingResponse, ClientError> {
        self.inner.pending.expect(corr_id, None, self.deadline())
    }

    /// Sends transmissions as they are, in one block if they fit one. Answers come to those who [`Self::expect`] them; those
    /// with an empty correlation ID are events.
    pub async fn send_raw(&self, transmissions: Vec<Vec<u8>>) -> Result<(), ClientError> {
        for transmission in &transmissions {
            self.inner.session.check_length(transmission.len())?;
        }
        self.hand_over(Submission::Many(transmissions), self.deadline()).await
    }

    /// Sends a block with this content, at most [`Self::max_content`] bytes. Answers as with [`Self::send_raw`].
    pub async fn send_raw_block(&self, content: Vec<u8>) -> Result<(), ClientError> {
        let (length, limit) = (content.len(), self.max_content());
        if length > limit {
            return Err(ClientError::TooLong { length, limit });
        }
        self.hand_over(Submission::Block(content), self.deadline()).await
    }

    async fn hand_over(&self, submission: Submission, deadline: Instant) -> Result<(), ClientError> {
        match timeout_at(deadline, self.inner.submissions.send(submission)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.inner.pending.disconnection().unwrap_or(Disconnection::Local).into()),
            Err(_) => Err(ClientError::Timeout),
        }
    }

    fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.request_timeout).unwrap_or_else(|| now + NEVER)
    }

    pub(crate) fn session(&self) -> &Session {
        &self.inner.session
    }

    pub(crate) fn password(&self) -> Option<&BasicAuth> {
        self.inner.password.as_ref()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client(version {})", self.version())
    }
}
