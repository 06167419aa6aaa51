//! As whom a process runs.

use softboot_unit::{ExecCommand, ServiceSection};

use super::refused::{Refused, code, refused};
use crate::users;

#[derive(Default)]
pub(super) struct Account {
    pub(super) user: Option<users::User>,
    pub(super) gid: Option<u32>,
    pub(super) groups: Option<Vec<u32>>,
}

impl Account {
    pub(super) fn of(service: &ServiceSection, command: &ExecCommand) -> Result<Account, Refused> {
        if command.full_privileges || command.keep_user {
            return Ok(Account::default());
        }
        Account::of_service(service)
    }

    /// Whom its files belong to; `None`: to root.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        let uid = self.user.as_ref().map(|user| user.uid);
        (uid.is_some() || self.gid.is_some()).then(|| (uid.unwrap_or(0), self.gid.unwrap_or(0)))
    }

    /// As whom the unit's processes run, but for commands with a prefix.
    pub(super) fn of_service(service: &ServiceSection) -> Result<Account, Refused> {
        let user = service
            .exec
            .user
            .as_deref()
            .map(users::user)
            .transpose()
            .map_err(refused(code::USER))?;
        let group = service
            .exec
            .group
            .as_deref()
            .map(users::group)
            .transpose()
            .map_err(refused(code::GROUP))?;
        let gid = group.or(user.as_ref().map(|user| user.gid));
        let mut groups = user.as_ref().map(users::groups_of);
        for name in &service.exec.supplementary_groups {
            let further = users::group(name).map_err(refused(code::GROUP))?;
            groups.get_or_insert_default().push(further);
        }
        Ok(Account { user, gid, groups })
    }
}
