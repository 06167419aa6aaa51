//! PID 1 gets every signal of a crash, under load, again and again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, Unit, call};
use super::net::{ECHO, HTTP, ask_for_page, connect, echo, is_page, read_page};
use super::processes::{self, Process};
use super::units::UnitFile;
use crate::error::{Context as _, Error};

/// The crashes that a program causes itself, and abort(3).
const SIGNALS: [Signal; 6] = [
    Signal::SEGV,
    Signal::BUS,
    Signal::ILL,
    Signal::FPE,
    Signal::ABORT,
    Signal::SYS,
];
/// How often under load.
const ROUNDS: u64 = 100;

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    drop(connect(HTTP)?);
    let held = Held::now()?;
    for signal in SIGNALS {
        crash(signal)?;
        control::wait_running()?;
        held.check(output, &format!("{signal:?}"))?;
    }
    echo(&mut client, "after the crashes\n")?;
    output.check(
        true,
        "a connection in an fd store goes on in the middle of its stream",
    )?;
    output.same(
        &described("safeMode")?,
        &json!(true),
        "more than five in a minute lead to safe mode",
    )?;
    nothing_starts_by_itself(output)?;
    control::reexec()?;
    output.same(&described("safeMode")?, &json!(false), "a re-exec ends it")?;
    output.same(&described("crashes")?, &json!(0), "and forgets the crashes")?;
    a_job_goes_on(output)?;
    under_load(output, &held)?;
    control::reexec()?;
    held.check(output, "everything")
}

pub(super) fn described(field: &str) -> Result<serde_json::Value, Error> {
    let answer = call("Describe", json!({}))?;
    answer
        .get(field)
        .cloned()
        .ok_or_else(|| Error::Check(format!("Describe does not say {field}: {answer}")))
}

fn crash(signal: Signal) -> Result<(), Error> {
    let init = Pid::from_raw(1).ok_or_else(|| Error::Check("there is no PID 1".to_owned()))?;
    kill_process(init, signal).doing(format!("sending {signal:?} to PID 1"))
}

/// What no crash may change: PID 1 itself, main processes, listening sockets, stored descriptors.
pub(super) struct Held {
    init: Option<Process>,
    mains: Vec<(String, i32)>,
    cookies: std::collections::BTreeMap<String, Vec<u64>>,
    stored: serde_json::Value,
}

impl Held {
    pub(super) fn now() -> Result<Held, Error> {
        let mut mains = Vec::new();
        // Units that the scenario itself makes and stops.
        let names = control::unit_names()?.into_iter();
        let stays = |name: &String| !name.starts_with("crash-") && !name.starts_with("lighttpd.");
        for name in names.filter(stays) {
            let pid = Unit::get(&name)?.main_pid();
            // Instances for one connection come and go with the load.
            if pid != 0 && !name.contains('@') {
                mains.push((name, pid));
            }
        }
        // The order in which units are loaded is no matter.
        mains.sort();
        let fields = ["id", "name", "kind", "inode", "cookie"];
        let listed = call("ListFds", json!({ "name": "holdfds.service" }))?;
        let stored = listed.get("fds").and_then(serde_json::Value::as_array);
        let stored = stored
            .ok_or_else(|| Error::Check(format!("no stored descriptors in {listed}")))?
            .iter()
            .map(|fd| fields.map(|field| fd.get(field).cloned()))
            .collect::<Vec<_>>();
        Ok(Held {
            init: processes::process(1),
            mains,
            cookies: control::all_cookies()?,
            stored: json!(stored),
        })
    }

    pub(super) fn check(&self, output: &mut Output, after: &str) -> Result<(), Error> {
        let now = self.check_running(output, after)?;
        output.same(
            &now.stored,
            &self.stored,
            format!("{after}: every stored descriptor is there"),
        )
    }

    /// The same but for stored descriptors; gives what is so now.
    pub(super) fn check_running(&self, output: &mut Output, after: &str) -> Result<Held, Error> {
        let now = Held::now()?;
        let start = |held: &Held| held.init.as_ref().map(|init| init.start);
        output.same(
            &start(&now),
            &start(self),
            format!("{after}: PID 1 is the same process"),
        )?;
        output.same(
            &now.mains,
            &self.mains,
            format!("{after}: no service was restarted"),
        )?;
        output.same(
            &now.cookies,
            &self.cookies,
            format!("{after}: every listening socket is the same"),
        )?;
        Ok(now)
    }
}

