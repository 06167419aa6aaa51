//! A boot after the state was lost: services that run are taken over instead of started a second time.
//!
//! Nobody knows which of them the engine had wanted up, so each unit with processes is asked for, like the boot's own. What
//! then is to run is found in the unit's cgroup, and taken for the main process; commands that come before and after it have
//! been done. A unit that nobody asks for, such as the instance for one connection, is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use rustix::fs::{OFlags, fcntl_getfl, fstat};
use softboot_engine::{Event, ExecList, ExitStatus, Notification, Sender, Spawn};
use softboot_unit::{JobMode, ServiceType, UnitKind, UnitName};
use tracing::{info, warn};

use super::stat;
use crate::cgroup;
use crate::owner::Role;
use crate::run::Manager;

/// Units that have processes nobody knows of, and which of those has been chosen as the main one.
#[derive(Default)]
pub(crate) struct Unclaimed(BTreeMap<UnitName, Option<i32>>);

impl Manager {
    /// Looks for services that run and that the engine takes to be down.
    pub(crate) fn look_for_unclaimed(&mut self) {
        let groups = cgroup::subtree(self.cgroups.root());
        let names: BTreeSet<UnitName> = groups
            .iter()
            .filter(|group| !cgroup::processes(group).is_empty())
            .filter_map(|group| cgroup::unit_of_path(group.strip_prefix(self.cgroups.root()).ok()?.to_str()?))
            .filter(|name| name.kind() == UnitKind::Service && !self.has_processes(name))
            .collect();
        self.unclaimed = Unclaimed(names.into_iter().map(|name| (name, None)).collect());
    }

    fn has_processes(&self, name: &UnitName) -> bool {
        self.processes.iter().any(|(_, process)| process.unit == *name)
    }

    /// Asks for them, and for sockets that were open. False if there are none.
    pub(crate) fn request_unclaimed(&mut self, sockets: &[UnitName]) -> bool {
        let services = self.unclaimed.0.keys().cloned();
        let names: Vec<UnitName> = sockets.iter().cloned().chain(services).collect();
        self.load_units(&names);
        let any = !names.is_empty();
        for name in names {
            self.start_own(name, JobMode::Fail);
        }
        any
    }

    /// The boot is complete.
    pub(crate) fn leave_unclaimed(&mut self) {
        for name in std::mem::take(&mut self.unclaimed.0).into_keys() {
            if !self.has_processes(&name) {
                warn!(
                    "{name}: it has processes from before the state was lost, and nobody watches over them"
                );
            }
        }
    }

    /// Does what a command of an unclaimed unit is for, without running it. False if it has to be run.
    pub(crate) fn reclaim(&mut self, wish: &Spawn) -> bool {
        if self.unclaimed.0.is_empty() {
            return false;
        }
        let Some(name) = self.engine.name(wish.unit).cloned() else {
            return false;
        };
        let before_or_after = match wish.command.list {
            ExecList::Condition | ExecList::StartPre | ExecList::StartPost => true,
            ExecList::Start => false,
            // It goes down, and what follows is a start like any other.
            _ => {
                self.unclaimed.0.remove(&name);
                return false;
            }
        };
        let chosen = self.unclaimed.0.get(&name).copied();
        let Some(pid) = chosen.and_then(|known| known.or_else(|| self.oldest_in_group(&name))) else {
            return false;
        };
        if !is_alive(pid) {
            self.unclaimed.0.remove(&name);
            return false;
        }
        self.unclaimed.0.insert(name.clone(), Some(pid));
        let kind = self.service_of(&name).map(|service| service.service_type);
        // Its parent has ended long ago, as it should.
        if before_or_after || kind == Some(ServiceType::Forking) {
            let process = wish.process;
            self.feed(Event::Spawned { process, pid });
            self.feed(Event::Executed { process });
            let status = ExitStatus::Exited(0);
            self.feed(Event::Exited { process, status });
            return true;
        }
        if let Err(error) = self.take_process(wish.process, &name, pid) {
            warn!("{name}: process {pid} runs and cannot be taken over: {error}");
            return false;
        }
        info!("{name}: process {pid} runs already and is taken over");
        // Its output goes on.
        self.adopt_log(&name, pid);
        if let Err(error) = self.log_pipe(wish.unit, &name) {
            warn!("{name}: its output is lost: {error}");
        }
        if matches!(kind, Some(ServiceType::Notify | ServiceType::NotifyReload)) {
            // It has said so to the program before.
            self.feed(Event::Notify {
                unit: wish.unit,
                sender: Sender::Main,
                message: Notification {
                    ready: true,
                    ..Notification::default()
                },
            });
        }
        true
    }

    /// Where nobody knows which log pipe was whose: the one that it writes to, if that is there.
    fn adopt_log(&mut self, name: &UnitName, pid: i32) {
        let owner = Role::Log.of(name);
        if self.store.count(&owner) > 0 {
            return;
        }
        for output in [1, 2] {
            let Some(wanted) = fs::metadata(format!("/proc/{pid}/fd/{output}"))
                .ok()
                .filter(|file| file.file_type().is_fifo())
            else {
                continue;
            };
            let place = |mode: OFlags| {
                self.adoptable.iter().position(|fd| {
                    let same = fstat(fd)
                        .is_ok_and(|file| (file.st_dev, file.st_ino) == (wanted.dev(), wanted.ino()));
                    same && fcntl_getfl(fd).is_ok_and(|flags| flags & OFlags::ACCMODE == mode)
                })
            };
            let (Some(read), Some(write)) = (place(OFlags::RDONLY), place(OFlags::WRONLY)) else {
                continue;
            };
            // The later one first: the order of the others changes.
            let mut ends = [("read", read), ("write", write)];
            ends.sort_by_key(|(_, place)| std::cmp::Reverse(*place));
            for (end, place) in ends {
                let fd = self.adoptable.swap_remove(place);
                if let Err(error) = self.keep(&owner, end, fd) {
                    warn!("{name}: its output is lost: {error}");
                }
            }
            return;
        }
    }

    /// What a service starts later is younger than its main process.
    fn oldest_in_group(&self, name: &UnitName) -> Option<i32> {
        let group = self.cgroups.path(&self.cgroup_of(name)?);
        let processes = cgroup::subtree(&group);
        let processes = processes.iter().flat_map(|group| cgroup::processes(group));
        let ours = processes.filter_map(|pid| {
            let stat = stat(pid).filter(|stat| stat.parent == 1 && stat.state != 'Z')?;
            self.processes
                .find_pid(pid)
                .is_none()
                .then_some((stat.started, pid))
        });
        ours.min().map(|(_, pid)| pid)
    }
}

fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| stat.state != 'Z' && stat.state != 'X')
}
