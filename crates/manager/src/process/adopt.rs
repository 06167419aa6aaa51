//! Processes that become a unit's main process without having been started as that.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use softboot_engine::{Event, ProcId, UnitId};
use softboot_sys::pidfd;
use softboot_unit::UnitName;

use super::Process;
use crate::cgroup;
use crate::owner::Role;
use crate::run::{Manager, Source};

/// What shows that a number still stands for the process that was meant.
pub(crate) enum Proof {
    /// Nothing.
    None,
    /// Its pidfd (MAINPIDFD=1).
    Pidfd(OwnedFd),
    /// The id of its pidfd (MAINPIDFDID=).
    Id(u64),
}

impl Manager {
    /// Makes `pid` the unit's main process. It must live, be no other unit's, and be in the unit's cgroup unless
    /// whoever named it is `trusted` (semantics 3.4, 4.3).
    pub(crate) fn adopt_main(
        &mut self,
        unit: UnitId,
        name: &UnitName,
        pid: i32,
        trusted: bool,
        proof: &Proof,
    ) -> Result<(), String> {
        if pid <= 1 {
            return Err("this is no process of a service".to_owned());
        }
        if self.processes.find_pid(pid).is_some() {
            return Err("that process is known as another one".to_owned());
        }
        // The pidfd first: what is looked at afterwards is about this process or about none.
        let pidfd = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let (Some(pidfd), Some(stat)) = (pidfd, stat(pid)) else {
            return Err("there is no such process".to_owned());
        };
        match proof {
            Proof::None => {}
            // As long as that process lives, nobody else has its number.
            Proof::Pidfd(given) if pidfd::is_alive(given) => {}
            Proof::Id(id) if pidfd::id(&pidfd) == Some(*id) => {}
            Proof::Pidfd(_) | Proof::Id(_) => {
                return Err("that process is not the one that was meant".to_owned());
            }
        }
        if stat.state == 'Z' || stat.state == 'X' {
            return Err("that process has ended".to_owned());
        }
        if !trusted && unit_of(pid).as_ref() != Some(name) {
            return Err("that process is not in the unit's cgroup".to_owned());
        }
        self.adopt(unit, name, pid, pidfd, stat.parent)
    }

    fn adopt(
        &mut self,
        unit: UnitId,
        name: &UnitName,
        pid: i32,
        pidfd: OwnedFd,
        parent: i32,
    ) -> Result<(), String> {
        let process = ProcId::found(self.next_token());
        let entry = self.keep(&Role::Process.of(name), &process.0.to_string(), pidfd)?;
        let alien = parent != 1;
        if alien {
            self.watch_entry(Source::Alien(process), entry, EventFlags::IN);
        }
        self.processes.insert(
            process,
            Process {
                unit: name.clone(),
                pid,
                alien,
                exec_pending: false,
                failed: false,
                pidfd: entry,
                exec_status: None,
            },
        );
        self.feed(Event::MainAdopted { unit, process, pid });
        Ok(())
    }

    /// True when the engine takes this process for the main process of its unit.
    pub(crate) fn is_main(&self, pid: i32) -> bool {
        let Some(process) = self.processes.find_pid(pid) else {
            return false;
        };
        self.engine
            .processes()
            .into_iter()
            .any(|(id, _, main)| id == process && main)
    }
}

/// The unit whose cgroup a process is in.
pub(super) fn unit_of(pid: i32) -> Option<UnitName> {
    cgroup::unit_of_path(&cgroup::of_process(pid)?)
}

/// What /proc/PID/stat says (proc(5)).
pub(crate) struct Stat {
    pub(crate) state: char,
    pub(crate) parent: i32,
    /// In clock ticks after boot.
    pub(crate) started: u64,
}

pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Every process that there is, those that have ended and were not reaped among them.
pub(crate) fn all() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The second field may hold anything in parentheses, parentheses too.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text.rsplit_once(") ")?.1.split_whitespace();
    Some(Stat {
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        // The twenty-second field (proc_pid_stat(5)); four have been read.
        started: fields.nth(17)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_hide_the_parent() {
        let stat =
            parse_stat("42 (a) Z 1 (b) ) S 7 42 42 0 -1 4194560 0 0 0 0 1 2 3 4 20 0 1 0 5150 8 9").unwrap();
        assert_eq!((stat.state, stat.parent, stat.started), ('S', 7, 5150));
        assert!(parse_stat("42 (a").is_none());
    }
}
