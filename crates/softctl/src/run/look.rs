//! Verbs that only look.

use softboot_control::api::{
    ApiError, FdsReply, ListJobsReply, ListUnitsReply, LogsReply, LogsRequest, ManagerInfo, Request,
    SystemStateReply, UnitInfo, UnitReply,
};

use super::output::Output;
use super::session::Session;
use super::single;
use crate::cli::{ListUnits, Logs};
use crate::error::Error;
use crate::exit::{self, State};
use crate::names;
use crate::text::clean;
use crate::view::{Now, lists, logs as log_view, status as status_view, system as system_view};

pub(super) fn list_units(session: &mut Session, list: &ListUnits) -> Result<u8, Error> {
    let patterns = list
        .patterns
        .iter()
        .map(|pattern| names::complete(pattern))
        .collect();
    // A state that is asked for may be one that is not listed by itself.
    let all = list.all || list.failed || !list.state.is_empty();
    let mut reply: ListUnitsReply = session.call("list of units", &Request::ListUnits { patterns, all })?;
    reply.units.retain(|unit| wanted(list, unit));
    session
        .out
        .show(&reply.units, |view| lists::units(&reply.units, view))?;
    Ok(exit::OK)
}

fn wanted(list: &ListUnits, unit: &UnitInfo) -> bool {
    let type_fits = list.types.is_empty() || list.types.iter().any(|kind| kind == names::type_of(&unit.name));
    let has = |state: &String| [&unit.load, &unit.active, &unit.sub].contains(&state);
    let state_fits = if list.failed {
        unit.active == "failed"
    } else {
        list.state.is_empty()
    };
    type_fits && (state_fits || list.state.iter().any(has))
}

pub(super) fn system(session: &mut Session) -> Result<u8, Error> {
    let info: ManagerInfo = session.call("looking at the system", &Request::Describe {})?;
    let request = Request::ListUnits {
        patterns: Vec::new(),
        all: true,
    };
    let units: ListUnitsReply = session.call("list of units", &request)?;
    let problems = problems(session, &units.units)?;
    let mut failed = units.units;
    failed.retain(|unit| unit.active == "failed");
    let jobs: ListJobsReply = session.call("list of jobs", &Request::ListJobs {})?;
    session.out.show(&info, |view| {
        system_view::system(&info, &failed, &jobs.jobs, &problems, view)
    })?;
    Ok(exit::OK)
}

