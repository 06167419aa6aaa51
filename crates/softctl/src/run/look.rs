//! Verbs that only look.

use softboot_control::api::{
    ApiError, FdsReply, ListJobsReply, ListUnitsReply, LogsReply, LogsRequest, ManagerInfo, PropertiesReply,
    Request, SystemStateReply, UnitInfo, UnitReply,
};

use super::output::Output;
use super::session::Session;
use super::{single, unit_files};
use crate::cli::{ListUnits, Logs, Status};
use crate::error::Error;
use crate::exit::{self, State};
use crate::names;
use crate::text::clean;
use crate::view::{Now, lists, logs as log_view, status as status_view, system as system_view};

/// Lines of the log that the description of a unit has by itself.
const LOG_TAIL: usize = 10;

pub(super) fn list_units(session: &mut Session, list: &ListUnits) -> Result<u8, Error> {
    let patterns = list
        .patterns
        .iter()
        .map(|pattern| names::complete(pattern))
        .collect();
    for kind in &list.types {
        names::check_type(kind).map_err(Error::Usage)?;
    }
    // A state that is asked for may be one that is not listed by itself.
    let all = list.all || list.failed || !list.state.is_empty();
    let mut reply: ListUnitsReply = session.call("list of units", &Request::ListUnits { patterns, all })?;
    reply.units.retain(|unit| wanted(list, unit));
    session
        .out
        .show(&reply.units, |view| lists::units(&reply.units, list.plain, view))?;
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

pub(super) fn status(session: &mut Session, asked: &Status) -> Result<u8, Error> {
    let words: Vec<String> = asked.units.iter().map(|word| of_process(word)).collect();
    let mut found = find(session, &words, true)?;
    for (_, reply) in &mut found.units {
        if let Some(reply) = reply {
            set_log_lines(session, reply, asked.lines);
        }
    }
    let known: Vec<&UnitReply> = found
        .units
        .iter()
        .filter_map(|(_, reply)| reply.as_ref())
        .collect();
    if session.out.json() {
        session.out.print_json(&known)?;
    } else {
        let mut texts = Vec::new();
        for reply in &known {
            let name = &reply.unit.name;
            let files = status_view::Files {
                state: unit_files::state_word(name),
                changed: files_have_changed(session, name),
            };
            texts.push((*reply, files));
        }
        session.out.show(&(), |view| {
            let texts = texts
                .iter()
                .map(|(reply, files)| status_view::status(reply, *files, view));
            texts.collect::<Vec<String>>().join("\n")
        })?;
    }
    Ok(if found.complete {
        exit::of_active(found.states(), false)
    } else {
        exit::UNKNOWN_STATE
    })
}

/// `status 123` means the unit that the process belongs to.
fn of_process(word: &str) -> String {
    let number = word.bytes().all(|byte| byte.is_ascii_digit()) && !word.is_empty();
    let unit = number
        .then(|| std::fs::read_to_string(format!("/proc/{word}/cgroup")).ok())
        .flatten()
        .and_then(|text| unit_of_group(&text));
    unit.unwrap_or_else(|| word.to_owned())
}

/// The unit in a line of proc_pid_cgroup(5): the first part of the path that is one and no slice.
fn unit_of_group(text: &str) -> Option<String> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let parts = path.split('/').map(|part| part.strip_prefix('_').unwrap_or(part));
    let is_unit = |part: &&str| matches!(names::type_of(part), "service" | "scope" | "socket" | "mount");
    parts.into_iter().find(is_unit).map(str::to_owned)
}

/// As many of the last lines as are wanted. The reply has some already.
fn set_log_lines(session: &mut Session, reply: &mut UnitReply, wanted: u32) {
    let tail = &mut reply.detail.log_tail;
    let most = usize::try_from(wanted).unwrap_or(usize::MAX);
    if most <= LOG_TAIL {
        let excess = tail.len().saturating_sub(most);
        tail.drain(..excess);
        return;
    }
    let request = Request::Logs(LogsRequest {
        name: reply.unit.name.clone(),
        lines: wanted,
        follow: false,
    });
    // Who may not read it sees none, as in the reply.
    if let Ok(LogsReply { lines }) = session.call("reading the log", &request) {
        *tail = lines;
    }
}

/// Whether a reload would change the unit. What cannot be found out is not worth an error.
pub(super) fn files_have_changed(session: &mut Session, name: &str) -> bool {
    let request = Request::GetProperties {
        name: Some(name.to_owned()),
    };
    let reply: Result<PropertiesReply, Error> = session.call("looking at the files", &request);
    reply.is_ok_and(|reply| reply.properties.get("NeedDaemonReload") == Some(&serde_json::Value::Bool(true)))
}

pub(super) fn is_active(session: &mut Session, words: &[String]) -> Result<u8, Error> {
    let found = print_states(session, words)?;
    Ok(exit::of_active(found.states(), true))
}

pub(super) fn is_failed(session: &mut Session, words: &[String]) -> Result<u8, Error> {
    let found = print_states(session, words)?;
    Ok(exit::of_failed(found.states()))
}

/// Prints the active state of each unit. A unit that is unknown is not active; the exit code tells it from one that is down.
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
            states.map(|(_, state)| format!("{}\n", state.map_or("inactive".to_owned(), |s| clean(s))));
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
    let word = logs.unit.as_deref().or(logs.unit_option.as_deref());
    let name = single(word.unwrap_or_default())?;
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
