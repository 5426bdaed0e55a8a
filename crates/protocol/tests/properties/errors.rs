//! Errors.

use proptest::option;
use proptest::prelude::*;
use smp_protocol::encoding::Malformed;
use smp_protocol::error::{
    BlockingInfo, BlockingReason, BrokerError, CommandError, ErrorType, HandshakeError, NameError, Notice, ProxyError,
    TransportError,
};

fn command_error() -> impl Strategy<Value = CommandError> {
    use CommandError::{HasAuth, NoAuth, NoEntity, Prohibited, Syntax, Unknown};
    prop::sample::select(vec![Unknown, Syntax, Prohibited, NoAuth, HasAuth, NoEntity])
}

pub(crate) fn blocking_info() -> impl Strategy<Value = BlockingInfo> {
    let reason = prop::sample::select(vec![BlockingReason::Spam, BlockingReason::Content]);
    let notice = option::of(any::<i64>()).prop_map(|ttl_seconds| Notice { ttl_seconds });
    (reason, option::of(notice)).prop_map(|(reason, notice)| BlockingInfo { reason, notice })
}

pub(crate) fn transport_error() -> impl Strategy<Value = TransportError> {
    use HandshakeError::{BadAuth, BadService, Identity, Parse};
    use TransportError::{Block, Handshake, LargeMessage, NoAuth, Session, Version};
    let handshake = [Parse, Identity, BadAuth, BadService].map(Handshake);
    prop::sample::select([&[Block, Version, LargeMessage, Session, NoAuth][..], &handshake].concat())
}

/// Texts of at most `max` bytes.
fn text(max: usize) -> impl Strategy<Value = String> {
    any::<String>().prop_map(move |mut text| {
        text.truncate(text.floor_char_boundary(max));
        text
    })
}

fn broker_error() -> impl Strategy<Value = BrokerError> {
    prop_oneof![
        text(255).prop_map(BrokerError::Response),
        text(32).prop_map(BrokerError::Unexpected),
        prop::sample::select(vec![
            BrokerError::Network,
            BrokerError::Timeout,
            BrokerError::Host,
            BrokerError::NoService
        ]),
        transport_error().prop_map(BrokerError::Transport),
    ]
}

fn name_error() -> impl Strategy<Value = NameError> {
    prop_oneof![Just(NameError::NoResolver), Just(NameError::NotFound), any::<String>().prop_map(NameError::Resolver)]
}

/// Errors without the error of another server inside.
fn own_error() -> impl Strategy<Value = ErrorType> {
    let plain = vec![
        ErrorType::Block,
        ErrorType::Session,
        ErrorType::Auth,
        ErrorType::Service,
        ErrorType::Crypto,
        ErrorType::Quota,
        ErrorType::NoMessage,
        ErrorType::LargeMessage,
        ErrorType::Expired,
        ErrorType::Internal,
        ErrorType::Duplicate,
        ProxyError::BasicAuth.into(),
        ProxyError::NoSession.into(),
    ];
    prop_oneof![
        prop::sample::select(plain),
        command_error().prop_map(ErrorType::Command),
        broker_error().prop_map(|error| ProxyError::Broker(error).into()),
        blocking_info().prop_map(ErrorType::Blocked),
        any::<String>().prop_map(ErrorType::Store),
        name_error().prop_map(ErrorType::Name),
    ]
}

pub(crate) fn error() -> impl Strategy<Value = ErrorType> {
    prop_oneof![own_error(), own_error().prop_map(|error| ProxyError::Protocol(error).into())]
}

fn encoded(error: &ErrorType) -> Vec<u8> {
    let mut out = Vec::new();
    error.encode(&mut out);
    out
}

proptest! {
    #[test]
    fn errors_round_trip(error in error()) {
        prop_assert_eq!(ErrorType::decode(&encoded(&error)), Ok(error));
    }

    #[test]
    fn transport_errors_round_trip(error in transport_error()) {
        let mut out = Vec::new();
        error.encode(&mut out);
        prop_assert_eq!(TransportError::decode(&out), Ok(error));
    }

    /// Texts that are too long are cut between characters.
    #[test]
    fn long_texts_are_cut(text in "\\PC{0,200}") {
        for (error, limit) in [
            (BrokerError::Response(text.clone()), 255),
            (BrokerError::Unexpected(text.clone()), 32)
        ] {
            let body = encoded(&ProxyError::Broker(error).into());
            let Ok(ErrorType::Proxy(error)) = ErrorType::decode(&body) else { panic!("a proxy error") };
            let ProxyError::Broker(BrokerError::Response(cut) | BrokerError::Unexpected(cut)) = *error else {
                panic!("a text")
            };
            prop_assert!(text.starts_with(&cut) && cut.len() <= limit && cut.len() + 4 > text.len().min(limit));
        }
    }
}

/// The depth of nested errors is not the peer's choice.
#[test]
fn deep_errors_are_malformed() {
    for depth in [2, 10, 1000] {
        let text = "PROXY PROTOCOL ".repeat(depth) + "AUTH";
        assert_eq!(ErrorType::decode(text.as_bytes()), Err(Malformed));
    }
}
