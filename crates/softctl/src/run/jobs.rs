//! Verbs that make jobs.

use std::thread;

use serde::Serialize;
use softboot_control::api::{EnqueueReply, EnqueueRequest, Request};

use super::session::Session;
use super::{look, wait};
use crate::cli::{Isolate, Job, Mode, SomeUnits, Whole};
use crate::error::Error;
use crate::exit;
use crate::text::clean;
use crate::view::outcome;
use crate::view::status::files_have_changed;

/// Jobs that are waited for at the same time. Each needs a connection, and the manager takes 512 at most.
const TOGETHER: usize = 64;

/// How one unit's job went, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    unit: String,
    job_id: Option<u32>,
    /// `None`: not waited for, or refused.
    result: Option<String>,
    error: Option<String>,
}

/// Queues a job for each unit and waits for all of them, unless told not to.
pub(super) fn enqueue(session: &mut Session, kind: &str, job: &Job) -> Result<u8, Error> {
    let (units, all_found) = session.expand(&job.units.units)?;
    let mut code = if all_found { exit::OK } else { exit::NO_SUCH_UNIT };
    if job.dry_run || (job.explain && !session.out.json()) {
        let planned = super::explain::explain(session, kind, job, &units)?;
        if job.dry_run {
            return Ok(if code == exit::OK { planned } else { code });
        }
    }
    let mut outcomes = Vec::new();
    for units in units.chunks(TOGETHER) {
        for (unit, reply) in units.iter().zip(ask_together(session, kind, job, units)) {
            let (outcome, one) = judge(session, kind, unit, reply)?;
            outcomes.push(outcome);
            code = if code == exit::OK { one } else { code };
        }
    }
    let succeeded = |outcome: &&Outcome| outcome.result.as_deref() == Some("done");
    let done: Vec<String> = outcomes
        .iter()
        .filter(succeeded)
        .map(|outcome| outcome.unit.clone())
        .collect();
    if kind != "stop" && !session.out.json() {
        for unit in &done {
            if look::files_have_changed(session, unit) {
                session
                    .out
                    .note(&format!("Warning: {}", files_have_changed(&clean(unit))));
            }
        }
    }
    if kind == "stop" && !job.no_block && !session.out.json() {
        for unit in &done {
            note_triggers(session, unit);
        }
    }
    if job.wait {
        let ended = wait::until_down(session, done)?;
        code = if code == exit::OK { ended } else { code };
    }
    if session.out.json() {
        session.out.print_json(&outcomes)?;
    }
    Ok(code)
}

/// Starts one unit, and stops what it does not need.
pub(super) fn isolate(session: &mut Session, isolate: &Isolate) -> Result<u8, Error> {
    let units = vec![super::single_of(&isolate.unit, "target")?];
    let job = Job {
        units: SomeUnits { units },
        no_block: isolate.no_block,
        wait: false,
        job_mode: Mode::Isolate,
        dry_run: isolate.dry_run,
        explain: isolate.explain,
    };
    enqueue(session, "start", &job)
}

/// `rescue`, `emergency` and `default`: isolates what the verb stands for.
pub(super) fn whole(session: &mut Session, target: &str, whole: &Whole) -> Result<u8, Error> {
    let isolate = Isolate {
        unit: target.to_owned(),
        no_block: whole.no_block,
        dry_run: false,
        explain: false,
    };
    self::isolate(session, &isolate)
}

/// Asks for all jobs at the same time, so that one that takes long does not hold up the others. A connection answers
/// one call at a time, so each job has its own.
fn ask_together(
    session: &mut Session,
    kind: &str,
    job: &Job,
    units: &[String],
) -> Vec<Result<EnqueueReply, Error>> {
    let request = |unit: &String| {
        Request::Enqueue(EnqueueRequest {
            name: unit.clone(),
            job: kind.to_owned(),
            mode: job.job_mode.word(),
            wait: !job.no_block,
        })
    };
    let ask =
        |session: &mut Session, unit: &String| session.call(&format!("{kind} of {unit}"), &request(unit));
    if units.len() < 2 || job.no_block {
        return units.iter().map(|unit| ask(session, unit)).collect();
    }
    let out = session.out;
    thread::scope(|scope| {
        let waiting: Vec<_> = units
            .iter()
            .map(|unit| scope.spawn(move || ask(&mut Session::open(out)?, unit)))
            .collect();
        let lost = || Error::Output(std::io::Error::other("a thread ended early"));
        waiting
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(lost())))
            .collect()
    })
}

/// Reports one unit's reply; the code is this unit's. Only errors that concern every unit are errors here.
fn judge(
    session: &mut Session,
    kind: &str,
    unit: &str,
    reply: Result<EnqueueReply, Error>,
) -> Result<(Outcome, u8), Error> {
    let unit = unit.to_owned();
    match reply {
        Ok(EnqueueReply { job_id, result }) => {
            let word = result.as_deref().unwrap_or("done");
            let good = outcome::succeeded(word);
            match outcome::explain(&unit, kind, word) {
                Some(text) if good => session.out.note(&text),
                Some(_) if word == "failed" => {
                    let end = session.unit(&unit).ok();
                    let end = end.as_ref().map(|reply| &reply.unit);
                    session.out.complain(&outcome::failed(&unit, kind, end));
                }
                Some(text) => session.out.complain(&text),
                None => {}
            }
            let code = if good { exit::OK } else { exit::FAILURE };
            Ok((
                Outcome {
                    unit,
                    job_id,
                    result,
                    error: None,
                },
                code,
            ))
        }
        Err(error @ Error::Refused { .. }) => {
            session.out.complain(&error.to_string());
            let code = exit::code_of(&error);
            Ok((
                Outcome {
                    unit,
                    job_id: None,
                    result: None,
                    error: Some(error.to_string()),
                },
                code,
            ))
        }
        Err(error) => Err(error),
    }
}

/// Says what may start a stopped unit again. The stop was successful; what cannot be found out is not worth an error.
fn note_triggers(session: &mut Session, unit: &str) {
    let Ok(reply) = session.unit(unit) else { return };
    let is_active = |session: &mut Session, trigger: &str| {
        session
            .unit(trigger)
            .is_ok_and(|reply| reply.unit.active == "active")
    };
    let active: Vec<String> = reply
        .unit
        .triggered_by
        .into_iter()
        .filter(|trigger| is_active(session, trigger))
        .collect();
    if let Some(note) = outcome::may_start_again(unit, &active) {
        session.out.note(&note);
    }
}
