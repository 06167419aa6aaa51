//! The end of the machine, or of the container.
//!
//! | step | who | what ends it |
//! |---|---|---|
//! | take apart | a thread ([`super::tear_down`]), watched by PID 1 and by the hardware watchdog | its end, or neither a word of it nor less to write out for [`PATIENCE`] |
//! | reboot(2) | PID 1 | the kernel; if it refuses, services are started again |

use std::fs;
use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::system::RebootCommand;
use softboot_engine::{Event, Objective};
use softboot_unit::Usec;
use tracing::{error, info, warn};

use super::settings;
use super::tear_down::tear_down;
use super::watchdog::Watchdog;
use crate::clock;
use crate::run::{Alarm, Manager, Source};

/// A disk that does not answer must not keep the machine from ending.
const PATIENCE: Usec = Usec::from_secs(30);

/// What is missing for a kexec.
pub(crate) const NO_KERNEL: &str = "no kernel is loaded for kexec (softctl kexec --kernel loads one)";

/// An end that is under way.
pub(crate) struct MachineEnd {
    objective: Objective,
    watchdog: Option<Watchdog>,
    /// Lines of the thread; closed when it is done.
    lines: Option<OwnedFd>,
    text: Vec<u8>,
    /// What was still to be written out when last looked at, in KiB.
    unwritten: u64,
}

impl Manager {
    /// Ends it, when everything is taken apart. Called again and again until then.
    pub(crate) fn end_machine(&mut self, objective: Objective) {
        if self.machine_end.is_some() {
            return;
        }
        crate::log::release();
        info!("ending: {objective:?}");
        if self.facts.container {
            return self.call_reboot(objective);
        }
        // A halted machine stays where it is until somebody comes.
        let watchdog = if objective == Objective::Halt {
            None
        } else {
            Watchdog::arm(settings::reboot_watchdog(&self.facts.command_line))
        };
        let now = clock::monotonic();
        if let Some(watchdog) = &watchdog {
            self.timers.set(Alarm::Watchdog, now.plus(watchdog.interval()));
        }
        self.timers.set(Alarm::TearDown, now.plus(PATIENCE));
        let lines = start_thread().and_then(|lines| {
            let watched = self.poll.watch(Source::TearDown, &lines, EventFlags::IN);
            watched.map(|()| lines).map_err(|error| error.to_string())
        });
        let lines = lines
            .map_err(|reason| warn!("nothing can be unmounted: {reason}"))
            .ok();
        let ready = lines.is_none();
        self.machine_end = Some(MachineEnd {
            objective,
            watchdog,
            lines,
            text: Vec::new(),
            unwritten: u64::MAX,
        });
        if ready {
            self.tear_down_over();
        }
    }

