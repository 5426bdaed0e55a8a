//! `RFWD`: commands that clients send to this relay through another one (behaviour.md §3.17).
//!
//! What is wrong with the two layers of encryption is the proxy's business and answered in plain. Everything inside is between
//! this relay and the client: its answer, also a refusal, is encrypted to the client, and looks the same to the proxy.

use smp_protocol::command::{Command, LinkCommand, SenderCommand};
use smp_protocol::error::{BrokerError, CommandError, ErrorType, ProxyError, TransportError};
use smp_protocol::forward::{Opened, RelayForward};
use smp_protocol::id::{CorrId, EntityId};
use smp_protocol::response::Response;
use smp_protocol::transmission::{Rejected, Transmission, Wire};
use smp_protocol::version::Version;

use super::errands::Errand;
use super::reader::{Reader, found_name, name_error};
use super::sorted::{Origin, Sorted};
use super::terms::Terms;
use crate::command_kind::CommandKind;
use crate::verify::{Asker, Passed, Unauthorized};

/// A command of a client behind the proxy, whose answer is owed.
pub(super) struct Forwarded {
    reply: RelayForward,
    version: Version,
    corr_id: CorrId,
    entity: EntityId,
}

impl Forwarded {
    /// The answer, encrypted to the client and to the proxy.
    pub fn seal(&self, response: &Response, terms: &Terms) -> Response {
        let Some(proxy_secret) = terms.peer_secret() else { return Response::Error(ErrorType::Internal) };
        let mut transmission = Vec::new();
        Wire::forwarded(self.version, &terms.session_id).write(&self.corr_id, &self.entity, &mut transmission, |out| {
            // Only a relay session can fail to encode, and none is an answer here.
            let _ = response.encode(self.version, out);
        });
        match self.reply.seal(proxy_secret, &transmission) {
            Ok(encrypted) => Response::RelayResponse(encrypted.into()),
            Err(error) => Response::Error(error.into()),
        }
    }
}

impl Reader {
    /// Opens a forwarded command and sorts it like one of the session's own.
    pub(super) fn sort_forwarded(&self, corr_id: CorrId, entity: EntityId, encrypted: &[u8], sorted: &mut Sorted) {
        let Some(secret) = self.terms.peer_secret() else {
            let error = ProxyError::Broker(BrokerError::Transport(TransportError::NoAuth));
            return sorted.answer(corr_id, entity, Response::Error(error.into()));
        };
        let Opened { reply, version, transmission } =
            match RelayForward::open(secret, &self.terms.session_key, &corr_id, encrypted) {
                Ok(opened) => opened,
                Err(error) => return sorted.answer(corr_id, entity, Response::Error(error.into())),
            };
        self.stats.forwards_received.count();
        let wire = Wire::forwarded(version, &self.terms.session_id);
        let passed = transmission.and_then(|bytes| {
            let transmission = wire.read(&bytes)?;
            let passed = self.verify_forwarded(&transmission, version)?;
            Ok((transmission.corr_id, transmission.entity, passed))
        });
        let owed = |corr_id, entity| Forwarded { reply, version, corr_id, entity };
        match passed {
            Err(Rejected { corr_id: inner, entity: of, error }) => {
                let response = owed(inner, of).seal(&Response::Error(error), &self.terms);
                sorted.answer(corr_id, entity, response);
            }
            Ok((inner, of, Passed::Execute(verified))) => {
                let position = sorted.answers.enter_forwarded(corr_id, entity, owed(inner, of));
                sorted.add(self.shard_of(&verified), Origin::Forwarded(version), position, verified);
            }
            Ok((inner, of, Passed::Unauthorized(Unauthorized::Resolve(name)))) => {
                let (owed, terms) = (owed(inner, of), self.terms.clone());
                match self.names.resolve(name) {
                    Err(error) => sorted.answer(corr_id, entity, owed.seal(&name_error(error), &terms)),
                    Ok(lookup) => {
                        let answer = async move {
                            let response = lookup.await.map_or_else(name_error, found_name);
                            owed.seal(&response, &terms)
                        };
                        sorted.errands.push(Errand::of_names(CommandKind::Forwarded, corr_id, entity, answer));
                    }
                }
            }
            Ok((inner, of, Passed::Unauthorized(Unauthorized::Ping | Unauthorized::Proxy(_)))) => {
                let prohibited = Response::Error(CommandError::Prohibited.into());
                sorted.answer(corr_id, entity, owed(inner, of).seal(&prohibited, &self.terms));
            }
        }
    }

    fn verify_forwarded(&self, transmission: &Transmission<'_>, version: Version) -> Result<Passed, Rejected> {
        let command = transmission.command(version)?;
        if !may_be_forwarded(&command) {
            return Err(transmission.reject(CommandError::Prohibited));
        }
        let asker = Asker { session_key: &self.terms.session_key, service: None };
        asker.verify(transmission, command, &self.directory, None).map_err(|error| Rejected {
            corr_id: transmission.corr_id.clone(),
            entity: transmission.entity.clone(),
            error,
        })
    }
}

fn may_be_forwarded(command: &Command) -> bool {
    matches!(
        command,
        Command::Sender(SenderCommand::Send(_) | SenderCommand::Secure(_))
            | Command::Link(LinkCommand::Get | LinkCommand::SecureAndGet(_))
            | Command::Resolve(_)
    )
}
