//! `cargo xtask initrd`: builds the initrd, or says what is in it and why.

use crate::exit::Failure;
use crate::places::Places;
use crate::progress::Reporter;
use crate::provision::{self, Demo};
use softboot_initrd::compress::Compression;
use std::path::PathBuf;

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print each entry with mode, owner, size and the reason it is there, and write nothing
    #[arg(long)]
    list: bool,
    /// With --list: print JSON
    #[arg(long, requires = "list")]
    json: bool,
    /// Write the archive to this file instead of the cache below target/vm
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    output: Option<PathBuf>,
    /// none, gzip, zstd or lz4 [default: what boots fastest, see docs/initrd.md]
    #[arg(long, value_name = "NAME", value_parser = parse_compression)]
    compression: Option<Compression>,
    /// Put a package of the distribution into the image, with all it needs; its maintainer scripts are not run
    #[arg(long, value_name = "NAME")]
    package: Vec<String>,
    /// Take the modules of this kernel [default: $SOFTBOOT_KERNEL, else the distribution's]
    #[arg(long, value_name = "PATH")]
    kernel: Option<PathBuf>,
}

/// Reads the name of a compression.
pub(crate) fn parse_compression(text: &str) -> Result<Compression, String> {
    let all = Compression::ALL;
    all.into_iter()
        .find(|compression| compression.to_string() == text)
        .ok_or_else(|| {
            let names: Vec<String> = all.iter().map(ToString::to_string).collect();
            format!("it is none of {}", names.join(", "))
        })
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let places = Places::new();
    let mut reporter = Reporter::new();
    let kernel = provision::kernel(&places, options.kernel.as_deref(), &mut reporter)?;
    let packages: Vec<&str> = options.package.iter().map(String::as_str).collect();
    let demo = Demo::prepare(&places, &kernel, &packages, &mut reporter)?;
    let compression = options.compression.unwrap_or(Compression::DEFAULT);
    if options.list {
        let listing = demo.image()?.list();
        drop(reporter);
        if options.json {
            let text = serde_json::to_string_pretty(&listing);
            println!("{}", text.map_err(|error| Failure::host("writing JSON", error))?);
            return Ok(0);
        }
        for row in &listing.rows {
            println!(
                "{} {:7} {:>9} {}  # {}",
                row.mode, row.owner, row.size, row.path, row.reason
            );
        }
        println!("{} entries, {} bytes", listing.rows.len(), listing.total);
        for note in &listing.notes {
            println!("note: {note}");
        }
        return Ok(0);
    }
    let path = match &options.output {
        Some(path) => {
            demo.write(path, compression)?;
            path.clone()
        }
        None => demo.cached(compression, &reporter)?,
    };
    drop(reporter);
    println!("{}", path.display());
    Ok(0)
}
