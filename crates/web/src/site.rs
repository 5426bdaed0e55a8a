//! Answers requests: files of the site, `/info.json` and `/healthz`.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use smp_config::settings::Settings;
use tower::util::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::public::PublicInformation;

/// Nothing but what comes from here: no page of the site loads anything from elsewhere or has code in its text.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
const NO_PERMISSIONS: HeaderValue =
    HeaderValue::from_static("camera=(), geolocation=(), microphone=(), browsing-topics=()");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Pages change with the settings.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
const KEEP_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const WELL_KNOWN: &str = ".well-known";
/// Where the generated files of `/.well-known/` are: some tools leave out hidden files when they copy a directory.
const WELL_KNOWN_GENERATED: &str = "well-known";
/// What a path segment has to escape.
const SEGMENT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// Whether the server is well; asked for each `/healthz`.
pub type Health = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// The service that answers. Files are read from `static_path` at each request.
pub fn router(static_path: &Path, settings: &Settings, health: Health) -> Router {
    let information = serde_json::to_string(&PublicInformation::of(settings)).unwrap_or_default();
    let json = move || async move { ([(CONTENT_TYPE, JSON), (CACHE_CONTROL, ASK_AGAIN)], information) };
    let healthz = move || async move {
        let (status, word) =
            if health().await { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "unwell\n") };
        (status, [(CACHE_CONTROL, HeaderValue::from_static("no-store"))], word)
    };
    let root: Arc<Path> = static_path.into();
    let files = tower::service_fn(move |request: Request<Body>| {
        let root = Arc::clone(&root);
        async move { Ok::<_, Infallible>(file(&root, request).await) }
    });
    let header = |name, value| SetResponseHeaderLayer::overriding(name, value);
    Router::new()
        .route("/info.json", get(json))
        .route("/healthz", get(healthz))
        .fallback_service(files)
        .layer(CompressionLayer::new())
        .layer(header(CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .layer(header(REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
        .layer(header(PERMISSIONS, NO_PERMISSIONS))
        .layer(header(OPENER, HeaderValue::from_static("same-origin")))
}

async fn file(root: &Path, mut request: Request<Body>) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let Some(found) = find(root, request.uri().path()).await else { return not_found() };
    *request.uri_mut() = found.uri;
    let Ok(answer) = ServeDir::new(&found.root).append_index_html_on_directories(true).oneshot(request).await;
    let mut answer = answer.map(Body::new);
    let headers = answer.headers_mut();
    if found.relative.ends_with("apple-app-site-association") {
        headers.insert(CONTENT_TYPE, JSON);
    }
    let keeps = found.relative.starts_with("media");
    headers.insert(CACHE_CONTROL, if keeps { KEEP_AN_HOUR } else { ASK_AGAIN });
    answer
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is no such page here.\n").into_response()
}

/// A file or directory that exists and is part of the site.
struct Found {
    /// The directory of the site, without symbolic links.
    root: PathBuf,
    /// Where it is in that.
    relative: PathBuf,
    /// The same as a path of a URI; of a directory with a slash at the end.
    uri: Uri,
}

/// Hidden files, and whatever is not in the directory of the site, whichever way a symbolic link leads, are not part of it.
async fn find(root: &Path, path: &str) -> Option<Found> {
    let wanted = percent_decode_str(path).decode_utf8().ok()?;
    let root = tokio::fs::canonicalize(root).await.ok()?;
    for candidate in candidates(&wanted)? {
        let Ok(real) = tokio::fs::canonicalize(root.join(&candidate)).await else { continue };
        let Ok(metadata) = tokio::fs::metadata(&real).await else { continue };
        if !real.starts_with(&root) {
            return None;
        }
        let uri = uri(&candidate, metadata.is_dir()).ok()?;
        return Some(Found { root, relative: candidate, uri });
    }
    None
}

/// Places where a path may be found; `None` if it leads to hidden files or out of the site.
fn candidates(path: &str) -> Option<Vec<PathBuf>> {
    let relative = Path::new(path.trim_start_matches('/'));
    let mut names = Vec::new();
    for component in relative.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    let is_hidden = |name: &&OsStr| name.as_encoded_bytes().starts_with(b".");
    match names.split_first() {
        Some((first, rest)) if *first == OsStr::new(WELL_KNOWN) && !rest.iter().any(is_hidden) => {
            let rest: PathBuf = rest.iter().collect();
            Some(vec![Path::new(WELL_KNOWN).join(&rest), Path::new(WELL_KNOWN_GENERATED).join(&rest)])
        }
        _ if names.iter().any(is_hidden) => None,
        _ => Some(vec![names.iter().collect()]),
    }
}

fn uri(relative: &Path, is_directory: bool) -> Result<Uri, io::Error> {
    let mut path = String::from("/");
    for name in relative {
        let name = name.to_str().ok_or(io::ErrorKind::InvalidInput)?;
        path.extend(utf8_percent_encode(name, SEGMENT));
        path.push('/');
    }
    if !is_directory {
        path.pop();
    }
    path.parse().map_err(io::Error::other)
}