/// What is wrong with the files of units that cannot be used because of them.
fn problems(session: &mut Session, units: &[UnitInfo]) -> Result<Vec<String>, Error> {
    let mut problems = Vec::new();
    for unit in units
        .iter()
        .filter(|unit| matches!(unit.load.as_str(), "bad-setting" | "error"))
    {
        match session.unit(&unit.name) {
            Ok(reply) => problems.extend(reply.detail.diagnostics),
            // It went away between the two calls.
            Err(Error::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(problems)
}

pub(super) fn status(session: &mut Session, words: &[String]) -> Result<u8, Error> {
    let found = find(session, words, true)?;
    let known: Vec<&UnitReply> = found
        .units
        .iter()
        .filter_map(|(_, reply)| reply.as_ref())
        .collect();
    session.out.show(&known, |view| {
        let texts: Vec<String> = known
            .iter()
            .map(|reply| status_view::status(reply, view))
            .collect();
        texts.join("\n")
    })?;
    Ok(if found.complete {
        exit::of_active(found.states(), false)
    } else {
        exit::UNKNOWN_STATE
    })
}

pub(super) fn is_active(session: &mut Session, words: &[String]) -> Result<u8, Error> {
    let found = print_states(session, words)?;
    Ok(exit::of_active(found.states(), true))
}

pub(super) fn is_failed(session: &mut Session, words: &[String]) -> Result<u8, Error> {
    let found = print_states(session, words)?;
    Ok(exit::of_failed(found.states()))
}

/// Prints the active state of each unit, `unknown` where there is no such unit.
fn print_states(session: &mut Session, words: &[String]) -> Result<Found, Error> {
    let found = find(session, words, false)?;
    let states = found
        .units
        .iter()
        .map(|(name, reply)| (name, reply.as_ref().map(|reply| &reply.unit.active)));
    if session.out.json() {
        let list: Vec<_> = states
            .map(|(name, state)| serde_json::json!({ "unit": name, "state": state }))
            .collect();
        session.out.print_json(&list)?;
    } else {
        let lines =
            states.map(|(_, state)| format!("{}\n", state.map_or("unknown".to_owned(), |s| clean(s))));
        session.out.print(&lines.collect::<String>())?;
    }
    Ok(found)
}

/// What is known of the units that were typed.
struct Found {
    units: Vec<(String, Option<UnitReply>)>,
    /// Whether each pattern matched something.
    complete: bool,
}

impl Found {
    /// The states; when no pattern matched anything that counts as one unknown unit.
    fn states(&self) -> impl Iterator<Item = State<'_>> {
        let nothing = self.units.is_empty().then_some(State::Unknown);
        let states = self.units.iter().map(|(_, reply)| match reply {
            Some(reply) => State::Known(&reply.unit.active),
            None => State::Unknown,
        });
        states.chain(nothing)
    }
}

/// Looks at every unit that was typed. `report` says whether one that is unknown is an error to tell.
fn find(session: &mut Session, words: &[String], report: bool) -> Result<Found, Error> {
    let (names, complete) = session.expand(words)?;
    let mut units = Vec::new();
    for name in names {
        let reply = match session.unit(&name) {
            Ok(reply) => Some(reply),
            Err(Error::Refused { doing, error }) if matches!(*error, ApiError::NoSuchUnit { .. }) => {
                if report {
                    session.out.complain(&Error::Refused { doing, error }.to_string());
                }
                None
            }
            Err(error) => return Err(error),
        };
        units.push((name, reply));
    }
    Ok(Found { units, complete })
}

pub(super) fn is_system_running(session: &mut Session, wait: bool) -> Result<u8, Error> {
    let reply: SystemStateReply =
        session.call("looking at the system", &Request::IsSystemRunning { wait })?;
    session
        .out
        .show(&reply, |_| format!("{}\n", clean(&reply.state)))?;
    Ok(if reply.state == "running" {
        exit::OK
    } else {
        exit::FAILURE
    })
}

pub(super) fn list_jobs(session: &mut Session) -> Result<u8, Error> {
    let reply: ListJobsReply = session.call("list of jobs", &Request::ListJobs {})?;
    session
        .out
        .show(&reply.jobs, |view| lists::jobs(&reply.jobs, view))?;
    Ok(exit::OK)
}

pub(super) fn fdstore(session: &mut Session, word: &str) -> Result<u8, Error> {
    let name = single(word)?;
    // The list is empty for a name that no unit has, too.
    session.unit(&name)?;
    let doing = format!("looking at the descriptors of {name}");
    let reply: FdsReply = session.call(&doing, &Request::ListFds { name })?;
    session
        .out
        .show(&reply.fds, |view| lists::fds(&reply.fds, view))?;
    Ok(exit::OK)
}

pub(super) fn logs(session: &mut Session, logs: &Logs) -> Result<u8, Error> {
    let name = single(&logs.unit.unit)?;
    let doing = format!("reading the log of {name}");
    let request = Request::Logs(LogsRequest {
        name,
        lines: logs.lines,
        follow: logs.follow,
    });
    let out = session.out;
    if !logs.follow {
        let reply: LogsReply = session.call(&doing, &request)?;
        print_lines(out, &reply)?;
        return Ok(exit::OK);
    }
    let mut written = Ok(());
    session.call_more(&doing, &request, |reply: LogsReply| {
        written = print_lines(out, &reply);
        written.is_ok()
    })?;
    written.map(|()| exit::OK)
}

/// Lines as text, or one JSON object a line, which a follower can read one by one.
fn print_lines(out: Output, reply: &LogsReply) -> Result<(), Error> {
    if out.json() {
        return reply.lines.iter().try_for_each(|line| out.print_json_line(line));
    }
    out.print(&log_view::lines(&reply.lines, Now::read()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Verb};
    use clap::Parser as _;

    fn listed(words: &str, name: &str, active: &str, sub: &str) -> bool {
        let words = ["softctl", "list-units"]
            .into_iter()
            .chain(words.split_whitespace());
        let Verb::ListUnits(list) = Cli::try_parse_from(words).unwrap().verb else {
            panic!()
        };
        let unit = UnitInfo {
            name: name.to_owned(),
            load: "loaded".to_owned(),
            active: active.to_owned(),
            sub: sub.to_owned(),
            ..UnitInfo::default()
        };
        wanted(&list, &unit)
    }

    #[test]
    fn types_and_states_narrow_the_list() {
        assert!(listed("", "a.service", "active", "running"));
        assert!(listed("-t socket,service", "a.service", "active", "running"));
        assert!(!listed("-t socket", "a.service", "active", "running"));
        assert!(listed("--state=running", "a.service", "active", "running"));
        assert!(listed("--state=loaded,dead", "a.service", "active", "running"));
        assert!(!listed("--state=dead", "a.service", "active", "running"));
        assert!(listed("--failed", "a.service", "failed", "failed"));
        assert!(!listed("--failed", "a.service", "active", "failed"));
        assert!(!listed("--failed -t socket", "a.service", "failed", "failed"));
    }
}
