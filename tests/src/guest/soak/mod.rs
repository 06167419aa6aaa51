//! Soft-reboots and re-execs by the hundred, under a constant load of connections to twenty sockets.

mod activate;
mod load;
mod serve;

pub use activate::{activate, answer_stdin};
pub use serve::{serve, serve_stdin};

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::census::Census;
use super::check::{Output, wait_for};
use super::in_place::executes;
use super::units::UnitFile;
use super::{Options, control};
use crate::error::{Context as _, Error};
use load::Load;

/// Half of them TCP, half of them unix.
const SOCKETS: u16 = 20;
/// Rounds of each kind for each that `--count` asks for.
const FACTOR: u32 = 10;
/// What one round more may cost in memory that PID 1 has for itself: nothing. This much is noise of the allocator and
/// of the journal, which is cut now and then.
const NOISE_KIB: u64 = 768;

pub(super) fn run(output: &mut Output, options: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let _units = install()?;
    let rounds = options.count.saturating_mul(FACTOR);
    let running = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let load = Load::start(scope, &running, SOCKETS);
        let result = under_load(output, &load, rounds);
        running.store(false, Ordering::Relaxed);
        let counts = load.join();
        result?;
        let counts = counts?;
        let served: u64 = counts.values().sum();
        output.note(format!(
            "{served} connections, {:?} for a socket",
            spread(&counts)
        ));
        output.check(
            counts.len() == usize::from(SOCKETS) && counts.values().all(|count| *count > u64::from(rounds)),
            "each socket was asked more often than there were rounds; none refused, reset or empty",
        )
    })
}

fn under_load(output: &mut Output, load: &Load<'_>, rounds: u32) -> Result<(), Error> {
    // The first ones bring everything into the state that all the others must leave unchanged.
    for _ in 0..3 {
        control::soft_reboot()?;
        control::reexec()?;
    }
    load.all_served()?;
    let before = Footprint::take()?;
    let cookies = cookies()?;
    let begun = Instant::now();
    let mut next_note = Duration::from_secs(30);
    let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
    for round in 1..=rounds {
        if round.is_multiple_of(2) {
            // Another file with the same program is executed; the same file goes on in place.
            super::fallbacks::another_file(&program)?;
        }
        let executed = executes(control::soft_reboot)?;
        if executed != round.is_multiple_of(2) {
            let text = format!("soft-reboot {round} executed a program: {executed}");
            return Err(Error::Check(text));
        }
        load.all_served()?;
        load.check()?;
        if begun.elapsed() >= next_note {
            next_note += Duration::from_secs(30);
            output.note(format!("soft-reboot {round} of {rounds}"));
        }
    }
    output.check(
        true,
        format!("{rounds} soft-reboots under load, every second with an exec"),
    )?;
    for round in 1..=rounds {
        control::reexec()?;
        load.check()?;
        if round.is_multiple_of(10) {
            // Down, so that the next connection needs PID 1.
            control::stop(&service(round.rem_euclid(u32::from(SOCKETS)) as u16))?;
        }
        if begun.elapsed() >= next_note {
            next_note += Duration::from_secs(30);
            output.note(format!("re-exec {round} of {rounds}"));
        }
    }
    output.check(true, format!("{rounds} re-execs under load"))?;
    output.same(
        &self::cookies()?,
        &cookies,
        "the sockets are the same kernel objects",
    )?;
    load.all_served()?;
    let grown = || Ok::<_, Error>(Footprint::take()?.grown_since(&before));
    let settled = wait_for("everything that was there for a moment to be gone", || {
        Ok(grown()?.is_empty().then_some(()))
    });
    if settled.is_err() {
        output.same(&grown()?, &Vec::new(), "nothing grows")?;
    }
    output.check(
        true,
        "no descriptor, cgroup, mount, zombie, unit or job more than before, and no more memory",
    )
}

/// What must not grow.
struct Footprint {
    census: Census,
    memory_kib: u64,
    units: usize,
}

impl Footprint {
    fn take() -> Result<Footprint, Error> {
        Ok(Footprint {
            census: Census::take()?,
            memory_kib: memory_kib()?,
            units: control::unit_names()?.len(),
        })
    }

    fn grown_since(&self, before: &Footprint) -> Vec<String> {
        let mut grown = self.census.grown_since(&before.census);
        if self.memory_kib > before.memory_kib + NOISE_KIB {
            grown.push(format!(
                "memory: {} KiB before, {} KiB now",
                before.memory_kib, self.memory_kib
            ));
        }
        if self.units > before.units {
            grown.push(format!("units: {} before, {} now", before.units, self.units));
        }
        grown
    }
}

/// PID 1's anonymous memory and that of its memory files, which count as shared.
fn memory_kib() -> Result<u64, Error> {
    let status = fs::read_to_string("/proc/1/status").doing("reading /proc/1/status")?;
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let mut files = 0;
    for entry in fs::read_dir("/proc/1/fd").doing("reading /proc/1/fd")?.flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        // The descriptors of services are theirs.
        let own = target.to_string_lossy().starts_with("/memfd:softboot");
        if own && let Ok(data) = fs::metadata(entry.path()) {
            files += data.len() / 1024;
        }
    }
    Ok(field("RssAnon:").saturating_add(files))
}

fn cookies() -> Result<BTreeMap<String, Vec<u64>>, Error> {
    let mut all = control::all_cookies()?;
    all.retain(|name, _| name.starts_with("soak-"));
    Ok(all)
}

fn service(number: u16) -> String {
    format!("soak@{number}.service")
}

/// The smallest and the largest number of connections to one socket.
fn spread(counts: &BTreeMap<u16, u64>) -> (u64, u64) {
    let least = counts.values().min().copied().unwrap_or(0);
    (least, counts.values().max().copied().unwrap_or(0))
}

fn install() -> Result<Vec<UnitFile>, Error> {
    let program = std::env::current_exe().doing("finding this program")?;
    let mut files = vec![UnitFile::write(
        "soak@.service",
        &format!(
            "[Unit]\nDescription=A server that finishes what it has begun\nStartLimitIntervalSec=0\n\
             [Service]\nExecStart={} --serve\nTimeoutStopSec=20\n",
            program.display()
        ),
    )?];
    for number in 0..SOCKETS {
        files.push(UnitFile::write(
            &format!("soak-{number}.socket"),
            &format!(
                "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\
                 [Socket]\nListenStream={}\nService={}\nDeferTrigger=yes\nTriggerLimitIntervalSec=0\n\
                 PollLimitIntervalSec=0\n",
                load::address(number),
                service(number)
            ),
        )?);
    }
    control::call("Reload", json!({}))?;
    for number in 0..SOCKETS {
        control::start(&format!("soak-{number}.socket"))?;
    }
    Ok(files)
}
