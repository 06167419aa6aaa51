//! Makes the calls of each verb.

mod at_once;
mod boot_time;
mod cat;
mod disk;
mod edit;
mod environment;
mod events;
mod explain;
mod generate;
mod graph;
mod handoff;
mod jobs;
mod jobs_list;
mod kexec;
mod kill;
mod links;
mod look;
mod output;
mod session;
mod show;
mod snapshot;
mod sockets;
mod transient;
mod unit_files;
mod verify;
mod wait;

use rustix::system::RebootCommand;
use softboot_control::api::{Empty, JobInfo, ListJobsReply, Request};
use softboot_unit::install::Pull;

use crate::cli::{Cancel, Cli, Verb};
use crate::error::Error;
use crate::exit;
use crate::names;
pub(crate) use output::Output;
use session::Session;

/// Does what the command line says; the result is the exit code.
pub(crate) fn run(cli: &Cli) -> Result<u8, Error> {
    let out = Output { common: cli.common };
    // What needs no softbootd.
    match &cli.verb {
        Verb::Verify(verify) => return verify::verify(out, verify),
        Verb::ListUnitFiles(list) => return unit_files::list(out, list),
        Verb::IsEnabled(asked) => return unit_files::is_enabled(out, asked),
        Verb::Enable(enable) => return unit_files::enable(out, enable),
        Verb::Disable(disable) => return unit_files::disable(out, disable),
        Verb::Mask(mask) => return unit_files::mask(out, mask),
        Verb::Unmask(unmask) => return unit_files::unmask(out, unmask),
        Verb::Reenable(enable) => return unit_files::reenable(out, enable),
        Verb::Link(link) => return unit_files::link(out, link),
        Verb::AddWants(add) => return unit_files::add(out, add, Pull::Wants),
        Verb::AddRequires(add) => return unit_files::add(out, add, Pull::Requires),
        Verb::Edit(edit) => return edit::edit(out, edit),
        Verb::Revert(revert) => return unit_files::revert(out, revert),
        Verb::GetDefault(root) => return unit_files::get_default(out, root),
        Verb::SetDefault(set) => return unit_files::set_default(out, set),
        Verb::Completions(completions) => return generate::completions(out, completions.shell),
        Verb::Generate(generate) => return generate::all(&generate.directory),
        Verb::Poweroff(force) if force.force > 1 => return at_once::end(RebootCommand::PowerOff),
        Verb::Reboot(force) if force.force > 1 => return at_once::end(RebootCommand::Restart),
        Verb::Halt(force) if force.force > 1 => return at_once::end(RebootCommand::Halt),
        Verb::Kexec(kexec) if kexec.force.force > 1 => return kexec::at_once(kexec),
        _ => {}
    }
    let session = &mut Session::open(out)?;
    match &cli.verb {
        Verb::ListUnits(list) => look::list_units(session, list),
        Verb::Status(status) if status.units.is_empty() => look::system(session),
        Verb::Status(status) => look::status(session, status),
        Verb::Start(job) => jobs::enqueue(session, "start", job),
        Verb::Stop(job) => jobs::enqueue(session, "stop", job),
        Verb::Restart(job) => jobs::enqueue(session, "restart", job),
        Verb::TryRestart(job) => jobs::enqueue(session, "try-restart", job),
        Verb::Reload(job) => jobs::enqueue(session, "reload", job),
        Verb::ReloadOrRestart(job) => jobs::enqueue(session, "reload-or-restart", job),
        Verb::TryReloadOrRestart(job) => jobs::enqueue(session, "try-reload-or-restart", job),
        Verb::Isolate(isolate) => jobs::isolate(session, isolate),
        Verb::Rescue(whole) => jobs::whole(session, "rescue.target", whole),
        Verb::Emergency(whole) => jobs::whole(session, "emergency.target", whole),
        Verb::Default(whole) => jobs::whole(session, "default.target", whole),
        Verb::Run(run) => transient::run(session, run),
        Verb::Kill(kill) => kill::kill(session, kill),
        Verb::Clean(clean) => kill::clean(session, clean),
        Verb::Show(show) => show::show(session, show),
        Verb::Cat(units) => cat::cat(session, &units.units),
        Verb::ListSockets(list) => sockets::list(session, list),
        Verb::ListDependencies(list) => graph::list_dependencies(session, list),
        Verb::Dot(dot) => graph::dot(session, dot),
        Verb::Blame => boot_time::blame(session),
        Verb::CriticalChain(chain) => boot_time::critical_chain(session, &chain.unit),
        Verb::Greyout(greyout) => boot_time::greyout(session, greyout.last),
        Verb::Snapshot(asked) => snapshot::snapshot(session, asked),
        Verb::Events(events) => events::events(session, events),
        // Done above.
        Verb::Verify(_)
        | Verb::ListUnitFiles(_)
        | Verb::IsEnabled(_)
        | Verb::Enable(_)
        | Verb::Disable(_)
        | Verb::Mask(_)
        | Verb::Unmask(_)
        | Verb::Reenable(_)
        | Verb::Link(_)
        | Verb::AddWants(_)
        | Verb::AddRequires(_)
        | Verb::Edit(_)
        | Verb::Revert(_)
        | Verb::GetDefault(_)
        | Verb::SetDefault(_)
        | Verb::Completions(_)
        | Verb::Generate(_) => Ok(exit::OK),
        Verb::IsActive(units) => look::is_active(session, &units.units),
        Verb::IsFailed(units) => look::is_failed(session, &units.units),
        Verb::IsSystemRunning(wait) => look::is_system_running(session, wait.wait),
        Verb::Logs(logs) => look::logs(session, logs),
        Verb::ListJobs(list) => jobs_list::list(session, list),
        Verb::Cancel(cancel) => cancel_jobs(session, cancel),
        Verb::Fdstore(unit) => look::fdstore(session, &unit.unit),
        Verb::ShowEnvironment => environment::show(session),
        Verb::SetEnvironment(set) => environment::set(session, set.assignments.clone()),
        Verb::UnsetEnvironment(names) => environment::unset(session, names.names.clone()),
        Verb::ImportEnvironment(names) => environment::import(session, &names.names),
        Verb::ResetFailed(units) => reset_failed(session, &units.units),
        Verb::DaemonReload(_) => plain(session, "reload of the unit files", &Request::Reload {}),
        Verb::DaemonReexec(reexec) => handoff::reexec(session, reexec.check),
        Verb::SoftReboot(reboot) => handoff::soft_reboot(session, reboot),
        Verb::Poweroff(force) => handoff::end(
            session,
            "poweroff",
            force.force > 0,
            &Request::PowerOff {
                force: force.force > 0,
            },
        ),
        Verb::Reboot(force) => handoff::reboot(session, force.force > 0),
        Verb::Kexec(kexec) => kexec::kexec(session, kexec),
        Verb::Exit(asked) => handoff::end(
            session,
            "exit",
            asked.force,
            &Request::Exit {
                code: asked.code,
                force: asked.force,
            },
        ),
        Verb::Halt(force) => handoff::end(
            session,
            "halt",
            force.force > 0,
            &Request::Halt {
                force: force.force > 0,
            },
        ),
    }
}

