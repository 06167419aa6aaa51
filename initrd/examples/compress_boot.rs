//! Boots the demo image's packages and modules in each compression the kernel reads, and prints which is fastest.
//!
//! `cargo run --release -p softboot-initrd --example compress_boot [RUNS [MIB]]`; `MIB` adds that many mebibytes of
//! program-like data, to see how the result changes with the size of an image.

use softboot_initrd::progress::Progress;
use softboot_initrd::{bench, compress::Compression, demo, packages::PackageStore};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prints, and ends: what is measured is the way to it.
const INIT: &str = "fn main() { println!(\"SOFTBOOT-BENCH-UP\"); }";

type Failure = Box<dyn std::error::Error>;

struct Lines;

impl Progress for Lines {
    fn step(&mut self, step: &str, done: u64, total: u64) {
        let _ = writeln!(std::io::stderr(), "{step}: {done}/{total}");
    }
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let runs = arguments.next().map_or(Ok(7), |text| text.parse())?;
    let extra: usize = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let work = target.join("compress_boot");
    let store = PackageStore::new(target.join("packages"));
    let kernel = store.kernel(&mut Lines)?;
    let packages = store.fetch(&demo::PACKAGES, &mut Lines)?;
    let programs = work.join("programs");
    for directory in [&programs, &work.join("empty")] {
        std::fs::create_dir_all(directory)?;
    }
    build_init(&work, &programs.join("softbootd"))?;
    let compressions = match &kernel.config {
        Some(config) => Compression::supported_by_file(config)?,
        None => Compression::ALL.to_vec(),
    };
    let mut image = demo::build(&demo::Inputs {
        programs_dir: programs,
        units_dir: work.join("empty"),
        files_dir: work.join("empty"),
        packages,
        kernel: Some(kernel.clone()),
        whole: Vec::new(),
        modules: vec![],
    })?;
    if extra > 0 {
        image.add_file("/extra", 0o644, program_like(extra << 20)?, "the size asked for")?;
    }
    let options = bench::Options {
        runs,
        ..bench::Options::default()
    };
    let rows = bench::compress_boot(
        &kernel.vmlinuz,
        &image,
        &compressions,
        &options,
        &work,
        &mut Lines,
    )?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "kernel {}, {} bytes in the files of the image",
        kernel.version,
        image.list().total
    )?;
    writeln!(
        out,
        "| compression | size MiB | median s | min s | max s | runs |\n|---|---|---|---|---|---|"
    )?;
    for row in rows {
        let (min, max) = (row.times.first().copied(), row.times.last().copied());
        writeln!(
            out,
            "| {} | {:.1} | {:.3} | {:.3} | {:.3} | {} |",
            row.compression,
            row.size as f64 / f64::from(1 << 20),
            row.median().as_secs_f64(),
            min.unwrap_or_default().as_secs_f64(),
            max.unwrap_or_default().as_secs_f64(),
            row.times.len(),
        )?;
    }
    Ok(())
}

fn build_init(work: &Path, to: &Path) -> Result<(), Failure> {
    let source = work.join("init.rs");
    std::fs::write(&source, INIT)?;
    let status = Command::new("rustc")
        .args(["-C", "target-feature=+crt-static", "-O", "-o"])
        .arg(to)
        .arg(&source)
        .status()?;
    if !status.success() {
        return Err("rustc could not build the trivial init".into());
    }
    std::fs::set_permissions(to, PermissionsExt::from_mode(0o755))?;
    Ok(())
}

/// Bytes that compress as programs do: this program, over and over, each copy changed so that it does not repeat.
fn program_like(len: usize) -> Result<Vec<u8>, Failure> {
    let own = std::fs::read(std::env::current_exe()?)?;
    Ok((0..len)
        .zip(own.iter().cycle())
        .map(|(at, byte)| byte.wrapping_add(u8::try_from(at / own.len() % 251).unwrap_or_default()))
        .collect())
}
