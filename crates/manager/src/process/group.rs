//! The cgroup that a process is born in (semantics 4.11).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Gid, Uid, XattrFlags};
use softboot_engine::ExecList;
use softboot_unit::{Delegate, OomPolicy, ServiceSection, UnitName};

use super::account::Account;
use super::refused::{Refused, code};
use crate::cgroup;
use crate::resources;
use crate::run::Manager;

/// Where control processes of a delegated unit run once it has started: the unit's own group may be an inner node by
/// then, and those have no processes.
const CONTROL: &str = ".control";

impl Manager {
    /// Makes the group with its limits and opens it.
    pub(super) fn service_cgroup(
        &mut self,
        name: &UnitName,
        service: &ServiceSection,
        list: ExecList,
        survives: bool,
    ) -> Result<OwnedFd, Refused> {
        let relative = cgroup::path_of(&service.slice, name);
        let failed = |error: io::Error| Refused {
            error: format!("cgroup {relative}: {error}"),
            code: code::CGROUP,
        };
        let (fd, made) = self.cgroups.create(&relative).map_err(failed)?;
        let path = self.cgroups.path(&relative);
        let mut complaints = self.limit_slices(&service.slice);
        complaints.extend(resources::write(
            &path,
            &service.exec.resources,
            self.cgroups.root(),
        ));
        if service.oom_policy == Some(OomPolicy::Kill)
            && let Err(error) = std::fs::write(path.join("memory.oom.group"), "1")
        {
            complaints.push(format!("memory.oom.group cannot be set to 1 here: {error}"));
        }
        for complaint in complaints {
            self.unit_log_line(name, &complaint);
        }
        // For tools that read the reference's marks; our own kill asks the engine (semantics 7.5).
        if survives || !made {
            mark(&path, "user.survive_final_kill_signal", survives);
        }
        if service.exec.resources.delegate == Delegate::No {
            return Ok(fd);
        }
        mark(&path, "user.delegate", true);
        self.delegate(&relative, service).map_err(failed)?;
        let subgroup = match list {
            ExecList::Condition | ExecList::StartPre | ExecList::Start => {
                service.exec.resources.delegate_subgroup.as_deref()
            }
            _ => Some(CONTROL),
        };
        match subgroup {
            None => Ok(fd),
            Some(subgroup) => self.subgroup(&path.join(subgroup), service).map_err(failed),
        }
    }

    /// What the slices above a unit allow all their units together.
    fn limit_slices(&self, slice: &UnitName) -> Vec<String> {
        let mut complaints = Vec::new();
        for slice in cgroup::slices_of(slice) {
            let unit = self.engine.unit(&slice);
            let definition = unit.and_then(|unit| self.engine.definition(unit));
            let Some(section) = definition.and_then(|definition| definition.slice.as_ref()) else {
                continue;
            };
            let path = self.cgroups.path(&cgroup::path_of_slice(&slice));
            let said = resources::write(&path, &section.resources, self.cgroups.root());
            complaints.extend(said.into_iter().map(|line| format!("{slice}: {line}")));
        }
        complaints
    }

    /// The group with its own processes and controllers belongs to the unit's user; its limits stay ours.
    fn delegate(&self, relative: &str, service: &ServiceSection) -> io::Result<()> {
        if let Delegate::Controllers(controllers) = &service.exec.resources.delegate {
            self.cgroups.enable_above(relative, controllers);
        }
        give_away(&self.cgroups.path(relative), service)
    }

    fn subgroup(&self, path: &Path, service: &ServiceSection) -> io::Result<OwnedFd> {
        cgroup::make(path)?;
        give_away(path, service)?;
        cgroup::open(path)
    }
}

fn give_away(group: &Path, service: &ServiceSection) -> io::Result<()> {
    // `+` runs one command with full rights; the group belongs to the unit's user all the same.
    let account = Account::of_service(service).map_err(|refused| io::Error::other(refused.error))?;
    let uid = account.user.as_ref().map(|user| Uid::from_raw(user.uid));
    let gid = account.gid.map(Gid::from_raw);
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    rustix::fs::chown(group, uid, gid)?;
    for file in ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
        rustix::fs::chown(group.join(file), uid, gid)?;
    }
    Ok(())
}

fn mark(group: &Path, name: &str, on: bool) {
    let value: &[u8] = if on { b"1" } else { b"0" };
    // Not every kernel has extended attributes here, and nothing of ours reads them.
    let _ = rustix::fs::setxattr(group, name, value, XattrFlags::empty());
}