    /// The thread says what it does, or is done.
    pub(crate) fn tear_down_readable(&mut self) {
        let Some(end) = &mut self.machine_end else { return };
        let mut buffer = [0; 4096];
        let read = end
            .lines
            .as_ref()
            .map(|lines| rustix::io::read(lines, &mut buffer));
        match read {
            Some(Ok(length)) if length > 0 => {
                end.text.extend_from_slice(buffer.get(..length).unwrap_or(&[]));
                while let Some(at) = end.text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = end.text.drain(..=at).collect();
                    info!("{}", String::from_utf8_lossy(&line).trim_end());
                }
                self.timers
                    .set(Alarm::TearDown, clock::monotonic().plus(PATIENCE));
            }
            Some(Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR)) => {}
            _ => self.tear_down_over(),
        }
    }

    /// Not a word for too long. A slow disk with much to write is no reason to give up.
    pub(crate) fn tear_down_overdue(&mut self) {
        if let Some(end) = &mut self.machine_end {
            let left = unwritten(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
            if std::mem::replace(&mut end.unwritten, left) > left {
                info!("{left} KiB are still to be written out");
                self.timers
                    .set(Alarm::TearDown, clock::monotonic().plus(PATIENCE));
                return;
            }
        }
        warn!("a file system does not answer; what was not written to it is lost");
        self.tear_down_over();
    }

    /// The watchdog wants to hear that the loop turns. That things go forward is what [`PATIENCE`] looks after.
    pub(crate) fn watchdog_due(&mut self) {
        if let Some(watchdog) = self.machine_end.as_ref().and_then(|end| end.watchdog.as_ref()) {
            watchdog.all_is_well();
            let next = clock::monotonic().plus(watchdog.interval());
            self.timers.set(Alarm::Watchdog, next);
        }
    }

    fn tear_down_over(&mut self) {
        let Some(end) = &mut self.machine_end else { return };
        let objective = end.objective;
        let lines = end.lines.take();
        self.poll.forget(Source::TearDown, lines);
        self.timers.cancel(Alarm::TearDown);
        if objective == Objective::Kexec && kexec_is_loaded() {
            // It would go on under the next kernel, which may have nothing that speaks to it.
            end.watchdog = None;
        }
        if let Some(watchdog) = &end.watchdog {
            // The kernel's own way down has its whole time.
            watchdog.all_is_well();
        }
        self.call_reboot(objective);
        // Still here: the kernel refused.
        self.timers.cancel(Alarm::Watchdog);
        self.machine_end = None;
    }

    fn call_reboot(&mut self, objective: Objective) {
        if self.facts.container && objective == Objective::Exit {
            // An exit(3) of PID 1 would be taken for a crash, and gone on from.
            softboot_sys::crash::leave(self.exit_code);
        }
        // In a PID namespace reboot(2) ends the namespace and tells its parent which way (pid_namespaces(7)).
        let refused = rustix::system::reboot(command(objective, kexec_is_loaded));
        if let Err(error) = refused {
            let reason = format!("the kernel refused to end ({objective:?}): {error}");
            error!("{reason}");
            self.objective = None;
            self.feed(Event::ObjectiveAborted { reason });
            self.request_default();
        }
    }
}

fn command(objective: Objective, kexec_is_loaded: impl FnOnce() -> bool) -> RebootCommand {
    match objective {
        Objective::Reboot => RebootCommand::Restart,
        Objective::Kexec if kexec_is_loaded() => RebootCommand::Kexec,
        Objective::Kexec => {
            warn!("{NO_KERNEL}: this is a whole reboot");
            RebootCommand::Restart
        }
        Objective::Halt => RebootCommand::Halt,
        Objective::PowerOff | Objective::Exit | Objective::SoftReboot => RebootCommand::PowerOff,
    }
}

pub(crate) fn kexec_is_loaded() -> bool {
    fs::read_to_string("/sys/kernel/kexec_loaded").is_ok_and(|text| text.trim() == "1")
}

/// Dirty pages and those on their way to a disk, in KiB (proc_meminfo(5)).
fn unwritten(meminfo: &str) -> u64 {
    let number = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    meminfo
        .lines()
        .filter(|line| {
            ["Dirty:", "Writeback:", "NFS_Unstable:"]
                .iter()
                .any(|key| line.starts_with(key))
        })
        .filter_map(number)
        .sum()
}

/// The end to read from. It closes with the thread, however that ends.
fn start_thread() -> Result<OwnedFd, String> {
    let (lines, theirs) =
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|error| error.to_string())?;
    let work = move || {
        tear_down(&mut |line| {
            // A reader that has given up is no reason to stop.
            let _ = rustix::io::write(&theirs, format!("{line}\n").as_bytes());
        });
    };
    std::thread::Builder::new()
        .name("tear-down".to_owned())
        .spawn(work)
        .map(|_| lines)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_written_is_added_up() {
        let text = "MemFree: 9 kB\nDirty:    20 kB\nWriteback:  3 kB\nWritebackTmp: 7 kB\n";
        assert_eq!(unwritten(text), 23);
        assert_eq!(unwritten(""), 0);
    }

    #[test]
    fn kexec_needs_a_kernel() {
        assert!(matches!(command(Objective::Kexec, || true), RebootCommand::Kexec));
        assert!(matches!(
            command(Objective::Kexec, || false),
            RebootCommand::Restart
        ));
        assert!(matches!(
            command(Objective::PowerOff, || true),
            RebootCommand::PowerOff
        ));
    }
}
