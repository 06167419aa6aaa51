//! Builds the guest's programs, statically linked, so that they run in an initrd and survive a change of root.

use crate::exit::Failure;
use crate::places::Places;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The packages whose programs go into the guest.
const PACKAGES: [&str; 5] = [
    "softboot-manager",
    "softboot-softctl",
    "softboot-programs",
    "softboot-qemu",
    "softboot-tests",
];

/// Builds what changed and returns the directory with the programs. Cargo's own progress is shown; it needs no
/// network once the crates of `Cargo.lock` are on the machine.
pub(crate) fn build(places: &Places) -> Result<PathBuf, Failure> {
    let executables = build_packages(places, &PACKAGES, &[])?;
    let programs = places.guest_programs();
    collect(&executables, &programs).map_err(|error| {
        Failure::host(
            &format!("copying the guest's programs to {}", programs.display()),
            error,
        )
    })?;
    Ok(programs)
}

/// Builds softbootd with places at which a test makes it crash. It lies beside the guest's programs, not among them.
pub(crate) fn build_faulty(places: &Places) -> Result<PathBuf, Failure> {
    let programs = build_packages(
        places,
        &["softboot-manager"],
        &[
            "softboot-manager/fault-injection",
            "softboot-manager/next-version",
        ],
    )?;
    let built = programs
        .first()
        .ok_or_else(|| Failure::Host("cargo built no softbootd".into()))?;
    let faulty = places.guest_programs().with_file_name("softbootd-faulty");
    // The next build without the feature puts its own in the place of this one.
    std::fs::copy(built, &faulty)
        .map_err(|error| Failure::host(&format!("copying softbootd to {}", faulty.display()), error))?;
    Ok(faulty)
}

/// Builds the program that has the name of its package and is not part of the image, statically as well.
pub(crate) fn build_one(places: &Places, package: &str) -> Result<PathBuf, Failure> {
    build_program(places, package, package)
}

/// The same with a name of its own.
pub(crate) fn build_program(places: &Places, package: &str, name: &str) -> Result<PathBuf, Failure> {
    let programs = build_packages(places, &[package], &[])?;
    let program = programs
        .into_iter()
        .find(|path| path.file_name() == Some(name.as_ref()));
    program.ok_or_else(|| Failure::Host(format!("cargo built no program {name}")))
}

fn build_packages(places: &Places, packages: &[&str], features: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(&places.root)
        .args(["build", "--release", "--bins"]);
    command.args([
        "--message-format",
        "json-render-diagnostics",
        "--target",
        &host_triple()?,
    ]);
    command.arg("--target-dir").arg(places.guest_target());
    for package in packages {
        command.args(["--package", package]);
    }
    for feature in features {
        command.args(["--features", feature]);
    }
    // A target is named, so that the flags are for the programs alone and not for build scripts and macros.
    command
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::host("running cargo for the guest's programs", error))?;
    if !output.status.success() {
        return Err(Failure::Host(
            "the guest's programs do not build; see cargo's messages above".into(),
        ));
    }
    Ok(executables(&output.stdout))
}

/// The programs that cargo reports, new and old.
fn executables(messages: &[u8]) -> Vec<PathBuf> {
    String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .collect()
}

/// Copies what differs, so that the stamps of the rest stay, and removes what is no longer built.
fn collect(executables: &[PathBuf], to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    let mut names = BTreeSet::new();
    for from in executables {
        let Some(name) = from.file_name() else { continue };
        names.insert(name.to_owned());
        let target = to.join(name);
        let source = std::fs::read(from)?;
        if std::fs::read(&target).is_ok_and(|old| old == source) {
            continue;
        }
        // fs::copy keeps the mode.
        std::fs::copy(from, &target)?;
    }
    for entry in std::fs::read_dir(to)? {
        let entry = entry?;
        if !names.contains(&entry.file_name()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The triple that rustc builds for when nobody says otherwise.
pub(crate) fn host_triple() -> Result<String, Failure> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| Failure::host("running rustc -vV", error))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned));
    host.ok_or_else(|| Failure::Host("rustc -vV does not name its host".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_taken_from_cargos_messages() {
        let messages = br#"{"reason":"compiler-artifact","executable":null}
{"reason":"compiler-artifact","executable":"/t/softctl"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executables(messages), [PathBuf::from("/t/softctl")]);
    }
}
