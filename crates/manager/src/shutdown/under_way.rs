//! Which end of this userspace somebody has asked for already. The targets of the ends do not exclude each other, so without
//! a look at this two of them would run to the same point, and who asked for one would get the other.

use softboot_engine::JobKind;
use softboot_unit::UnitName;

use crate::handoff::Kind;
use crate::run::Manager;

/// Targets that end a userspace.
const ENDS: [&str; 6] = [
    "poweroff.target",
    "reboot.target",
    "halt.target",
    "kexec.target",
    "exit.target",
    "soft-reboot.target",
];

impl Manager {
    /// A soft-reboot does not begin beside another end, which somebody may also ask for while the next program is asked. Once everything has stopped for it, nothing is under way any more.
    pub(crate) fn no_other_end(&self, kind: Kind) -> Result<(), String> {
        let begins = kind == Kind::SoftReboot && self.objective.is_none();
        let other = begins.then(|| self.another_end("soft-reboot.target")).flatten();
        other.map_or(Ok(()), Err)
    }

    /// Why `target` cannot be begun: another end is under way. The same one may be asked for twice.
    pub(crate) fn another_end(&self, target: &str) -> Option<String> {
        let starts = |other: &str| {
            let unit = UnitName::new(other).ok().and_then(|name| self.engine.unit(&name));
            let status = unit.and_then(|unit| self.engine.status(unit));
            status.is_some_and(|status| matches!(status.job, Some((_, JobKind::Start))))
        };
        let other = ENDS.into_iter().find(|other| *other != target && starts(other))?;
        let what = other.trim_end_matches(".target");
        Some(format!(
            "a {what} is under way; cancel the job of {other} first, or end the system by force"
        ))
    }
}
