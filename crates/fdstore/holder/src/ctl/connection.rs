//! Calls to fdstored.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use softboot_varlink::client::Client;

use super::{Cli, CtlError, DEFAULT_SOCKET, SOCKET_VARIABLE};
use crate::api::{Request, owner_of, uid_of};
use crate::config;

pub(super) struct Connection(Client);

impl Connection {
    pub(super) fn open(cli: &Cli) -> Result<Connection, CtlError> {
        let path = cli
            .socket
            .clone()
            .or_else(|| std::env::var_os(SOCKET_VARIABLE).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET));
        Ok(Connection(Client::connect(&path)?))
    }

    /// Makes a call; its reply and the descriptors that came with it.
    pub(super) fn call<R: DeserializeOwned>(
        &mut self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(R, Vec<OwnedFd>), CtlError> {
        let (method, parameters) = request.to_call();
        let reply = self.0.call(&method, &parameters, fds)?;
        Ok((decode(reply.parameters)?, reply.fds))
    }

    /// Makes a call with many replies; `each` gets them until it says no.
    pub(super) fn call_more<R: DeserializeOwned>(
        &mut self,
        request: &Request,
        mut each: impl FnMut(R) -> Result<bool, CtlError>,
    ) -> Result<(), CtlError> {
        let (method, parameters) = request.to_call();
        self.0.send(&method, &parameters, true, &[])?;
        loop {
            let reply = self.0.receive()?;
            if !each(decode(reply.parameters)?)? || !reply.continues {
                return Ok(());
            }
        }
    }
}

fn decode<R: DeserializeOwned>(parameters: serde_json::Value) -> Result<R, CtlError> {
    serde_json::from_value(parameters)
        .map_err(|error| CtlError::Other(format!("fdstored's answer cannot be read: {error}")))
}

/// The owner that somebody names: `uid:7`, `7`, or a user's name.
pub(super) fn owner(text: &str) -> Result<String, CtlError> {
    if uid_of(text).is_some() {
        return Ok(text.to_owned());
    }
    match text.parse::<u32>().ok().or_else(|| config::user(text)) {
        Some(uid) => Ok(owner_of(uid)),
        None => Err(CtlError::Usage(format!(
            "--owner: there is no user {text:?} in /etc/passwd"
        ))),
    }
}
