//! A whole probing: a thread for each endpoint, one that writes, marks from outside, and an end that always comes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::costs::Punctuality;
use super::marks::MarkSocket;
use super::worker::{self, Step};
use super::{Schedule, machine};
use crate::attempt::{Attempt, Outcome};
use crate::clock;
use crate::endpoint::{Client, Endpoint};
use crate::record::{
    Cost, Ending, EndpointCost, EndpointHeader, Header, InFlight, Mark, MarkKind, RecordError, Writer,
};

/// How often what was measured goes to the file: what a killed probe loses at most.
const TICK: Duration = Duration::from_millis(20);
/// How long attempts in flight are waited for at the end.
const LAST: u64 = 1_000_000_000;

/// One endpoint of a probing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name in reports.
    pub name: String,
    /// What is used.
    pub endpoint: Endpoint,
    /// From one due time to the next.
    pub interval: Duration,
    /// What each step of an attempt may take.
    pub timeout: Duration,
}

/// What to probe and until when.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The endpoints.
    pub probes: Vec<Probe>,
    /// For the header: what the caller says of the run.
    pub labels: BTreeMap<String, String>,
    /// For the header: the command line.
    pub command: Vec<String>,
    /// Ends after this time.
    pub duration: Option<Duration>,
    /// Ends as soon as this file is there.
    pub until_file: Option<PathBuf>,
    /// Takes marks at this socket.
    pub marks: Option<PathBuf>,
}

/// Why a probing did not begin, or has no record.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The record cannot be written.
    #[error("writing the record: {0}")]
    Record(#[from] RecordError),
    /// The record cannot be written any more. What was written before is good.
    #[error("writing the record: {0}; what was written before can be read")]
    Write(io::Error),
    /// The socket for marks.
    #[error("taking marks at {path}: {error}")]
    Marks {
        /// Its path.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// No thread is to be had.
    #[error("starting a thread for {name}: {error}")]
    Thread {
        /// The endpoint.
        name: String,
        /// Why not.
        error: io::Error,
    },
}

/// What a probing was.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What stands at the end of the record.
    pub ending: Ending,
    /// By endpoint: how often each outcome came.
    pub outcomes: Vec<BTreeMap<Outcome, u64>>,
}

/// What a thread shares with the one that writes.
#[derive(Debug, Default)]
struct Shared {
    done: Vec<Attempt>,
    reconnected: Vec<u64>,
    in_flight: Option<(u64, u64)>,
    cost: EndpointCost,
}

