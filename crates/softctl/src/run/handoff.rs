//! Verbs that replace the manager, the userspace, or end both.

use serde_json::json;
use softboot_control::api::{ApiError, Empty, Request};
use softboot_control::client::ClientError;

use super::session::Session;
use crate::error::Error;
use crate::exit;

pub(super) fn reexec(session: &mut Session, check: bool) -> Result<u8, Error> {
    let request = Request::Reexecute { check };
    if check {
        return ask(session, "taking over by re-exec", &request);
    }
    // The connection crosses the exec: the answer is the new program's first words.
    session.call::<Empty>("re-exec", &request)?;
    Ok(exit::OK)
}

pub(super) fn soft_reboot(session: &mut Session, wait: bool, check: bool) -> Result<u8, Error> {
    let request = Request::SoftReboot { wait, check };
    if check {
        return ask(session, "taking over by soft-reboot", &request);
    }
    session.call::<Empty>("soft-reboot", &request)?;
    session.out.note(if wait {
        "The next userspace has booted."
    } else {
        "The soft-reboot has begun."
    });
    Ok(exit::OK)
}

/// Asks the next program whether it could take over.
fn ask(session: &mut Session, doing: &str, request: &Request) -> Result<u8, Error> {
    let answer = session.call::<Empty>(doing, request);
    if session.out.json() {
        let reasons = match &answer {
            Err(Error::Refused { error, .. }) => match &**error {
                ApiError::HandoffRefused { reasons, .. } => Some(reasons.clone()),
                _ => None,
            },
            Ok(Empty {}) => Some(Vec::new()),
            Err(_) => None,
        };
        if let Some(reasons) = reasons {
            session
                .out
                .print_json(&json!({ "possible": answer.is_ok(), "reasons": reasons }))?;
            return Ok(if answer.is_ok() { exit::OK } else { exit::FAILURE });
        }
    }
    answer?;
    session.out.print("softbootd on disk can take over.\n")?;
    Ok(exit::OK)
}

/// Ends the system. The answer comes before the end begins; with `force` the end may be faster than the answer.
pub(super) fn end(session: &mut Session, what: &str, force: bool, request: &Request) -> Result<u8, Error> {
    match session.call::<Empty>(what, request) {
        Ok(Empty {}) => {}
        Err(Error::Connection(ClientError::Closed)) if force => {}
        Err(error) => return Err(error),
    }
    session.out.note(&format!("{what} has begun."));
    Ok(exit::OK)
}
