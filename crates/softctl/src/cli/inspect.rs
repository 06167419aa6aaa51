//! softboot-inspect's command line, and `snapshot`.

use clap::{Args, Parser};

use super::Common;
use crate::help;

/// Shows what is in a snapshot, a journal, an image, a manifest or a list of definitions, however damaged.
#[derive(Debug, Parser)]
#[command(name = "softboot-inspect", version, after_help = help::INSPECT, max_term_width = 100)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A file, or the number of a process: softbootd's, usually 1. A file with such a name is ./NUMBER
    #[arg(value_name = "FILE|PID")]
    pub(crate) target: String,
    /// Show the records of these units whole
    #[arg(value_name = "UNIT")]
    pub(crate) units: Vec<String>,
}

/// `snapshot`.
#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    /// Show the records of these units whole
    #[arg(value_name = "UNIT")]
    pub(crate) units: Vec<String>,
}
