//! Forwarding: a server as the proxy of clients, and as the relay behind a proxy.

mod connecting;
mod failures;
mod forwarding;
mod hosts;
mod long_answer;
mod versions;

use smp_client::protocol::error::{BrokerError, ErrorType, ProxyError, TransportError};
use smp_client::{Client, ClientError, ProxiedRelay};

use crate::harness::ini::Setting;
use crate::harness::server::Server;

/// A proxy that forgets failures at once.
const FORGETFUL: &[Setting<'static>] = &[("LIMITS", "proxy_error_interval", "0")];

/// `PRXY` succeeds.
async fn relay_through(proxy: &Client, relay: &Server) -> ProxiedRelay {
    proxy.proxied_relay(relay.address(), None).await.expect("the proxy connects")
}

/// What the proxy answered instead.
fn refused<T>(result: Result<T, ClientError>) -> ErrorType {
    match result {
        Err(ClientError::Server(error)) => error,
        Err(other) => panic!("the proxy should have answered ERR, but: {other}"),
        Ok(_) => panic!("the proxy should have answered ERR"),
    }
}

/// `PROXY BROKER …`
fn broker(error: BrokerError) -> ErrorType {
    ProxyError::Broker(error).into()
}

/// `PROXY BROKER TRANSPORT …`
fn transport(error: TransportError) -> ErrorType {
    broker(BrokerError::Transport(error))
}
