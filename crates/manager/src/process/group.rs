//! The cgroup that a process is born in.

use std::os::fd::OwnedFd;

use softboot_unit::{ServiceSection, UnitName};

use super::refused::{Refused, code};
use crate::run::Manager;

impl Manager {
    pub(super) fn service_cgroup(
        &mut self,
        name: &UnitName,
        service: &ServiceSection,
        survives: bool,
    ) -> Result<OwnedFd, Refused> {
        let relative = crate::cgroup::path_of(&service.slice, name);
        let fd = self.cgroups.create(&relative).map_err(|error| Refused {
            error: format!("cgroup {relative}: {error}"),
            code: code::CGROUP,
        })?;
        let path = self.cgroups.path(&relative);
        for (file, limit) in [
            ("memory.max", service.memory_max),
            ("pids.max", service.tasks_max),
        ] {
            if let Some(limit) = limit
                && let Err(error) = std::fs::write(path.join(file), limit.to_string())
            {
                self.unit_log_line(name, &format!("{file} cannot be enforced here: {error}"));
            }
        }
        let mark: &[u8] = if survives { b"1" } else { b"0" };
        // For tools that read the reference's mark; our own kill asks the engine (semantics 7.5).
        let _ = rustix::fs::setxattr(
            &path,
            "user.survive_final_kill_signal",
            mark,
            rustix::fs::XattrFlags::empty(),
        );
        Ok(fd)
    }
}
