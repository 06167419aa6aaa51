//! `cargo xtask c-install`: libfdstore where C programs look for it.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::header::HEADER;
use crate::exit::Failure;
use crate::places::Places;

/// What `--help` adds.
pub(crate) const HELP: &str = "\
Installs include/fdstore.h, lib/libfdstore.a, lib/libfdstore.so (with its versions) and lib/pkgconfig/fdstore.pc.

  cargo xtask c-install --prefix /usr/local
  cc $(pkg-config --cflags fdstore) program.c $(pkg-config --libs fdstore)

Exit code 0 if everything was installed.";

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where programs will find it
    #[arg(long, value_name = "DIRECTORY", default_value = "/usr/local")]
    prefix: PathBuf,
    /// Write below this directory, for packages
    #[arg(long, value_name = "DIRECTORY")]
    destdir: Option<PathBuf>,
}

/// Runs the task.
pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let prefix = std::path::absolute(&options.prefix)
        .map_err(|error| Failure::host(&format!("finding {}", options.prefix.display()), error))?;
    let to = match &options.destdir {
        Some(destdir) => destdir.join(prefix.strip_prefix("/").unwrap_or(&prefix)),
        None => prefix.clone(),
    };
    install(&Places::new(), &prefix, &to)?;
    println!("libfdstore {VERSION} is in {}", to.display());
    Ok(0)
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds and installs; `to` is where the files go, `prefix` where they will be found.
pub(super) fn install(places: &Places, prefix: &Path, to: &Path) -> Result<(), Failure> {
    let (target, libraries) = build(places)?;
    let failed = |error| Failure::host(&format!("installing below {}", to.display()), error);
    let (include, lib) = (to.join("include"), to.join("lib"));
    for directory in [&include, &lib, &lib.join("pkgconfig")] {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let copy = |from: &Path, to: &Path| {
        // Another file, not another content: a program may be running with the old one.
        let beside = to.with_extension("new");
        std::fs::copy(from, &beside)
            .and_then(|_| std::fs::rename(&beside, to))
            .map_err(failed)
    };
    copy(&places.source(HEADER), &include.join("fdstore.h"))?;
    copy(&target.join("libfdstore_c.a"), &lib.join("libfdstore.a"))?;
    let versioned = format!("libfdstore.so.{VERSION}");
    copy(&target.join("libfdstore_c.so"), &lib.join(&versioned))?;
    for name in ["libfdstore.so.0", "libfdstore.so"] {
        let link = lib.join(name);
        if link.symlink_metadata().is_ok() {
            std::fs::remove_file(&link).map_err(failed)?;
        }
        symlink(&versioned, &link).map_err(failed)?;
    }
    let pc = package_description(prefix, &libraries);
    std::fs::write(lib.join("pkgconfig/fdstore.pc"), pc).map_err(failed)
}

/// Builds both libraries; where they are, and what a static one needs beside it.
fn build(places: &Places) -> Result<(PathBuf, String), Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = places.c_target();
    let output = Command::new(cargo)
        .current_dir(&places.root)
        .args([
            "rustc",
            "--release",
            "--package",
            "fdstore-c",
            "--lib",
            "--target-dir",
        ])
        .arg(&target)
        .args(["--", "--print", "native-static-libs"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::host("running cargo", error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Failure::Host(format!("libfdstore does not build:\n{said}")));
    }
    let libraries = said
        .lines()
        .find_map(|line| {
            line.split_once("native-static-libs: ")
                .map(|(_, libraries)| libraries.trim())
        })
        .ok_or_else(|| {
            Failure::Host("rustc does not say what a static library needs beside it".to_owned())
        })?;
    Ok((target.join("release"), libraries.to_owned()))
}

fn package_description(prefix: &Path, libraries: &str) -> String {
    format!(
        "prefix={}\nincludedir=${{prefix}}/include\nlibdir=${{prefix}}/lib\n\nName: fdstore\n\
         Description: Descriptors that outlive the program\nVersion: {VERSION}\n\
         Cflags: -I${{includedir}}\nLibs: -L${{libdir}} -lfdstore\nLibs.private: {libraries}\n",
        prefix.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_description_names_where_it_will_be_found() {
        let text = package_description(Path::new("/opt/x"), "-lc");
        assert!(
            text.starts_with("prefix=/opt/x\n") && text.ends_with("Libs.private: -lc\n"),
            "{text}"
        );
    }
}
