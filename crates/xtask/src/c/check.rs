//! libfdstore as a C programmer meets it: installed, linked shared and static, and run.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{drive, header, install};
use crate::exit::Failure;
use crate::places::Places;
use crate::progress::Reporter;
use crate::provision;

/// The examples, without their endings.
const EXAMPLES: [&str; 2] = ["upgrade", "notify"];

/// What C programs are compiled with: nothing may be left unsaid.
const FLAGS: [&str; 5] = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];

/// Each check by its name, and whether it holds.
pub(crate) fn run(places: &Places) -> Result<Vec<(String, bool)>, Failure> {
    let reporter = Reporter::new();
    provision::ensure(&reporter, "pkg-config", "pkg-config", "pkgconf")?;
    provision::ensure(&reporter, "a C compiler", "cc", "gcc")?;
    drop(reporter);
    let mut results = vec![("C header is current".to_owned(), header::check(places)?)];
    let directory = places.c_target().join("installed");
    // What an earlier version installed must not help this one.
    if directory.exists() {
        std::fs::remove_dir_all(&directory)
            .map_err(|error| Failure::host(&format!("removing {}", directory.display()), error))?;
    }
    install::install(places, &directory, &directory)?;
    for form in ["shared", "static"] {
        let programs = directory.join(form);
        std::fs::create_dir_all(&programs)
            .map_err(|error| Failure::host(&format!("making {}", programs.display()), error))?;
        let mut built = true;
        for example in EXAMPLES {
            built &= compile(places, &directory, example, form)?;
        }
        results.push((format!("C examples build, {form}"), built));
        if built {
            let libraries = directory.join("lib");
            let runs = [
                ("upgrade", drive::upgrade(&programs.join("upgrade"), &libraries)),
                ("notify", drive::notify(&programs.join("notify"), &libraries)),
            ];
            for (example, result) in runs {
                if let Err(reason) = &result {
                    println!("   {example}.c, {form}: {reason}");
                }
                results.push((format!("C example {example}, {form}"), result.is_ok()));
            }
        }
    }
    Ok(results)
}

/// Compiles an example against the installed library, as its own page says.
fn compile(places: &Places, installed: &Path, example: &str, form: &str) -> Result<bool, Failure> {
    let described = Command::new("pkg-config")
        .env("PKG_CONFIG_PATH", installed.join("lib/pkgconfig"))
        .args(["--cflags", "--libs"])
        .args((form == "static").then_some("--static"))
        .arg("fdstore")
        .output()
        .map_err(|error| Failure::host("running pkg-config", error))?;
    let described = String::from_utf8_lossy(&described.stdout).into_owned();
    let archive = installed.join("lib/libfdstore.a").display().to_string();
    let words = described.split_whitespace().map(|word| match (word, form) {
        // The linker would prefer the shared one.
        ("-lfdstore", "static") => archive.as_str(),
        _ => word,
    });
    let status = Command::new("cc")
        .args(FLAGS)
        .arg(places.source(format!("crates/fdstore/c/examples/{example}.c")))
        .arg("-o")
        .arg(installed.join(form).join(example))
        .args(words)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failure::host("running cc", error))?;
    Ok(status.success())
}
