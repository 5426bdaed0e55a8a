//! HTTP on a stream: HTTP/1.1 or HTTP/2, within limits.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

/// Time for the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Most bytes of it.
const HEAD_SIZE: usize = 16 * 1024;
/// Most headers in it.
const HEADERS: usize = 64;
/// Requests at a time on a connection.
const STREAMS: u32 = 32;
/// A connection takes no more requests after this time.
const REQUESTS_LIMIT: Duration = Duration::from_secs(60);
/// Then it has this time to take its last answers.
const LAST_ANSWERS_LIMIT: Duration = Duration::from_secs(60);

/// Answers requests on `stream` until the client closes it or its time is over. Errors end the connection and nothing else.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, site: Router) {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(HEAD_SIZE).max_headers(HEADERS);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEAD_SIZE).unwrap_or(u32::MAX))
        .keep_alive_interval(HEAD_LIMIT)
        .keep_alive_timeout(HEAD_LIMIT);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(site)));
    let over = tokio::select! {
        _ = connection.as_mut() => true,
        () = sleep(REQUESTS_LIMIT) => false,
    };
    if !over {
        connection.as_mut().graceful_shutdown();
        // What is not taken by then is not waited for.
        let _ = timeout(LAST_ANSWERS_LIMIT, connection).await;
    }
}
