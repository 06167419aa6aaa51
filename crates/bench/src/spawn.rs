//! Starting a process as PID 1 does, beside posix_spawn(3), in processes of two resident sizes.
//!
//! Both execute the same static program. What PID 1 does is timed twice: until the call returns, which is how long
//! PID 1 does nothing else, and until the program is executed. posix_spawn returns no earlier than that, because its
//! child borrows the caller's memory (vfork(2)); so it is the floor of both.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use serde::{Deserialize, Serialize};
use softboot_sys::spawn::{ExecStatus, SpawnPlan, exec_status, spawn};

use crate::error::{Context as _, Error};
use crate::measure::{Stopwatch, in_turns};
use crate::record::Record;

/// Resident sizes in MiB: PID 1 of a small machine, and one that is far larger than it should ever be.
const SIZES: [usize; 2] = [4, 64];
/// Processes in a turn; the median of their times is the turn's.
const PROCESSES: usize = 50;

/// What to measure.
#[derive(Debug)]
pub struct Plan {
    /// A static program that ends at once when it is told to do `true`: busybox.
    pub program: PathBuf,
    /// How often.
    pub runs: usize,
}

/// What a process of a given size prints, in microseconds; one number each turn.
#[derive(Debug, Serialize, Deserialize)]
struct Times {
    busy: Vec<f64>,
    executed: Vec<f64>,
    bare: Vec<f64>,
}

/// Measures each size in a process of its own.
pub fn run(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for mib in SIZES {
        progress(&format!("processes started by one of {mib} MiB"));
        let output = Command::new("/proc/self/exe")
            .args(["spawn-in", &mib.to_string(), &plan.runs.to_string()])
            .arg(&plan.program)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("starting a child")?;
        let times: Times = serde_json::from_slice(&output.stdout).context("what the child measured")?;
        for (what, values) in [("busy", &times.busy), ("exec", &times.executed)] {
            let case = format!("spawn/{what}/{mib}MiB");
            records.push(Record::new(case, "time", "us", values, &times.bare));
        }
    }
    Ok(records)
}

/// The process of that size; prints its times as JSON.
pub fn in_process_of(mib: usize, runs: usize, program: &Path) -> Result<(), Error> {
    let ballast = grow_to(mib)?;
    let null: File = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .context("opening /dev/null")?;
    let path = CString::new(program.as_os_str().as_bytes()).context("the program's path")?;
    let word = CString::new("true").context("an argument")?;
    let mut busy = Vec::new();
    let mut results = in_turns(
        runs,
        &mut [
            Box::new(|| {
                let (mut returned, mut executed) = (Vec::new(), Vec::new());
                for _ in 0..PROCESSES {
                    let argv = vec![path.clone(), word.clone()];
                    let stdio = [null.as_fd(), null.as_fd(), null.as_fd()];
                    let plan = SpawnPlan::new(path.clone(), argv, Vec::new(), stdio);
                    let (first, second) = ours(&plan)?;
                    returned.push(first);
                    executed.push(second);
                }
                busy.push(crate::record::median(&returned));
                Ok(crate::record::median(&executed))
            }),
            Box::new(|| {
                let times = (0..PROCESSES)
                    .map(|_| bare(program))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(crate::record::median(&times))
            }),
        ],
    )?;
    drop(std::hint::black_box(ballast));
    let bare = results.pop().unwrap_or_default();
    let executed = results.pop().unwrap_or_default();
    // The first turn does not count.
    let busy = busy.split_off(1);
    let times = Times { busy, executed, bare };
    println!("{}", serde_json::to_string(&times).context("encoding")?);
    Ok(())
}

/// Anonymous memory, touched, until the process has so many MiB.
fn grow_to(mib: usize) -> Result<Vec<u8>, Error> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    let own = kib.context("VmRSS")?.saturating_mul(1024);
    let wanted = mib.saturating_mul(1024 * 1024);
    // A zeroed vector would be the kernel's zero page until it is written to.
    Ok(vec![1; wanted.saturating_sub(own)])
}

/// Until the call returns, and until the program is executed.
fn ours(plan: &SpawnPlan<'_>) -> Result<(f64, f64), Error> {
    let mut watch = Stopwatch::default();
    let spawned = watch.time(|| spawn(plan)).context("spawning")?;
    let returned = watch.micros();
    let status = watch.time(|| {
        loop {
            match exec_status(spawned.status.as_fd())? {
                ExecStatus::Pending => poll(&mut [PollFd::new(&spawned.status, PollFlags::IN)], None)?,
                other => return Ok::<_, std::io::Error>(other),
            };
        }
    });
    let status = status.context("waiting for the exec")?;
    if status != ExecStatus::Executed {
        return Err(Error {
            what: "executing the program".to_owned(),
            reason: format!("{status:?}"),
        });
    }
    let options = WaitIdOptions::EXITED;
    waitid(WaitId::PidFd(spawned.pidfd.as_fd()), options).context("waiting for the process")?;
    Ok((returned, watch.micros()))
}

/// The standard library uses posix_spawn when nothing is asked for that it cannot do.
fn bare(program: &Path) -> Result<f64, Error> {
    let mut command = Command::new(program);
    command
        .arg("true")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut watch = Stopwatch::default();
    let mut child = watch.time(|| command.spawn()).context("spawning")?;
    child.wait().context("waiting for the process")?;
    Ok(watch.micros())
}
