//! What answers hold in memory until they are written.

use smp_protocol::block::BLOCK_SIZE;
use smp_protocol::response::{QueueIds, RelaySession, Response};
use smp_store::message_body::MessageBody;
use smp_store::message_queue::StoredContent;

use crate::registry::Answer;

/// Bytes that an answer holds besides itself. What it shares counts as if it were its own: it may be the last that holds it.
pub(super) fn held_by(answer: &Answer) -> usize {
    match answer {
        Answer::Response(response) => held_by_response(response),
        Answer::Message(delivery) => match &delivery.message.content {
            StoredContent::Message { body: MessageBody::Held(bytes), .. } => bytes.len(),
            StoredContent::Message { body: MessageBody::Filed(_), .. } | StoredContent::QuotaMarker => 0,
        },
    }
}

fn held_by_response(response: &Response) -> usize {
    match response {
        Response::Link(_, data) => data.fixed.len() + data.user.len(),
        Response::Message(message) => message.body.len(),
        Response::RelaySession(session) => held_by_session(session),
        Response::RelayResponse(encrypted) | Response::ProxiedResponse(encrypted) => encrypted.len(),
        // What resolvers answer is no longer than a block.
        Response::Name(_) => BLOCK_SIZE,
        Response::Ids(_) => size_of::<QueueIds>(),
        Response::Info(info) => size_of_val(&**info),
        Response::Notification(notification) => size_of_val(&**notification),
        Response::Subscribed(_)
        | Response::ServiceSubscribed(_)
        | Response::AllMessagesSent
        | Response::NotifierId(..)
        | Response::End
        | Response::ServiceEnd(_)
        | Response::Deleted
        | Response::Ok
        | Response::Error(_)
        | Response::Pong => 0,
    }
}

fn held_by_session(session: &RelaySession) -> usize {
    let chain: usize = session.key.chain.iter().map(|certificate| size_of_val(certificate) + certificate.len()).sum();
    size_of_val(session) + chain + session.key.signed_key.len()
}
