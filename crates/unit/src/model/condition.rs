//! Conditions and asserts (semantics 5.7).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One `Condition…=` or `Assert…=` line (semantics 5.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What is tested: the key without `Condition` or `Assert`, e.g. `PathExists`.
    pub test: String,
    /// The value, without prefix characters.
    pub argument: String,
    /// `|`: one of these is enough.
    pub trigger: bool,
    /// `!`: the opposite.
    pub negate: bool,
}

impl Condition {
    /// What is tested, typed. `None` cannot come from a file: lines with an unknown test are left out.
    pub fn kind(&self) -> Option<ConditionKind> {
        self.test.parse().ok()
    }
}

macro_rules! kinds {
    ($($name:ident)*) => {
        /// What a condition tests. The name is that of the setting without `Condition` or `Assert`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are the setting's own words")]
        pub enum ConditionKind {
            $($name,)*
        }

        impl ConditionKind {
            /// All of them.
            pub const ALL: &[ConditionKind] = &[$(ConditionKind::$name,)*];

            /// The name in a setting, e.g. `PathExists`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ConditionKind::$name => stringify!($name),)*
                }
            }
        }
    };
}

kinds! {
    PathExists PathExistsGlob PathIsDirectory PathIsSymbolicLink PathIsMountPoint PathIsReadWrite PathIsEncrypted
    PathIsSocket DirectoryNotEmpty FileNotEmpty FileIsExecutable NeedsUpdate FirstBoot KernelCommandLine KernelVersion
    Version KernelModuleLoaded Credential Security Capability ACPower Architecture Firmware Virtualization Host
    MachineTag Fraction User Group ControlGroupController Memory CPUs CPUFeature Environment OSRelease MemoryPressure
    CPUPressure IOPressure
}

impl ConditionKind {
    /// The argument is an absolute path.
    pub fn takes_path(self) -> bool {
        use ConditionKind as C;
        matches!(
            self,
            C::PathExists
                | C::PathExistsGlob
                | C::PathIsDirectory
                | C::PathIsSymbolicLink
                | C::PathIsMountPoint
                | C::PathIsReadWrite
                | C::PathIsEncrypted
                | C::PathIsSocket
                | C::DirectoryNotEmpty
                | C::FileNotEmpty
                | C::FileIsExecutable
                | C::NeedsUpdate
        )
    }

    /// The argument is yes or no.
    pub fn takes_boolean(self) -> bool {
        matches!(self, ConditionKind::FirstBoot | ConditionKind::ACPower)
    }
}

impl FromStr for ConditionKind {
    type Err = ();

    fn from_str(text: &str) -> Result<ConditionKind, ()> {
        ConditionKind::ALL
            .iter()
            .copied()
            .find(|kind| kind.name() == text)
            .ok_or(())
    }
}
