//! The machine: what it is made of, and QEMU's arguments for it.

pub mod args;
pub mod share;

use share::Share;
use std::path::PathBuf;
use std::time::Duration;

/// The name of the virtio port that carries the channel.
pub const EVENTS_PORT: &str = "org.softboot.events";

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// The host's processor.
    Kvm,
    /// QEMU's emulator: works anywhere, about ten times slower.
    Tcg,
}

impl std::fmt::Display for Accel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// The guest's processor architecture. Everything below asks it, so that another one is added in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// x86-64 on the `q35` board.
    X86_64,
}

impl Arch {
    /// The QEMU program.
    #[must_use]
    pub fn qemu(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
        }
    }
}

/// Where the console goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleMode {
    /// To this terminal, with its input; Ctrl-A X leaves.
    Interactive,
    /// Kept for reports only.
    Capture,
    /// Copied to standard error as it comes, no input.
    Show,
}

/// A TCP port on the host's loopback address that leads to a port in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortForward {
    /// Port on 127.0.0.1.
    pub host: u16,
    /// Port in the guest.
    pub guest: u16,
}

impl std::str::FromStr for PortForward {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |part: &str| part.parse::<u16>().ok().filter(|port| *port != 0);
        match text
            .split_once(':')
            .map(|(host, guest)| (parse(host), parse(guest)))
        {
            Some((Some(host), Some(guest))) => Ok(Self { host, guest }),
            _ => Err(format!(
                "{text:?} is not HOST:GUEST with two port numbers from 1 to 65535"
            )),
        }
    }
}

/// A machine that can be booted any number of times.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(crate) arch: Arch,
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: Option<PathBuf>,
    pub(crate) accel: Accel,
    pub(crate) memory_mb: u32,
    pub(crate) smp: u32,
    pub(crate) append: Vec<String>,
    pub(crate) ports: Vec<PortForward>,
    pub(crate) shares: Vec<Share>,
    pub(crate) console: ConsoleMode,
    pub(crate) timeout: Option<Duration>,
    pub(crate) quiet_limit: Duration,
}

impl Machine {
    /// A machine with 512 MiB, one emulated processor, no initrd, a captured console.
    ///
    /// One processor, because with two the emulator of QEMU 7.2 oopses the kernel in about one run of 20.
    #[must_use]
    pub fn builder(kernel: impl Into<PathBuf>) -> Self {
        Self {
            arch: Arch::X86_64,
            kernel: kernel.into(),
            initrd: None,
            accel: Accel::Tcg,
            memory_mb: 512,
            smp: 1,
            append: Vec::new(),
            ports: Vec::new(),
            shares: Vec::new(),
            console: ConsoleMode::Capture,
            timeout: None,
            quiet_limit: Duration::from_secs(60),
        }
    }

    /// The initrd to unpack as the root file system.
    #[must_use]
    pub fn initrd(mut self, path: impl Into<PathBuf>) -> Self {
        self.initrd = Some(path.into());
        self
    }

    /// What runs the guest's instructions.
    #[must_use]
    pub fn accel(mut self, accel: Accel) -> Self {
        self.accel = accel;
        self
    }

    /// Memory in MiB.
    #[must_use]
    pub fn memory_mb(mut self, megabytes: u32) -> Self {
        self.memory_mb = megabytes;
        self
    }

    /// Number of processors.
    #[must_use]
    pub fn smp(mut self, count: u32) -> Self {
        self.smp = count.max(1);
        self
    }

    /// Adds to the kernel's command line.
    #[must_use]
    pub fn append(mut self, words: impl Into<String>) -> Self {
        self.append.push(words.into());
        self
    }

    /// Adds a port of 127.0.0.1 on the host that leads to a port in the guest.
    #[must_use]
    pub fn port(mut self, host: u16, guest: u16) -> Self {
        self.ports.push(PortForward { host, guest });
        self
    }

    /// Shares a directory of the host; see [`share`].
    #[must_use]
    pub fn share(mut self, share: Share) -> Self {
        self.shares.push(share);
        self
    }

    /// Where the console goes.
    #[must_use]
    pub fn console(mut self, mode: ConsoleMode) -> Self {
        self.console = mode;
        self
    }

    /// A limit for the whole run, from start to end.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How long neither console nor channel may move before the guest counts as hanging. 60 s unless set.
    #[must_use]
    pub fn quiet_limit(mut self, limit: Duration) -> Self {
        self.quiet_limit = limit;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_forward_has_two_ports_that_are_not_zero() {
        assert_eq!(
            "8080:80".parse(),
            Ok(PortForward {
                host: 8080,
                guest: 80
            })
        );
        for bad in ["80", "0:80", "80:0", "80:99999", "a:b", ":"] {
            assert!(bad.parse::<PortForward>().is_err(), "{bad}");
        }
    }
}
