//! All timers behind one timerfd.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use softboot_engine::{TimerId, UnitId};
use softboot_unit::Usec;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// The engine asked.
    Engine(TimerId),
    /// The grace of the final kill is over.
    FinalKillGrace,
    /// The verifying child had its time.
    VerificationDeadline,
    /// Connections that were let finish had their time.
    LetFinish,
    /// The change of the root had its time.
    RootSwitch,
    /// The end of the machine gets nowhere.
    TearDown,
    /// The hardware watchdog wants to hear of us.
    Watchdog,
    /// A socket unit that was not watched for a moment, after accept(2) failed for lack of descriptors.
    ResumePort(UnitId),
    /// The same for the control sockets.
    ResumeListeners,
    /// All is quiet after a boot or a handoff.
    GiveBack,
}

/// Alarms at CLOCK_MONOTONIC instants.
pub(crate) struct Timers {
    fd: OwnedFd,
    due: BTreeSet<(Usec, Alarm)>,
    at: BTreeMap<Alarm, Usec>,
    armed: Option<Usec>,
}

impl Timers {
    pub(crate) fn new() -> Result<Timers, Errno> {
        let fd = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?;
        Ok(Timers {
            fd,
            due: BTreeSet::new(),
            at: BTreeMap::new(),
            armed: None,
        })
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Sets or moves an alarm; "never" removes it.
    pub(crate) fn set(&mut self, alarm: Alarm, at: Usec) {
        self.cancel(alarm);
        if !at.is_infinite() {
            self.due.insert((at, alarm));
            self.at.insert(alarm, at);
        }
    }

    pub(crate) fn cancel(&mut self, alarm: Alarm) {
        if let Some(at) = self.at.remove(&alarm) {
            self.due.remove(&(at, alarm));
        }
    }

    /// All that the engine asked for.
    pub(crate) fn forget_engine(&mut self) {
        let others = |alarm: &Alarm| !matches!(alarm, Alarm::Engine(_));
        self.at.retain(|alarm, _| others(alarm));
        self.due.retain(|(_, alarm)| others(alarm));
    }

    /// Takes out the alarms of sockets that are not watched for a moment.
    pub(crate) fn take_resumes(&mut self) -> Vec<UnitId> {
        let units = self.at.keys().filter_map(|alarm| match alarm {
            Alarm::ResumePort(unit) => Some(*unit),
            _ => None,
        });
        let units: Vec<UnitId> = units.collect();
        for unit in &units {
            self.cancel(Alarm::ResumePort(*unit));
        }
        units
    }

    /// Takes out one alarm that is due.
    pub(crate) fn pop(&mut self, now: Usec) -> Option<Alarm> {
        let (at, alarm) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        self.at.remove(&alarm);
        Some(alarm)
    }

    /// Reads the expiry count, so that the descriptor is not readable any more.
    pub(crate) fn acknowledge(&mut self) {
        let mut count = [0_u8; 8];
        let _ = rustix::io::read(&self.fd, &mut count);
        self.armed = None;
    }

    /// Tells the kernel about the earliest alarm. Call before waiting.
    pub(crate) fn arm(&mut self) -> Result<(), Errno> {
        let first = self.due.first().map(|(at, _)| *at);
        if first == self.armed {
            return Ok(());
        }
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // An instant of zero would disarm; an alarm in the past is due at once with any small value.
        let value = first.map_or(zero, |at| timespec(at.max(Usec(1))));
        timerfd_settime(
            &self.fd,
            TimerfdTimerFlags::ABSTIME,
            &Itimerspec {
                it_interval: zero,
                it_value: value,
            },
        )?;
        self.armed = first;
        Ok(())
    }
}

fn timespec(at: Usec) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(at.0 / 1_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(at.0 % 1_000_000).unwrap_or(0).saturating_mul(1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use softboot_engine::TimerKind;

    fn alarm(unit: u32) -> Alarm {
        Alarm::Engine(TimerId {
            unit: UnitId(unit),
            kind: TimerKind::State,
        })
    }

    #[test]
    fn alarms_come_when_due_and_in_order() {
        let mut timers = Timers::new().unwrap();
        timers.set(alarm(1), Usec(30));
        timers.set(alarm(2), Usec(10));
        timers.set(alarm(3), Usec::INFINITY);
        assert_eq!(timers.pop(Usec(5)), None);
        assert_eq!(timers.pop(Usec(30)), Some(alarm(2)));
        assert_eq!(timers.pop(Usec(30)), Some(alarm(1)));
        assert_eq!(timers.pop(Usec::INFINITY), None);
    }

    #[test]
    fn the_engines_alarms_go_and_the_managers_own_stay() {
        let mut timers = Timers::new().unwrap();
        timers.set(alarm(1), Usec(10));
        timers.set(Alarm::Watchdog, Usec(20));
        timers.forget_engine();
        assert_eq!(timers.pop(Usec::INFINITY), Some(Alarm::Watchdog));
        assert_eq!(timers.pop(Usec::INFINITY), None);
    }

    #[test]
    fn setting_again_moves_an_alarm() {
        let mut timers = Timers::new().unwrap();
        timers.set(alarm(1), Usec(10));
        timers.set(alarm(1), Usec(50));
        assert_eq!(timers.pop(Usec(20)), None);
        timers.cancel(alarm(1));
        assert_eq!(timers.pop(Usec(60)), None);
    }

    #[test]
    fn an_alarm_in_the_past_makes_the_descriptor_readable() {
        let mut timers = Timers::new().unwrap();
        timers.set(alarm(1), Usec(0));
        timers.arm().unwrap();
        let mut fds = [rustix::event::PollFd::new(
            &timers.fd,
            rustix::event::PollFlags::IN,
        )];
        assert_eq!(rustix::event::poll(&mut fds, None), Ok(1));
    }
}
