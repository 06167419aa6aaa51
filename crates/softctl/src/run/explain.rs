//! `--dry-run` and `--explain`: what a job would do.

use softboot_control::api::{ApiError, ExplainReply, ExplainRequest, Request};

use super::session::Session;
use crate::cli::Job;
use crate::error::Error;
use crate::exit;
use crate::view::plan;

/// Shows what each unit's job would do. The code is that of the first that would be refused.
pub(super) fn explain(session: &mut Session, kind: &str, job: &Job, units: &[String]) -> Result<u8, Error> {
    let mut code = exit::OK;
    let mut replies = Vec::new();
    for unit in units {
        let request = Request::Explain(ExplainRequest {
            name: unit.clone(),
            job: kind.to_owned(),
            mode: job.job_mode.word(),
        });
        let reply: ExplainReply = session.call(&format!("explanation of {kind} of {unit}"), &request)?;
        if let (Some(refusal), exit::OK) = (&reply.refusal, code) {
            code = code_of(&refusal.error, &refusal.message, unit);
        }
        let title = format!("{kind} of {unit}, mode {}", job.job_mode.word());
        if !session.out.json() {
            session.out.show(&(), |view| plan::plan(&title, &reply, &view))?;
        }
        replies.push(reply);
    }
    if session.out.json() {
        session.out.print_json(&replies)?;
    }
    Ok(code)
}

/// The code that the job itself would have ended with.
fn code_of(name: &str, message: &str, unit: &str) -> u8 {
    let parameters = serde_json::json!({ "message": message, "name": unit, "suggestions": [] });
    exit::code_of(&Error::Refused {
        doing: String::new(),
        error: Box::new(ApiError::from_wire(name, &parameters)),
    })
}
