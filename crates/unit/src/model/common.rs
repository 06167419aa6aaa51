//! Values that several sections share.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A span or an instant in microseconds; the greatest value means "never" (semantics, conventions).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usec(pub u64);

impl Usec {
    /// Never.
    pub const INFINITY: Usec = Usec(u64::MAX);
    /// No time at all.
    pub const ZERO: Usec = Usec(0);

    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Usec {
        Usec(seconds.saturating_mul(1_000_000))
    }

    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Usec {
        Usec(millis.saturating_mul(1_000))
    }

    /// True for "never".
    pub const fn is_infinite(self) -> bool {
        self.0 == u64::MAX
    }

    /// The sum; "never" stays "never" and nothing overflows.
    #[must_use]
    pub const fn plus(self, other: Usec) -> Usec {
        Usec(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero; "never" stays "never".
    #[must_use]
    pub const fn minus(self, other: Usec) -> Usec {
        if self.is_infinite() {
            self
        } else {
            Usec(self.0.saturating_sub(other.0))
        }
    }
}

impl fmt::Display for Usec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u64::MAX => f.write_str("infinity"),
            us if us < 1_000 => write!(f, "{us}us"),
            us if us < 1_000_000 => write!(f, "{}.{:03}ms", us / 1_000, us % 1_000),
            us => write!(f, "{}.{:03}s", us / 1_000_000, us / 1_000 % 1_000),
        }
    }
}

/// At most `burst` events in `interval`; zero in either means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// The window.
    pub interval: Usec,
    /// How many are allowed in it.
    pub burst: u32,
}

impl RateLimit {
    /// That of `StartLimitIntervalSec=` and `StartLimitBurst=`.
    pub(super) const START_LIMIT: RateLimit = RateLimit {
        interval: Usec::from_secs(10),
        burst: 5,
    };
    /// That of `TriggerLimitIntervalSec=` and `TriggerLimitBurst=`, for a socket whose service takes the connections.
    pub(super) const TRIGGER_LIMIT: RateLimit = RateLimit {
        interval: Usec::from_secs(2),
        burst: 20,
    };
    /// That of `PollLimitIntervalSec=` and `PollLimitBurst=`.
    pub(super) const POLL_LIMIT: RateLimit = RateLimit {
        interval: Usec::from_secs(2),
        burst: 15,
    };
}

/// How a request treats jobs that stand in its way (semantics 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "semantics 2.3 is the definition; a paraphrase would drift from it"
)]
pub enum JobMode {
    Fail,
    Lenient,
    Replace,
    ReplaceIrreversibly,
    Isolate,
    Flush,
    IgnoreDependencies,
    IgnoreRequirements,
    Triggering,
    RestartDependencies,
}

/// What to do with the whole machine when a unit ends in some way (semantics 4.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum EmergencyAction {
    #[default]
    None,
    Reboot,
    RebootForce,
    RebootImmediate,
    Poweroff,
    PoweroffForce,
    PoweroffImmediate,
    Exit,
    ExitForce,
    SoftReboot,
    SoftRebootForce,
    Kexec,
    KexecForce,
    Halt,
    HaltForce,
    HaltImmediate,
}
