//! How long the clients of one kept socket wait in a soft-reboot, beside the floor: the same service under a holder that
//! does nothing but keep the socket, end the service and start it again.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fdstore::listen::ListenFds;
use fdstore::notify::{Message, Notifier};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use softboot_greyout::measure::longest_silence;
use softboot_greyout::{Attempt, Endpoint, Prober, clock};

use super::micros;
use crate::error::{Context as _, Error};
use crate::guest::check::PATIENCE;
use crate::guest::control::{self, call};
use crate::guest::units::UnitFile;

/// Attempts of the probe.
const INTERVAL: Duration = Duration::from_millis(1);
/// What is looked at before and after an event.
const QUIET: Duration = Duration::from_millis(150);
const PORT: u16 = 7190;
const FLOOR_PORT: u16 = 7191;
const WANTS: &str = "/run/systemd/system/multi-user.target.wants";
/// As many as SCM_RIGHTS takes at once (unix(7)).
const BATCH: usize = 253;

/// `count` soft-reboots with so many stored descriptors, in turns with the floor.
pub(super) fn soft_reboots(count: u32, stored: usize) -> Result<Value, Error> {
    let _units = Units::install(stored)?;
    // The first brings everything into the state that all others find.
    control::soft_reboot()?;
    let holder = Holder::start()?;
    let mut rounds = Vec::new();
    for _ in 0..count {
        let own = probed(PORT, control::soft_reboot)?;
        let cycle = call("Greyout", json!({ "last": 1 }))?;
        let cycle = cycle.get("cycles").and_then(|all| all.get(0)).cloned();
        let floor = probed(FLOOR_PORT, || holder.restart())?;
        let cycle = cycle.ok_or_else(|| Error::Check("no cycle is known".to_owned()))?;
        rounds.push(json!({
            "gap_us": own.gap,
            "total_us": own.total,
            "quiet_us": own.quiet,
            "failed": own.failed(),
            "verifying_us": own.worst_within(&cycle, "verifying"),
            "before_us": own.worst_before(),
            "floor_us": floor.gap,
            "floor_failed": floor.failed(),
            "cycle": cycle,
        }));
    }
    Ok(json!({ "rounds": rounds }))
}

/// What a probe saw around an event.
struct Probed {
    attempts: Vec<Attempt>,
    begun: u64,
    /// The longest time without an answer, in microseconds.
    gap: f64,
    /// The same before the event.
    quiet: f64,
    /// How long the event took.
    total: f64,
}

fn probed(port: u16, event: impl FnOnce() -> Result<(), Error>) -> Result<Probed, Error> {
    let endpoint = Endpoint::Echo(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let prober = Prober::start(endpoint, INTERVAL, PATIENCE);
    // The first attempt may have to start the service.
    std::thread::sleep(QUIET);
    let warm = clock::now();
    std::thread::sleep(QUIET);
    let begun = clock::now();
    event()?;
    let total = Duration::from_nanos(clock::now().saturating_sub(begun));
    std::thread::sleep(QUIET);
    let mut attempts = prober.stop();
    attempts.retain(|attempt| attempt.due >= warm);
    let silence = |from: u64, to: u64| -> Result<f64, Error> {
        let within: Vec<Attempt> = attempts
            .iter()
            .filter(|attempt| (from..to).contains(&attempt.finished))
            .copied()
            .collect();
        let nanos = longest_silence(&within)
            .ok_or_else(|| Error::Check(format!("port {port} does not answer: {attempts:?}")))?;
        Ok(micros(Duration::from_nanos(nanos)))
    };
    Ok(Probed {
        gap: silence(warm, u64::MAX)?,
        quiet: silence(warm, begun)?,
        begun,
        attempts,
        total: micros(total),
    })
}

impl Probed {
    /// Attempts that were not answered as they should be.
    fn failed(&self) -> usize {
        self.attempts.iter().filter(|attempt| !attempt.is_good()).count()
    }

    /// The largest latency of those that were due in a phase, in microseconds.
    fn worst_within(&self, cycle: &Value, name: &str) -> Option<f64> {
        let phases = cycle.get("phases")?.as_array()?;
        let phase = phases
            .iter()
            .find(|phase| phase.get("name").and_then(Value::as_str) == Some(name))?;
        let nanos = |field: &str| Some(phase.get(field)?.as_u64()?.saturating_mul(1000));
        let (began, took) = (nanos("beganUsec")?, nanos("tookUsec")?);
        self.worst(began, began.saturating_add(took))
    }

    fn worst_before(&self) -> Option<f64> {
        self.worst(0, self.begun)
    }

    /// Of those that were due and done in this time.
    fn worst(&self, from: u64, to: u64) -> Option<f64> {
        let within = |attempt: &&Attempt| attempt.due >= from && attempt.finished < to;
        let latencies = self.attempts.iter().filter(within).map(Attempt::latency);
        latencies.max().map(|nanos| micros(Duration::from_nanos(nanos)))
    }
}

/// A holder of a socket, and the service that it was given to.
struct Holder {
    socket: TcpListener,
    program: PathBuf,
    service: std::cell::RefCell<Child>,
}

impl Holder {
    fn start() -> Result<Holder, Error> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, FLOOR_PORT)).doing("listening")?;
        let program = std::env::current_exe().doing("finding this program")?;
        let service = std::cell::RefCell::new(spawn(&program, &socket)?);
        Ok(Holder {
            socket,
            program,
            service,
        })
    }

    /// All that nobody can do without.
    fn restart(&self) -> Result<(), Error> {
        let mut service = self.service.borrow_mut();
        end(&mut service)?;
        *service = spawn(&self.program, &self.socket)?;
        Ok(())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It ends with the container at the latest.
        let _ = end(&mut self.service.borrow_mut());
    }
}

