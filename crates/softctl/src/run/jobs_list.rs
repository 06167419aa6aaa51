//! `list-jobs`.

use softboot_control::api::{ListJobsReply, Request};

use super::session::Session;
use crate::cli::ListJobs;
use crate::error::Error;
use crate::exit;
use crate::names;
use crate::view::lists::{self, JobOrder};

pub(super) fn list(session: &mut Session, list: &ListJobs) -> Result<u8, Error> {
    let mut reply: ListJobsReply = session.call("list of jobs", &Request::ListJobs {})?;
    let patterns: Vec<String> = list
        .patterns
        .iter()
        .map(|pattern| names::complete(pattern))
        .collect();
    let wanted = |unit: &str| {
        let mut patterns = patterns.iter();
        patterns.len() == 0 || patterns.any(|pattern| softboot_control::api::glob_match(pattern, unit))
    };
    // Those that are not listed may be waited for.
    let all = reply.jobs.clone();
    reply.jobs.retain(|job| wanted(&job.unit));
    let order = JobOrder {
        all: &all,
        after: list.after,
        before: list.before,
    };
    session
        .out
        .show(&reply.jobs, |view| lists::jobs(&reply.jobs, order, view))?;
    Ok(exit::OK)
}
