//! Which compression boots fastest: the same image in each of them, booted in turns.
//!
//! The time is from starting QEMU until the image's init has printed a marker on the serial console: loading the
//! bytes into the machine, unpacking them there, and starting init. Turns, so that a change of the host's load in the
//! middle of the run does not fall on one of them alone.

use crate::compress::{self, Compression};
use crate::image::{self, Image};
use crate::progress::Progress;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What init must print.
pub const MARKER: &str = "SOFTBOOT-BENCH-UP";

/// What can go wrong with measuring.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image could not be written.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// It could not be compressed.
    #[error(transparent)]
    Compress(#[from] compress::Error),
    /// A file for QEMU could not be written.
    #[error("cannot write the initrd {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// QEMU could not be started.
    #[error("cannot start {program}: {source}; on Debian it is in the package qemu-system-x86")]
    Qemu {
        /// The program.
        program: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The guest did not come up.
    #[error("the guest with the initrd in {compression} did not come up within {} s; its last lines: {last}", limit.as_secs())]
    NotUp {
        /// The compression.
        compression: Compression,
        /// How long was waited.
        limit: Duration,
        /// What it printed last.
        last: String,
    },
}

/// How to boot.
#[derive(Debug, Clone)]
pub struct Options {
    /// The QEMU program.
    pub qemu: String,
    /// Its arguments for the machine, without kernel, initrd and kernel command line.
    pub machine: Vec<OsString>,
    /// The kernel command line.
    pub append: String,
    /// Boots of each compression.
    pub runs: usize,
    /// After this long without the marker a boot has failed.
    pub limit: Duration,
}

impl Default for Options {
    /// An x86-64 machine under emulation. `-cx16`: kernels from 6.12 on oops under QEMU 7.2 at their first
    /// cmpxchg16b.
    fn default() -> Self {
        let machine = "-accel tcg -cpu max,-cx16 -m 512 -nographic -no-reboot -nodefaults -serial stdio";
        Self {
            qemu: "qemu-system-x86_64".into(),
            machine: machine.split(' ').map(OsString::from).collect(),
            append: "console=ttyS0 quiet panic=-1".into(),
            runs: 7,
            limit: Duration::from_secs(120),
        }
    }
}

/// The boots of one compression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The compression.
    pub compression: Compression,
    /// Bytes of the initrd.
    pub size: usize,
    /// Time of each boot, shortest first.
    pub times: Vec<Duration>,
}

impl Row {
    /// The middle one, of an even number the later.
    #[must_use]
    pub fn median(&self) -> Duration {
        self.times.get(self.times.len() / 2).copied().unwrap_or_default()
    }
}

/// Boots `kernel` with `image`, whose `/init` prints [`MARKER`], in each of `compressions`, in turns. Fastest median
/// first.
///
/// # Errors
/// No QEMU, a guest that does not come up.
pub fn compress_boot(
    kernel: &Path,
    image: &Image,
    compressions: &[Compression],
    options: &Options,
    work_dir: &Path,
    progress: &mut dyn Progress,
) -> Result<Vec<Row>, Error> {
    let mut archive = Vec::new();
    image.write_cpio(&mut archive)?;
    let mut rows = Vec::new();
    for &compression in compressions {
        let bytes = compression.compress(&archive)?;
        let path = initrd_path(work_dir, compression);
        std::fs::write(&path, &bytes).map_err(|source| Error::Write { path, source })?;
        rows.push(Row {
            compression,
            size: bytes.len(),
            times: Vec::new(),
        });
    }
    let total = (options.runs * rows.len()) as u64;
    let mut done = 0;
    for turn in 0..options.runs {
        // Each turn starts with another one, so that none always follows the same.
        let count = rows.len().max(1);
        rows.rotate_left(turn % count);
        for row in &mut rows {
            let initrd = initrd_path(work_dir, row.compression);
            row.times.push(boot(kernel, &initrd, row.compression, options)?);
            done += 1;
            progress.step("booting", done, total);
        }
    }
    for row in &mut rows {
        row.times.sort_unstable();
    }
    rows.sort_by_key(Row::median);
    Ok(rows)
}

fn initrd_path(work_dir: &Path, compression: Compression) -> PathBuf {
    work_dir.join(format!("initrd.{compression}"))
}

/// A QEMU that is ended when nobody waits for it any more.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell either way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn boot(
    kernel: &Path,
    initrd: &Path,
    compression: Compression,
    options: &Options,
) -> Result<Duration, Error> {
    let start = Instant::now();
    let child = Command::new(&options.qemu)
        .args(&options.machine)
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initrd)
        .args(["-append", &options.append])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut machine = Machine(child.map_err(|source| Error::Qemu {
        program: options.qemu.clone(),
        source,
    })?);
    let (sender, lines) = mpsc::channel();
    if let Some(stdout) = machine.0.stdout.take() {
        // Ends when the machine does, as the pipe then is closed.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
    }
    let mut last: Vec<String> = Vec::new();
    while let Some(left) = options.limit.checked_sub(start.elapsed()) {
        let Ok(line) = lines.recv_timeout(left) else { break };
        if line.contains(MARKER) {
            return Ok(start.elapsed());
        }
        last.push(line.trim().to_owned());
    }
    let tail = last.len().saturating_sub(5);
    Err(Error::NotUp {
        compression,
        limit: options.limit,
        last: last.get(tail..).unwrap_or_default().join(" | "),
    })
}