fn spawn(program: &Path, socket: &TcpListener) -> Result<Child, Error> {
    let socket = socket
        .as_fd()
        .try_clone_to_owned()
        .doing("duplicating the socket")?;
    Command::new(program)
        .arg("--serve-stdin")
        .stdin(Stdio::from(socket))
        .spawn()
        .doing("starting the service")
}

fn end(service: &mut Child) -> Result<(), Error> {
    let pid = i32::try_from(service.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Error::Check("the service has no process".to_owned()))?;
    kill_process(pid, Signal::TERM).doing("ending the service")?;
    service.wait().doing("waiting for the service").map(drop)
}

/// The units of the measurement.
struct Units {
    _files: Vec<UnitFile>,
    link: Option<PathBuf>,
}

impl Units {
    fn install(stored: usize) -> Result<Units, Error> {
        let program = std::env::current_exe().doing("finding this program")?;
        let program = program.display();
        let mut files = vec![
            UnitFile::write(
                "gap.socket",
                &format!(
                    "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\
                     [Socket]\nListenStream=127.0.0.1:{PORT}\nDeferTrigger=yes\nTriggerLimitIntervalSec=0\n\
                     PollLimitIntervalSec=0\n"
                ),
            )?,
            UnitFile::write(
                "gap.service",
                &format!("[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart={program} --serve\n"),
            )?,
        ];
        let mut link = None;
        if stored > 0 {
            files.push(UnitFile::write(
                "gap-store.service",
                &format!(
                    "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nExecStart={program} --hold {stored}\n\
                     FileDescriptorStoreMax={stored}\nFileDescriptorStorePreserve=yes\nLimitNOFILE=infinity\n"
                ),
            )?);
            fs::create_dir_all(WANTS).doing("making a directory for a link")?;
            let path = Path::new(WANTS).join("gap-store.service");
            symlink("../gap-store.service", &path).doing("linking a unit")?;
            link = Some(path);
        }
        call("Reload", json!({}))?;
        control::start("gap.socket")?;
        if stored > 0 {
            control::start("gap-store.service")?;
        }
        Ok(Units { _files: files, link })
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            let _ = fs::remove_file(link);
        }
    }
}

/// The service of `soft-reboot`: it has `count` memory files kept for it.
///
/// # Errors
/// [`Error::Check`] if the manager does not take them.
pub fn hold(count: usize) -> Result<(), Error> {
    let failed = |error: fdstore::notify::NotifyError| Error::Check(error.to_string());
    let passed = ListenFds::from_env().map_err(|error| Error::Check(error.to_string()))?;
    let passed = passed.into_iter().count();
    let manager = Notifier::connect(std::env::var_os("NOTIFY_SOCKET").unwrap_or_default()).map_err(failed)?;
    let message = Message::new().with("FDSTORE", "1").with("FDNAME", "held");
    let mut missing = count.saturating_sub(passed);
    while missing > 0 {
        let fds: Vec<OwnedFd> = (0..missing.min(BATCH))
            .map(|_| memfd_create("held", MemfdFlags::CLOEXEC))
            .collect::<Result<_, _>>()
            .doing("making memory files")?;
        let borrowed: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        manager.send(&message, &borrowed).map_err(failed)?;
        manager.barrier(PATIENCE).map_err(failed)?;
        missing = missing.saturating_sub(fds.len());
    }
    manager.ready().map_err(failed)?;
    loop {
        std::thread::park();
    }
}
