//! The child that runs the next program's `--verify`: can it take over?
//!
//! It gets duplicates of every descriptor at the same numbers, does what the real one would do up to the first
//! change of the outside world, and answers over a pipe.

use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;

use serde_json::json;
use softboot_engine::{Action, Engine, Event, JobKind, RequestId};

use softboot_unit::{UnitKind, UnitName};

use super::resume::{Taken, take};
use super::{Kind, Stopwatch, plan, stay};
use crate::clock;

/// With names of up to 255 bytes a quarter of what an answer may be.
const MOST_STARTED: usize = 1000;

/// Checks, answers, ends.
pub(crate) fn verify_main() -> ExitCode {
    let mut inherited = match softboot_sys::inherited::take_all() {
        Ok(inherited) => inherited,
        Err(error) => return without_answer(&format!("cannot take the descriptors: {error}")),
    };
    let answer: Option<OwnedFd> = std::env::var("SOFTBOOT_ANSWER_FD")
        .ok()
        .and_then(|number| number.parse::<i32>().ok())
        .and_then(|number| inherited.remove(&number));
    let Some(answer) = answer else {
        return without_answer("--verify is for a softbootd that is about to re-exec; people want softctl");
    };
    let sent = match take(inherited, Stopwatch::start())
        .map_err(|lost| lost.reason)
        .and_then(check)
    {
        Ok(plan) => softboot_reexec::verify::answer_yes(answer.as_fd(), &plan),
        Err(reason) => softboot_reexec::verify::answer_no(answer.as_fd(), &[reason]),
    };
    if sent.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn without_answer(reason: &str) -> ExitCode {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "softbootd: {reason}");
    ExitCode::FAILURE
}

/// Everything the real one does that can fail without the world changing.
fn check(taken: Taken) -> Result<serde_json::Value, String> {
    if !taken.quarantined.is_empty() {
        return Err(format!(
            "descriptors are not what they claim to be: {}",
            taken.quarantined.join("; ")
        ));
    }
    let kind = taken.snapshot.kind;
    let next = taken.definitions.next();
    if let Some(sources) = taken.sources {
        plan::write(&taken.store, next, sources);
    }
    let same = stay::same_sockets(&taken.snapshot.engine, next);
    let (mut engine, _) = taken.definitions.restore(taken.snapshot.engine, clock::now());
    let units = engine.ids().count();
    let (mut starts, mut staying) = (None, None);
    if kind == Kind::SoftReboot {
        let facts = crate::run::boot_facts();
        let unit = crate::run::boot_units(&facts).into_iter().next();
        boot_transaction(&mut engine, unit.ok_or("there is no unit to boot")?)?;
        starts = Some(started(&engine));
        staying = Some(stay::wanted(&engine, same));
    }
    let (jobs, descriptors) = (engine.jobs().len(), taken.store.entries().count());
    Ok(
        json!({ "units": units, "descriptors": descriptors, "jobs": jobs, "starts": starts, stay::ANSWER: staying }),
    )
}

/// What the next boot starts, without targets and slices, which are no work; not more than an answer can hold.
fn started(engine: &Engine) -> Vec<String> {
    let jobs = engine.jobs().into_iter();
    let names = jobs
        .filter(|job| job.kind == JobKind::Start)
        .filter_map(|job| engine.name(job.unit))
        .filter(|name| !matches!(name.kind(), UnitKind::Target | UnitKind::Slice));
    names.take(MOST_STARTED).map(ToString::to_string).collect()
}

/// The boot of the next userspace must be a transaction that can be built.
fn boot_transaction(engine: &mut Engine, unit: UnitName) -> Result<(), String> {
    let definition = engine.unit(&unit).and_then(|unit| engine.definition(unit));
    let allowed = definition.is_some_and(|definition| definition.unit.allow_isolate);
    let request = Event::Request {
        request: RequestId(u64::MAX),
        kind: JobKind::Start,
        unit,
        mode: crate::run::boot_mode(true, allowed),
        manual: false,
    };
    for action in engine.step(clock::now(), request) {
        if let Action::RequestDone {
            outcome: Err(error), ..
        } = action
        {
            return Err(format!("the next boot's transaction cannot be built: {error}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use softboot_unit::files::MemoryFiles;
    use softboot_unit::{Loader, Specifiers};

    use super::*;

    /// What the check says of a boot into `name`, with a target that wants two services that come after each other.
    fn check_of(name: &str) -> Result<Vec<String>, String> {
        let files = MemoryFiles::new()
            .file("/u/all.target", "[Unit]\nAllowIsolate=yes\nWants=a.service\n")
            .file("/u/some.target", "[Unit]\nWants=a.service\n")
            .file("/u/a.service", "[Service]\nExecStart=/bin/a\n")
            .file(
                "/u/bad.target",
                "[Unit]\nAllowIsolate=yes\nRequires=absent.service\n",
            )
            .file(
                "/u/ring.target",
                "[Unit]\nAllowIsolate=yes\nRequires=x.service y.service\n",
            )
            .file(
                "/u/x.service",
                "[Unit]\nAfter=y.service\n[Service]\nExecStart=/bin/x\n",
            )
            .file(
                "/u/y.service",
                "[Unit]\nAfter=x.service\n[Service]\nExecStart=/bin/y\n",
            );
        let loader = Loader::new(&files, vec!["/u".to_owned()], Specifiers::default());
        let name = UnitName::new(name).unwrap();
        let mut engine = Engine::new();
        let loaded = loader.load_closure(std::slice::from_ref(&name), &|_| false);
        engine.step(clock::now(), Event::Loaded(loaded));
        boot_transaction(&mut engine, name).map(|()| started(&engine))
    }

    #[test]
    fn a_boot_that_can_be_built_is_one_whether_or_not_its_unit_can_be_isolated() {
        for unit in ["all.target", "some.target", "a.service"] {
            assert_eq!(check_of(unit), Ok(vec!["a.service".to_owned()]), "{unit}");
        }
    }

    #[test]
    fn a_boot_that_cannot_be_built_has_its_reason() {
        for (unit, reason) in [
            ("bad.target", "absent.service"),
            ("ring.target", "x.service"),
            ("absent.target", "absent.target"),
        ] {
            let error = check_of(unit).unwrap_err();
            assert!(
                error.contains("cannot be built") && error.contains(reason),
                "{unit}: {error}"
            );
        }
    }
}
