//! What the figures were taken on.

use serde::{Deserialize, Serialize};

/// Enough to know whether two results can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Kernel release and architecture.
    pub kernel: String,
    /// The processor, as /proc/cpuinfo names it.
    pub processor: String,
    /// How many of them.
    pub processors: usize,
    /// Version of this program.
    pub version: String,
}

impl Machine {
    /// This one.
    pub fn current() -> Machine {
        let uname = rustix::system::uname();
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown", |(_, name)| name.trim());
        Machine {
            kernel: format!(
                "{} {}",
                uname.release().to_string_lossy(),
                uname.machine().to_string_lossy()
            ),
            processor: processor.to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Linux {}, {} x {}, softboot {}",
            self.kernel, self.processors, self.processor, self.version
        )
    }
}
