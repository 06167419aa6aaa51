//! What each call does.

mod get;
mod list;
mod put;
mod remove;
mod select;
mod watch;

use std::os::fd::OwnedFd;

use fdstore::boottime_usec;
use serde::Serialize;
use serde_json::{Value, json};
use softboot_varlink::descriptors::FdCall;

use super::Daemon;
use crate::api::{ApiError, DESCRIPTION, INTERFACE, Request, SERVICE, SERVICE_DESCRIPTION};

/// What becomes of a call.
enum Answer {
    /// This is the reply.
    Reply(Value, Vec<OwnedFd>),
    /// Replies come later, or have been given.
    Later,
}

impl Daemon {
    pub(super) fn answer(&mut self, id: u64, call: FdCall) {
        let result = match call.refusal {
            Some(refusal) => {
                self.closer.close(call.fds);
                Err(ApiError::BadDescriptor {
                    message: refusal.to_string(),
                })
            }
            None => match Request::decode(&call.call.method, call.call.parameters) {
                Ok(request) => {
                    let many = call.call.more && !call.call.oneway;
                    self.carry_out(id, request, many, call.fds)
                }
                Err(error) => {
                    self.closer.close(call.fds);
                    Err(error)
                }
            },
        };
        // What was done may have cost the client its place.
        let Some(client) = self.clients.get_mut(&id) else {
            if let Ok(Answer::Reply(_, fds)) = result {
                self.closer.close(fds);
            }
            return;
        };
        let sent = match result {
            Ok(Answer::Reply(parameters, fds)) => client.connection.reply(&parameters, fds),
            Ok(Answer::Later) => Ok(()),
            Err(error) => {
                let (name, parameters) = error.to_wire();
                client.connection.error(&name, &parameters)
            }
        };
        if let Err(error) = sent {
            self.drop_for(id, &error);
        }
    }

    fn carry_out(
        &mut self,
        id: u64,
        request: Request,
        many: bool,
        fds: Vec<OwnedFd>,
    ) -> Result<Answer, ApiError> {
        let who = match self.clients.get(&id) {
            Some(client) => client.subject(),
            None => return Ok(Answer::Later),
        };
        if let Request::Put { entries, owner } = request {
            return self.put(who, entries, owner.as_deref(), fds);
        }
        // No other call has any.
        self.closer.close(fds);
        match request {
            Request::GetInfo {} => reply(&json!({
                "vendor": "softboot",
                "product": "fdstored",
                "version": env!("CARGO_PKG_VERSION"),
                "url": "",
                "interfaces": [SERVICE, INTERFACE],
            })),
            Request::GetInterfaceDescription { interface } => match interface.as_str() {
                INTERFACE => reply(&json!({ "description": DESCRIPTION })),
                SERVICE => reply(&json!({ "description": SERVICE_DESCRIPTION })),
                _ => Err(ApiError::InterfaceNotFound { interface }),
            },
            Request::Put { .. } => Ok(Answer::Later),
            Request::Get {
                names,
                ids,
                take,
                owner,
            } => {
                let selection = self.selection(who, names, ids, owner.as_deref())?;
                self.get(id, who, &selection, take.unwrap_or(false))
            }
            Request::List {
                patterns,
                owner,
                after,
            } => self.list(who, patterns, owner.as_deref(), after),
            Request::Remove { names, ids, owner } => {
                let selection = self.selection(who, names, ids, owner.as_deref())?;
                self.remove(who, &selection)
            }
            Request::Watch { .. } if !many => Err(ApiError::ExpectedMore {}),
            Request::Watch { patterns, owner } => self.watch(id, who, patterns, owner.as_deref()),
            Request::Upgrade {} => self.begin_upgrade(id, who).map(|()| Answer::Later),
        }
    }

    /// When something that is stored now is to leave; 0 means never, nothing means the default.
    pub(super) fn expiry(&self, in_usec: Option<u64>) -> Option<u64> {
        let span = match in_usec {
            Some(0) => None,
            Some(span) => Some(span),
            None => self.config.default_expiry.map(crate::duration::usec),
        };
        span.map(|span| boottime_usec().saturating_add(span))
    }
}

fn reply(parameters: &impl Serialize) -> Result<Answer, ApiError> {
    Ok(Answer::Reply(encode(parameters), Vec::new()))
}

/// The types of the interface have text keys only: encoding them does not fail.
fn encode(parameters: &impl Serialize) -> Value {
    serde_json::to_value(parameters).unwrap_or_default()
}
