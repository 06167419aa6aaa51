//! Two versions of softbootd take over from each other, again and again: by re-exec, and by soft-reboots between two
//! roots. What the newer one knows and the older one does not comes back through the older one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use super::census::Census;
use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::crash::Held;
use super::faults::{FAULTY_IN_VM, faulty};
use super::net::{ECHO, connect, echo};
use super::next_root::{in_root, make_root, settle};
use super::softctl;
use super::units::UnitFile;
use super::{Options, control::call};
use crate::error::{Context as _, Error};

/// Where the newer one says how often it has taken over, and of how many units it got its member back.
const REPORT: &str = "/run/softboot/next-version";
/// A job waits for this all the time.
const GATE: &str = "/run/versions-gate";
/// Rounds of each kind for each that `--count` asks for.
const FACTOR: u32 = 2;

pub(super) fn run(output: &mut Output, options: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let rounds = options.count.saturating_mul(FACTOR);
    let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
    let older = PathBuf::from("/run/versions-older");
    fs::copy(&program, &older).doing("keeping the older program")?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;

    // It adds a member of its own to the manager's state and to each unit's.
    let newer = faulty();
    // An emulated machine takes its time for them, and has nothing to add to what a container says of them.
    let emulated = newer == Path::new(FAULTY_IN_VM);
    let reexecs = if emulated { rounds.div_ceil(10) } else { rounds };
    by_reexec(output, reexecs, &program, [&newer, &older])?;
    install(&program, &older)?;
    control::reexec()?;
    echo(&mut client, "between\n")?;
    by_soft_reboot(output, [reexecs, rounds], &program, &newer)?;
    echo(&mut client, "after\n")?;
    output.check(true, "a connection in an fd store goes on through all of that")
}

/// Puts a program in the place of another, as a package does.
fn install(at: &Path, program: &Path) -> Result<(), Error> {
    let beside = at.with_extension("new");
    fs::copy(program, &beside).doing("copying softbootd")?;
    fs::rename(&beside, at).doing("installing softbootd")
}

fn by_reexec(
    output: &mut Output,
    rounds: u32,
    program: &Path,
    [newer, older]: [&Path; 2],
) -> Result<(), Error> {
    mknodat(CWD, GATE, FileType::Fifo, Mode::from_raw_mode(0o600), 0)
        .map_err(std::io::Error::from)
        .doing("making a gate")?;
    let _units = [
        UnitFile::write(
            "crash-gated.service",
            &format!(
                "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/busybox cat {GATE}\n"
            ),
        )?,
        UnitFile::write(
            "crash-deferred.socket",
            "[Socket]\nListenStream=/run/versions.sock\nDeferTrigger=patient\nDeferTriggerMaxSec=1h\n",
        )?,
        UnitFile::install(
            "crash-deferred.service",
            "[Unit]\nConflicts=crash-gated.service\n[Service]\nExecStart=/bin/busybox sleep 100000\n",
        )?,
    ];
    control::start("crash-deferred.socket")?;
    // softctl waits as long as it takes.
    let job = softctl::start(&["start", "crash-gated.service"])?;
    let waits = |unit: &str, state: &str| Ok::<_, Error>(Unit::get(unit)?.sub() == state);
    wait_for("the job to run", || {
        Ok(waits("crash-gated.service", "start")?.then_some(()))
    })?;
    // Its service must not start: that would stop the one with the job.
    let _waiting = std::os::unix::net::UnixStream::connect("/run/versions.sock").doing("connecting")?;
    wait_for("the socket to be deferred", || {
        Ok(waits("crash-deferred.socket", "deferred")?.then_some(()))
    })?;
    let held = Held::now()?;
    let begun = Instant::now();
    for round in 1..=rounds {
        for (version, next) in [("the newer", newer), ("the older", older)] {
            install(program, next)?;
            control::reexec()?;
            let kept = waits("crash-gated.service", "start")? && waits("crash-deferred.socket", "deferred")?;
            if !kept {
                return Err(Error::Check(format!(
                    "{version} one has lost a job or a deferral"
                )));
            }
        }
        remembered(output, u64::from(round))?;
    }
    output.note(format!("{} re-execs: {:.1?}", rounds * 2, begun.elapsed()));
    held.check(output, &format!("{} re-execs between two versions", rounds * 2))?;
    fs::write(GATE, "open\n").doing("opening the gate")?;
    let done = softctl::finish(job)?;
    output.same(
        &(done.code, done.stderr.as_str()),
        &(0, ""),
        "a job that began before all of them is done, and who waits for it is told",
    )?;
    wait_for("the deferred service", || {
        Ok((Unit::get("crash-deferred.service")?.active() == "active").then_some(()))
    })?;
    output.check(true, "the request that was deferred before all of them is served")?;
    control::stop("crash-deferred.socket")?;
    control::stop("crash-deferred.service")
}

/// The newer one has taken over so often, and knows it.
fn remembered(output: &mut Output, times: u64) -> Result<(), Error> {
    let path = Path::new("/proc/1/root").join(REPORT.trim_start_matches('/'));
    let text = fs::read_to_string(path).doing("reading what the newer one says")?;
    let mut numbers = text
        .split_whitespace()
        .filter_map(|word| word.parse::<u64>().ok());
    let (found, units) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let most = call("Describe", json!({}))?;
    let most = most.get("units").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if found == times && (times == 1 || units * 2 > most) {
        return Ok(());
    }
    output.check(
        false,
        format!("take-over {times} of the newer version: it remembers {found}, and {units} of {most} units"),
    )
}

fn by_soft_reboot(
    output: &mut Output,
    [reexecs, rounds]: [u32; 2],
    program: &Path,
    newer: &Path,
) -> Result<(), Error> {
    let roots = [
        ("/run/roots/newer", "the newer"),
        ("/run/roots/older", "the older"),
    ];
    for (at, name) in roots {
        make_root(at, name)?;
    }
    let inside = program.strip_prefix("/").unwrap_or(program);
    install(&Path::new("/proc/1/root/run/roots/newer").join(inside), newer)?;
    let survivor = Unit::get("survivor.service")?.main_pid();
    let before = u64::from(reexecs);
    let mut first: Option<Census> = None;
    let begun = Instant::now();
    for round in 1..=rounds {
        for (at, name) in roots {
            in_root(&format!("ln -s {at} /run/nextroot"))?;
            control::soft_reboot()?;
            settle(name)?;
        }
        remembered(output, before + u64::from(round))?;
        if first.is_none() {
            first = Some(Census::take()?);
        }
    }
    output.note(format!("{} soft-reboots: {:.1?}", rounds * 2, begun.elapsed()));
    output.check(
        true,
        format!(
            "{} soft-reboots between two roots with two versions: what only the newer one knows came back each time",
            rounds * 2
        ),
    )?;
    output.same(
        &Unit::get("survivor.service")?.main_pid(),
        &survivor,
        "the survivor is the same process",
    )?;
    let first = first.ok_or_else(|| Error::Check("no round".to_owned()))?;
    let same = wait_for("everything that was there for a moment to be gone", || {
        Ok(Census::take()?.grown_since(&first).is_empty().then_some(()))
    });
    if same.is_err() {
        output.same(
            &Census::take()?.grown_since(&first),
            &Vec::new(),
            "nothing is left over",
        )?;
    }
    output.check(true, "no descriptor, cgroup, mount or zombie is left over")
}
