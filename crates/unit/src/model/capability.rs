//! Capabilities by name and as a mask (capabilities(7)).

use serde::{Deserialize, Serialize};

/// Names of capabilities(7) without `CAP_`; the position is the bit.
pub const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// A set of capabilities: bit N is capability number N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CapabilitySet(pub u64);

impl CapabilitySet {
    /// None.
    pub const EMPTY: CapabilitySet = CapabilitySet(0);
    /// Every capability that has a name, and those that a newer kernel may have.
    pub const ALL: CapabilitySet = CapabilitySet(u64::MAX);

    /// The number of a capability, by its name (`CAP_CHOWN`, any case), or its number as text.
    pub fn number(name: &str) -> Option<u32> {
        if let Ok(number) = name.parse::<u32>() {
            return (number < u64::BITS).then_some(number);
        }
        let upper = name.to_ascii_uppercase();
        let short = upper.strip_prefix("CAP_")?;
        (0_u32..)
            .zip(CAPABILITIES)
            .find(|(_, known)| *known == short)
            .map(|(number, _)| number)
    }

    /// With one more.
    #[must_use]
    pub const fn with(self, number: u32) -> CapabilitySet {
        match 1_u64.checked_shl(number) {
            Some(bit) => CapabilitySet(self.0 | bit),
            None => self,
        }
    }

    /// Whether it has this one.
    pub const fn has(self, number: u32) -> bool {
        match 1_u64.checked_shl(number) {
            Some(bit) => self.0 & bit != 0,
            None => false,
        }
    }

    /// `CAP_CHOWN` and so on, in the order of their numbers; bits without a name are left out.
    pub fn names(self) -> Vec<String> {
        (0_u32..)
            .zip(CAPABILITIES)
            .filter(|(number, _)| self.has(*number))
            .map(|(_, name)| format!("CAP_{name}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_the_kernel() {
        for (name, number) in [
            ("CAP_CHOWN", 0),
            ("cap_net_bind_service", 10),
            ("CAP_SYS_ADMIN", 21),
            ("CAP_SYSLOG", 34),
            ("CAP_CHECKPOINT_RESTORE", 40),
            ("40", 40),
        ] {
            assert_eq!(CapabilitySet::number(name), Some(number), "{name}");
        }
        for bad in ["CHOWN", "CAP_", "CAP_NOPE", "64", "-1", ""] {
            assert_eq!(CapabilitySet::number(bad), None, "{bad}");
        }
        assert_eq!(
            CapabilitySet::EMPTY.with(0).with(21).names(),
            ["CAP_CHOWN", "CAP_SYS_ADMIN"]
        );
        assert_eq!(CapabilitySet::ALL.names().len(), CAPABILITIES.len());
        assert_eq!(CapabilitySet::EMPTY.with(64), CapabilitySet::EMPTY);
    }
}