/// A service with Restart= stays down in safe mode, and starts when somebody asks.
fn nothing_starts_by_itself(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(
        "crash-restart.service",
        "[Service]\nExecStart=/bin/busybox sleep 100000\nRestart=always\nRestartSec=0\n",
    )?;
    control::start("crash-restart.service")?;
    let pid = Unit::get("crash-restart.service")?.main_pid();
    let pid = Pid::from_raw(pid).ok_or_else(|| Error::Check("it has no process".to_owned()))?;
    kill_process(pid, Signal::KILL).doing("killing a service")?;
    let failed = wait_for("the service to be given up", || {
        Ok((Unit::get("crash-restart.service")?.active() == "failed").then_some(()))
    });
    output.check(failed.is_ok(), "safe mode: a service that ends is not restarted")?;
    control::start("crash-restart.service")?;
    output.same(
        &Unit::get("crash-restart.service")?.active().to_owned(),
        &"active".to_owned(),
        "safe mode: a start that somebody asks for is done",
    )?;
    control::stop("crash-restart.service")
}

/// A client waits for a job that is running while PID 1 crashes.
fn a_job_goes_on(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(
        "crash-slow.service",
        "[Service]\nType=oneshot\nExecStartPre=/bin/busybox sleep 1\nExecStart=/bin/busybox sleep 1\n\
         ExecStartPost=/bin/busybox true\n",
    )?;
    let job = std::thread::spawn(|| control::start("crash-slow.service"));
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(400));
        crash(Signal::SEGV)?;
    }
    let result = job
        .join()
        .map_err(|_| Error::Check("the waiting thread panicked".to_owned()))?;
    output.check(
        result.is_ok(),
        format!("a client that waits for a job over four crashes gets its answer: {result:?}"),
    )
}

fn under_load(output: &mut Output, held: &Held) -> Result<(), Error> {
    let done = AtomicBool::new(false);
    let asked = AtomicU64::new(0);
    let pages = std::thread::scope(|scope| {
        let pages = scope.spawn(|| {
            let mut count = 0_u64;
            while !done.load(Ordering::Relaxed) {
                let mut stream = connect(HTTP)?;
                ask_for_page(&mut stream)?;
                let reply = read_page(&mut stream).map_err(unanswered)?;
                if !is_page(&reply) {
                    return Err(Error::Check(format!("this is not the page: {reply:?}")));
                }
                count += 1;
                if count.is_multiple_of(50) {
                    // Down, so that the next connection needs PID 1.
                    retried(|| control::stop("lighttpd.service"))?;
                }
            }
            Ok(count)
        });
        let questions = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                retried(|| Unit::get("survivor.service"))?;
                asked.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Error>(())
        });
        let crashes = (0..ROUNDS).try_for_each(|round| {
            std::thread::sleep(Duration::from_millis(50 + round % 17));
            crash(Signal::SEGV)
        });
        // Long enough for whoever waits to be served.
        std::thread::sleep(Duration::from_millis(500));
        done.store(true, Ordering::Relaxed);
        let gone = || Error::Check("a client thread panicked".to_owned());
        let pages = pages.join().map_err(|_| gone())??;
        questions.join().map_err(|_| gone())??;
        crashes.map(|()| pages)
    })?;
    output.check(
        pages > 0,
        format!("{ROUNDS} crashes under load: {pages} pages, none refused, reset or empty"),
    )?;
    let asked = asked.into_inner();
    output.check(
        asked > 0,
        format!("{asked} control calls, answered at the first or at the second try"),
    )?;
    held.check(output, "after the load")
}

/// A request that nobody answered, with what the manager says of those who should have.
fn unanswered(error: Error) -> Error {
    let state = |name: &str| match retried(|| Unit::get(name)) {
        Ok(unit) => format!("{name} is {} ({})", unit.active(), unit.sub()),
        Err(error) => format!("{name}: {error}"),
    };
    let states = ["lighttpd.socket", "lighttpd.service"].map(state);
    let jobs = call("ListJobs", json!({}));
    Error::Check(format!("{error}; {}; jobs: {jobs:?}", states.join(", ")))
}

/// A client whose connection broke asks once more.
fn retried<T>(ask: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    ask().or_else(|_| ask())
}
