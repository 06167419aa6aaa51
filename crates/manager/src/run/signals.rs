//! The signals of PID 1 (semantics 6.1).

use softboot_engine::{Event, ManagerSignal};
use softboot_unit::EmergencyAction;
use tracing::{info, warn};

use super::Manager;
use crate::handoff::Kind;

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGUSR2: i32 = 12;
const SIGTERM: i32 = 15;
const SIGCHLD: i32 = 17;
const SIGWINCH: i32 = 28;
const SIGPWR: i32 = 30;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Children,
    Reload,
    Reexecute,
    Dump,
    Engine(ManagerSignal),
    Nothing,
}

fn meaning(signal: i32, rtmin: i32) -> Meaning {
    use EmergencyAction as A;
    use ManagerSignal as M;
    match signal {
        SIGCHLD => Meaning::Children,
        SIGHUP => Meaning::Reload,
        SIGTERM => Meaning::Reexecute,
        SIGUSR2 => Meaning::Dump,
        SIGINT => Meaning::Engine(M::CtrlAltDel),
        SIGWINCH => Meaning::Engine(M::KbRequest),
        SIGPWR => Meaning::Engine(M::Power),
        other => match other.checked_sub(rtmin) {
            Some(0) => Meaning::Engine(M::Default),
            Some(1) => Meaning::Engine(M::Rescue),
            Some(2) => Meaning::Engine(M::Emergency),
            Some(3) => Meaning::Engine(M::Shutdown(A::Halt)),
            Some(4) => Meaning::Engine(M::Shutdown(A::Poweroff)),
            Some(5) => Meaning::Engine(M::Shutdown(A::Reboot)),
            Some(6) => Meaning::Engine(M::Shutdown(A::Kexec)),
            Some(7) => Meaning::Engine(M::Shutdown(A::SoftReboot)),
            Some(13) => Meaning::Engine(M::Shutdown(A::HaltForce)),
            Some(14) => Meaning::Engine(M::Shutdown(A::PoweroffForce)),
            Some(15) => Meaning::Engine(M::Shutdown(A::RebootForce)),
            Some(16) => Meaning::Engine(M::Shutdown(A::KexecForce)),
            Some(17) => Meaning::Engine(M::Shutdown(A::SoftRebootForce)),
            Some(25) => Meaning::Reexecute,
            _ => Meaning::Nothing,
        },
    }
}

impl Manager {
    /// Takes every signal that waits.
    pub(crate) fn receive_signals(&mut self) {
        let mut children = false;
        loop {
            let received = match self.signals.read() {
                Ok(Some(received)) => received,
                Ok(None) => break,
                Err(error) => {
                    warn!("cannot read signals: {error}");
                    break;
                }
            };
            match meaning(received.signal, softboot_sys::signals::rtmin()) {
                Meaning::Children => children = true,
                Meaning::Reload => self.reload(),
                Meaning::Reexecute => self.begin_handoff(Kind::Reexec, None),
                Meaning::Dump => info!(
                    "{} units, {} jobs",
                    self.engine.ids().count(),
                    self.engine.jobs().len()
                ),
                // A soft-reboot is verified before anything stops, whoever asks for it.
                Meaning::Engine(ManagerSignal::Shutdown(EmergencyAction::SoftReboot)) => {
                    self.begin_handoff(Kind::SoftReboot, None);
                }
                Meaning::Engine(signal) if self.engine.is_soft_rebooting() => {
                    self.put_off(received.signal, signal);
                }
                Meaning::Engine(signal) => self.feed(Event::Signal(signal)),
                Meaning::Nothing => info!(
                    "signal {} of process {} means nothing",
                    received.signal, received.pid
                ),
            }
        }
        if children {
            self.children_ended();
        }
    }

    /// This userspace is past obeying, and whoever sent a signal cannot be told: the wish is for the next one. It goes there
    /// as the signal that it came as, which the kernel keeps over an exec.
    fn put_off(&mut self, number: i32, signal: ManagerSignal) {
        if signal == ManagerSignal::Shutdown(EmergencyAction::SoftRebootForce) {
            return info!("signal {number} is ignored: a soft-reboot is under way");
        }
        warn!("signal {number} is for the next userspace: this one is ending for a soft-reboot");
        if !self.put_off.contains(&number) {
            self.put_off.push(number);
            self.journal_put_off();
        }
    }

    /// The next userspace is about to begin, or this one goes on.
    pub(crate) fn give_back_signals(&mut self) {
        if self.put_off.is_empty() {
            return;
        }
        for number in &self.put_off {
            softboot_sys::signals::again(*number);
        }
        self.put_off.clear();
        // Only now: a crash between them leaves one that is there twice, and none that is lost.
        self.journal_put_off();
    }

    /// The same after a crash or an exec, if the userspace that they were put off in is not ending any more.
    pub(crate) fn give_back_old_signals(&mut self) {
        if !self.engine.is_soft_rebooting() {
            self.give_back_signals();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_mean_what_semantics_6_1_says() {
        let rt = |n| meaning(34 + n, 34);
        assert_eq!(meaning(SIGHUP, 34), Meaning::Reload);
        assert_eq!(meaning(SIGTERM, 34), Meaning::Reexecute);
        assert_eq!(rt(25), Meaning::Reexecute);
        assert_eq!(rt(0), Meaning::Engine(ManagerSignal::Default));
        assert_eq!(
            rt(7),
            Meaning::Engine(ManagerSignal::Shutdown(EmergencyAction::SoftReboot))
        );
        assert_eq!(
            rt(17),
            Meaning::Engine(ManagerSignal::Shutdown(EmergencyAction::SoftRebootForce))
        );
        assert_eq!(rt(8), Meaning::Nothing);
        assert_eq!(meaning(31, 34), Meaning::Nothing);
    }
}
