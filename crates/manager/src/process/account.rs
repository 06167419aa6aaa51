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
        let groups = user.as_ref().map(users::groups_of);
        let gid = group.or(user.as_ref().map(|user| user.gid));
        Ok(Account { user, gid, groups })
    }
}