/// Probes until the plan's end or `stop`. `tick` is called some fifty times a second with the time that has passed.
///
/// # Errors
/// The probing did not begin, or the record could not be written to its end.
pub fn run<W: Write>(
    plan: &Plan,
    to: W,
    stop: &AtomicBool,
    mut tick: impl FnMut(u64),
) -> Result<Finished, SessionError> {
    let started = clock::now();
    let marks = match &plan.marks {
        Some(path) => Some(MarkSocket::bind(path).map_err(|error| SessionError::Marks {
            path: path.clone(),
            error,
        })?),
        None => None,
    };
    let mut writer = Writer::new(to, &header(plan, started))?;
    let over = Arc::new(AtomicBool::new(false));
    let workers = match start(plan, started, &over) {
        Ok(workers) => workers,
        Err(error) => {
            over.store(true, Ordering::Relaxed);
            return Err(error);
        }
    };
    let mut outcomes = vec![BTreeMap::new(); workers.len()];
    let result = (|| {
        let mut reason = None;
        while reason.is_none() {
            let elapsed = clock::now().saturating_sub(started);
            tick(elapsed);
            reason = end_of(plan, elapsed, stop);
            wait(marks.as_ref(), &mut writer)?;
            drain(&workers, &mut writer, &mut outcomes)?;
            writer.flush()?;
        }
        over.store(true, Ordering::Relaxed);
        let last = clock::now().saturating_add(LAST);
        while clock::now() < last && !workers.iter().all(|worker| worker.thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        drain(&workers, &mut writer, &mut outcomes)?;
        let ending = ending(&workers, started, reason.unwrap_or_default());
        writer.finish(&ending)?;
        Ok(ending)
    })();
    over.store(true, Ordering::Relaxed);
    let ending = result.map_err(SessionError::Write)?;
    Ok(Finished { ending, outcomes })
}

/// The header of a record that began at `started`, with what this machine is.
pub fn header(plan: &Plan, started: u64) -> Header {
    let endpoint = |probe: &Probe| EndpointHeader {
        name: probe.name.clone(),
        address: probe.endpoint.to_string(),
        interval: clock::span(probe.interval),
        timeout: clock::span(probe.timeout),
    };
    Header {
        program: concat!("softboot-probe ", env!("CARGO_PKG_VERSION")).to_owned(),
        command: plan.command.clone(),
        started,
        realtime: clock::realtime(),
        boot_id: machine::boot_id(),
        machine: machine::machine(),
        labels: plan.labels.clone(),
        endpoints: plan.probes.iter().map(endpoint).collect(),
    }
}

struct Worker {
    shared: Arc<Mutex<Shared>>,
    thread: JoinHandle<()>,
}

fn start(plan: &Plan, started: u64, over: &Arc<AtomicBool>) -> Result<Vec<Worker>, SessionError> {
    let count = plan.probes.len().max(1) as u64;
    let mut workers = Vec::with_capacity(plan.probes.len());
    for (index, probe) in plan.probes.iter().enumerate() {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (theirs, over, probe) = (Arc::clone(&shared), Arc::clone(over), probe.clone());
        let name = probe.name.clone();
        // Spread over the interval, so that the endpoints of one rate do not all wake at the same instant.
        let offset = clock::span(probe.interval).saturating_mul(index as u64) / count;
        let schedule = Schedule::new(started.saturating_add(offset), probe.interval);
        let thread = std::thread::Builder::new()
            .name("probe".to_owned())
            .spawn(move || work(probe, schedule, &theirs, &over))
            .map_err(|error| SessionError::Thread { name, error })?;
        workers.push(Worker { shared, thread });
    }
    Ok(workers)
}

fn work(probe: Probe, schedule: Schedule, shared: &Mutex<Shared>, over: &AtomicBool) {
    let mut client = Client::new(probe.endpoint, probe.timeout);
    let mut punctuality = Punctuality::new();
    let mut count = 0_u64;
    worker::probe(&mut client, schedule, over, |step| match step {
        Step::Begun { due, started } => locked(shared).in_flight = Some((due, started)),
        Step::Done {
            attempt,
            woken,
            reconnected,
        } => {
            if woken {
                punctuality.woke(&attempt);
            }
            count = count.wrapping_add(1);
            let cost = count
                .is_multiple_of(256)
                .then(|| punctuality.cost(clock::thread_cpu()));
            let mut shared = locked(shared);
            shared.in_flight = None;
            shared.done.push(attempt);
            if reconnected {
                shared.reconnected.push(attempt.finished);
            }
            shared.cost = cost.unwrap_or(shared.cost);
        }
    });
    locked(shared).cost = punctuality.cost(clock::thread_cpu());
}

/// A thread that panicked leaves whole attempts behind: each is pushed in one step.
fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn end_of(plan: &Plan, elapsed: u64, stop: &AtomicBool) -> Option<&'static str> {
    if stop.load(Ordering::Relaxed) {
        return Some("signal");
    }
    if plan
        .duration
        .is_some_and(|duration| elapsed >= clock::span(duration))
    {
        return Some("duration");
    }
    let there = plan.until_file.as_ref().is_some_and(|path| path.exists());
    there.then_some("file")
}

fn wait<W: Write>(marks: Option<&MarkSocket>, writer: &mut Writer<W>) -> io::Result<()> {
    let Some(socket) = marks else {
        std::thread::sleep(TICK);
        return Ok(());
    };
    let mut wait = TICK;
    while let Some(mark) = socket.next(wait)? {
        writer.mark(&mark)?;
        // What else is there already; a timeout of zero would wait for ever.
        wait = Duration::from_micros(1);
    }
    Ok(())
}

fn drain<W: Write>(
    workers: &[Worker],
    writer: &mut Writer<W>,
    outcomes: &mut [BTreeMap<Outcome, u64>],
) -> io::Result<()> {
    for ((endpoint, worker), outcomes) in (0_u32..).zip(workers).zip(outcomes) {
        let (done, reconnected) = {
            let mut shared = locked(&worker.shared);
            (
                std::mem::take(&mut shared.done),
                std::mem::take(&mut shared.reconnected),
            )
        };
        for attempt in &done {
            writer.attempt(endpoint, attempt)?;
            let count = outcomes.entry(attempt.outcome).or_insert(0_u64);
            *count = count.saturating_add(1);
        }
        for time in reconnected {
            writer.mark(&Mark {
                time,
                kind: MarkKind::Note,
                name: "reconnected".to_owned(),
                endpoint: Some(endpoint),
            })?;
        }
    }
    Ok(())
}

fn ending(workers: &[Worker], started: u64, reason: &str) -> Ending {
    let finished = clock::now();
    let mut ending = Ending {
        finished,
        reason: reason.to_owned(),
        in_flight: Vec::new(),
        cost: Cost {
            wall: finished.saturating_sub(started),
            cpu: clock::process_cpu(),
            endpoints: Vec::with_capacity(workers.len()),
        },
    };
    for (endpoint, worker) in (0_u32..).zip(workers) {
        let shared = locked(&worker.shared);
        ending.cost.endpoints.push(shared.cost);
        if let Some((due, started)) = shared.in_flight {
            ending.in_flight.push(InFlight {
                endpoint,
                due,
                started,
            });
        }
    }
    ending
}
