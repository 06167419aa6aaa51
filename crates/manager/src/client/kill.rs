//! `Kill`.

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use softboot_control::api::{ApiError, KillRequest};
use softboot_engine::UnitId;
use softboot_unit::UnitName;

use crate::cgroup;
use crate::process::signal_process;
use crate::run::Manager;

/// Signals of signal(7): the last real-time one.
const LAST_SIGNAL: i32 = 64;

/// Which processes of a unit get a signal (semantics 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Whom {
    target: Target,
    /// It is an error if nobody got it.
    fail: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    All,
    Main,
    Control,
}

impl Whom {
    fn parse(word: &str) -> Option<Whom> {
        let (target, fail) = match word.strip_suffix("-fail") {
            Some(target) => (target, true),
            None => (word, false),
        };
        let target = match target {
            "all" => Target::All,
            "main" => Target::Main,
            "control" => Target::Control,
            _ => return None,
        };
        Some(Whom { target, fail })
    }
}

impl Manager {
    /// Sends one signal, and nothing else with it: a SIGSTOP must not be undone by a SIGCONT.
    pub(super) fn kill_unit(&mut self, client: u64, wanted: &KillRequest) {
        let done = self.try_kill(wanted);
        self.reply_result(client, done);
    }

    fn try_kill(&mut self, wanted: &KillRequest) -> Result<(), ApiError> {
        let failed = |message: String| ApiError::Failed { message };
        let whom = Whom::parse(&wanted.whom).ok_or_else(|| {
            failed(format!(
                "{:?} is not all, main or control, with or without -fail",
                wanted.whom
            ))
        })?;
        if !(1..=LAST_SIGNAL).contains(&wanted.signal) {
            return Err(failed(format!("{} is no signal", wanted.signal)));
        }
        let unit = self.find_or_load(&wanted.name)?;
        let Some(name) = self.engine.name(unit).cloned() else {
            return Ok(());
        };
        let told = self.signal_known_processes(unit, whom.target, wanted.signal);
        let none = told.is_empty();
        match whom.target {
            Target::Main if none => return Err(failed(format!("{name} has no main process"))),
            Target::Control if none => return Err(failed(format!("{name} has no control process"))),
            _ => {}
        }
        let others = whom.target == Target::All && self.signal_others(&name, wanted.signal, &told);
        if whom.fail && none && !others {
            return Err(failed(format!("{name} has no process")));
        }
        Ok(())
    }

    /// Main and control processes; the numbers of those that were signalled.
    fn signal_known_processes(&self, unit: UnitId, target: Target, signal: i32) -> Vec<i32> {
        let mut told = Vec::new();
        for (process, owner, main) in self.engine.processes() {
            let meant = match target {
                Target::All => true,
                Target::Main => main,
                Target::Control => !main,
            };
            let known = self.processes.get(process).filter(|_| owner == unit && meant);
            if let Some((process, fd)) = known.and_then(|known| Some((known, self.store.fd(known.pidfd)?))) {
                signal_process(fd, signal);
                told.push(process.pid);
            }
        }
        told
    }

    /// The rest of the unit's cgroup; whether there was anybody.
    fn signal_others(&self, name: &UnitName, signal: i32, told: &[i32]) -> bool {
        let Some(relative) = self.cgroup_of(name) else {
            return false;
        };
        let groups = cgroup::subtree(&self.cgroups.path(&relative));
        let processes = groups.iter().flat_map(|group| cgroup::processes(group));
        let mut any = false;
        for pid in processes.filter(|pid| !told.contains(pid)) {
            let pidfd = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
            let Some(pidfd) = pidfd else { continue };
            // Looked at after the pidfd was taken: a number that was used again meanwhile is noticed.
            let below = format!("{relative}/");
            if cgroup::of_process(pid).is_some_and(|group| group == relative || group.starts_with(&below)) {
                signal_process(&pidfd, signal);
                any = true;
            }
        }
        any
    }

    /// Answers a call that returns nothing.
    pub(super) fn reply_result(&mut self, client: u64, done: Result<(), ApiError>) {
        match done {
            Ok(()) => self.reply(client, &serde_json::json!({})),
            Err(error) => self.reply_error(client, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_to_kill_is_one_of_six_words() {
        for (word, target, fail) in [
            ("all", Target::All, false),
            ("all-fail", Target::All, true),
            ("main", Target::Main, false),
            ("main-fail", Target::Main, true),
            ("control", Target::Control, false),
            ("control-fail", Target::Control, true),
        ] {
            assert_eq!(Whom::parse(word), Some(Whom { target, fail }));
        }
        for word in ["", "-fail", "everybody", "all-fail-fail"] {
            assert_eq!(Whom::parse(word), None, "{word}");
        }
    }
}
