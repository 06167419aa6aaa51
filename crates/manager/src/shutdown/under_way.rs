//! A soft-reboot beside another end that somebody has asked for already.

use softboot_unit::UnitName;

use crate::handoff::Kind;
use crate::run::Manager;

impl Manager {
    /// A soft-reboot does not begin beside another end, which somebody may also ask for while the next program is asked.
    /// Once everything has stopped for it, nothing is under way any more.
    pub(crate) fn no_other_end(&self, kind: Kind) -> Result<(), String> {
        if kind != Kind::SoftReboot || self.objective.is_some() {
            return Ok(());
        }
        let target = UnitName::new("soft-reboot.target").ok();
        let other = target.and_then(|target| self.engine.another_end(&target));
        other.map_or(Ok(()), Err)
    }
}