/// A call that returns nothing.
fn plain(session: &mut Session, doing: &str, request: &Request) -> Result<u8, Error> {
    session.call::<Empty>(doing, request)?;
    Ok(exit::OK)
}

fn cancel_jobs(session: &mut Session, cancel: &Cancel) -> Result<u8, Error> {
    let listed: ListJobsReply = session.call("list of jobs", &Request::ListJobs {})?;
    let mut code = exit::OK;
    for id in &cancel.ids {
        // A job that has just ended is no longer there, which is what was wanted, but it may also be a typing
        // mistake.
        if !listed.jobs.iter().any(|job| job.id == *id) {
            session.out.complain(&format!(
                "there is no job {id}; `softctl list-jobs` shows those there are"
            ));
            code = exit::FAILURE;
        }
    }
    let wanted = |job: &&JobInfo| cancel.ids.is_empty() || cancel.ids.contains(&job.id);
    for job in listed.jobs.iter().filter(wanted) {
        session.call::<Empty>(
            &format!("cancelling job {}", job.id),
            &Request::CancelJob { id: job.id },
        )?;
    }
    Ok(code)
}

fn reset_failed(session: &mut Session, units: &[String]) -> Result<u8, Error> {
    if units.is_empty() {
        return plain(
            session,
            "resetting failed units",
            &Request::ResetFailed { name: None },
        );
    }
    session.each(units, exit::NO_SUCH_UNIT, |session, unit| {
        // The manager takes any name here, so an unknown one would look like a success.
        session.unit(unit)?;
        let request = Request::ResetFailed {
            name: Some(unit.to_owned()),
        };
        plain(session, &format!("reset-failed of {unit}"), &request)
    })
}

/// The unit that one word means.
fn single(word: &str) -> Result<String, Error> {
    single_of(word, "service")
}

/// The same for a verb whose units are of another type.
fn single_of(word: &str, kind: &str) -> Result<String, Error> {
    if names::is_pattern(word) {
        return Err(Error::Usage(format!(
            "{word:?} stands for several units; this verb takes one"
        )));
    }
    Ok(names::complete_as(word, kind))
}
