//! The HTTP client of the name resolver.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use slog::{Logger, debug, warn};
use smp_config::settings::{Names, ResolverAuth};
use smp_protocol::command::Name;
use smp_protocol::error::NameError;
use smp_protocol::response::NameRecord;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections that are kept open for later requests.
const IDLE_CONNECTIONS: usize = 10;
/// Most bytes of the head of a response.
const MAX_HEAD: usize = 16 * 1024;

/// Settings that no request can be made with.
#[derive(Debug, Error)]
pub enum InvalidResolver {
    /// What is to be sent as `Authorization` cannot be in an HTTP header.
    #[error("[NAMES] resolver_auth has characters that cannot be sent; use letters, digits and punctuation")]
    Auth,
}

/// Asks the resolver.
pub struct Resolver {
    terms: Arc<Terms>,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    requests: Semaphore,
}

struct Terms {
    /// URL without a slash at its end.
    endpoint: String,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    max_body: usize,
    tls: ClientConfig,
    requests: usize,
    logger: Logger,
}

/// Why there is no record.
#[derive(Debug, Error)]
enum Failure {
    #[error("HTTP {0}")]
    Status(u16),
    #[error("timeout")]
    Timeout,
    #[error("transport failure")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
    #[error("response too large")]
    TooLarge,
    #[error("invalid response")]
    Invalid,
    #[error("resolver error")]
    Unexpected(#[source] Box<dyn Error + Send + Sync>),
}

impl Resolver {
    /// A resolver whose certificate must be issued by an authority that this machine trusts.
    /// `requests` is how many there may be at a time; further ones wait, within their time limit.
    pub fn new(settings: &Names, requests: usize, logger: &Logger) -> Result<Self, InvalidResolver> {
        let needs_roots =
            settings.endpoint.split(':').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        let roots = if needs_roots { trusted_roots(logger) } else { RootCertStore::empty() };
        Self::with_roots(settings, roots, requests, logger)
    }

    /// A resolver whose certificate must be issued by one of these authorities.
    fn with_roots(
        settings: &Names,
        roots: RootCertStore,
        requests: usize,
        logger: &Logger,
    ) -> Result<Self, InvalidResolver> {
        let terms = Terms {
            endpoint: settings.endpoint.clone(),
            authorization: settings.auth.as_ref().map(authorization).transpose()?,
            timeout: settings.timeout,
            max_body: settings.max_response_bytes.try_into().unwrap_or(usize::MAX),
            tls: tls(roots),
            requests,
            logger: logger.clone(),
        };
        Ok(Self::with_terms(Arc::new(terms)))
    }

    fn with_terms(terms: Arc<Terms>) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(terms.tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(MAX_HEAD)
            .build(connector);
        let requests = Semaphore::new(terms.requests.min(Semaphore::MAX_PERMITS));
        Self { terms, client, requests }
    }

    /// The same with connections of its own.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self::with_terms(Arc::clone(&self.terms))
    }

    /// What a name stands for. Errors say what the client may know, in the words of behaviour.md §3.18.
    pub async fn resolve(&self, name: &Name) -> Result<NameRecord, NameError> {
        let lookup = timeout(self.terms.timeout, self.lookup(name)).await;
        lookup.unwrap_or(Err(Failure::Timeout)).map_err(|failure| match failure {
            Failure::Status(400 | 404) => NameError::NotFound,
            failure => {
                debug!(self.terms.logger, "[NAMES] a name was not resolved: {}", reasons(&failure));
                NameError::Resolver(failure.to_string())
            }
        })
    }

    async fn lookup(&self, name: &Name) -> Result<NameRecord, Failure> {
        let _permit = self.requests.acquire().await.map_err(|closed| Failure::Unexpected(closed.into()))?;
        // A name is letters, digits, hyphens and dots, which percent-encoding leaves as they are.
        let response = self.get(&format!("/resolve/{}", name.as_str())).await?;
        let body = Limited::new(response.into_body(), self.terms.max_body).collect().await.map_err(body_failure)?;
        NameRecord::decode(&body.to_bytes()).map_err(|_| Failure::Invalid)
    }

    /// Whether the resolver says that it is well, and the operator's words for it if not.
    pub async fn probe(&self) -> Result<(), String> {
        let health = timeout(self.terms.timeout, self.get("/health")).await;
        health.unwrap_or(Err(Failure::Timeout)).map(drop).map_err(|failure| reasons(&failure))
    }

    /// The URL of the resolver.
    pub fn endpoint(&self) -> &str {
        &self.terms.endpoint
    }

    /// A response with a status below 400.
    async fn get(&self, path: &str) -> Result<Response<Incoming>, Failure> {
        let url = [&self.terms.endpoint, path].concat();
        let url = Uri::try_from(url).map_err(|invalid| Failure::Unexpected(invalid.into()))?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = url;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.terms.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let response = self.client.request(request).await.map_err(|failure| Failure::Transport(failure.into()))?;
        match response.status().as_u16() {
            status @ 400.. => Err(Failure::Status(status)),
            _ => Ok(response),
        }
    }
}

fn body_failure(error: Box<dyn Error + Send + Sync>) -> Failure {
    if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::Transport(error) }
}

/// An error with what caused it, for operators. None of it comes from clients or has a secret in it.
fn reasons(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn authorization(auth: &ResolverAuth) -> Result<HeaderValue, InvalidResolver> {
    let text = match auth {
        ResolverAuth::Bearer(token) => format!("Bearer {}", token.expose()),
        ResolverAuth::Basic { user, password } => {
            format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose())))
        }
    };
    let mut value = HeaderValue::try_from(text).map_err(|_| InvalidResolver::Auth)?;
    value.set_sensitive(true);
    Ok(value)
}

fn tls(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for all versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The authorities of the machine, so that the operator decides whom to trust, and private ones work.
fn trusted_roots(logger: &Logger) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        warn!(
            logger,
            "[NAMES] no certificate authorities are installed{reason}: the resolver will not be trusted; install \
             ca-certificates, or name a file with authorities in SSL_CERT_FILE"
        );
    }
    roots
}
