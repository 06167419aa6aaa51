//! The container, with as many idle socket units as are wanted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Plan, figures};
use crate::error::{Context as _, Error};

/// Where the units are, in the image.
const UNITS: &str = "usr/lib/systemd/system";
/// What starts them.
const WANTS: &str = "usr/lib/systemd/system/sockets.target.wants";

/// An image with idle socket units, which are gone when this is.
#[derive(Debug)]
pub struct Container {
    root: PathBuf,
    programs: PathBuf,
    files: Vec<PathBuf>,
}

impl Container {
    /// Puts the units into the image.
    pub fn with_units(plan: &Plan, count: usize) -> Result<Container, Error> {
        let mut container = Container {
            root: plan.root.clone(),
            programs: plan.programs.clone(),
            files: Vec::new(),
        };
        fs::create_dir_all(plan.root.join(WANTS)).context("making a directory in the image")?;
        for number in 0..count {
            let socket = format!("[Socket]\nListenStream=/run/idle/{number}\n");
            container.put(UNITS, &format!("idle-{number}.socket"), &socket)?;
            let service = "[Service]\nExecStart=/bin/busybox true\n";
            container.put(UNITS, &format!("idle-{number}.service"), service)?;
            let link = plan.root.join(WANTS).join(format!("idle-{number}.socket"));
            symlink(format!("../idle-{number}.socket"), &link).context("linking a unit")?;
            container.files.push(link);
        }
        Ok(container)
    }

    fn put(&mut self, directory: &str, name: &str, text: &str) -> Result<(), Error> {
        let path = self.root.join(directory).join(name);
        fs::write(&path, text).context(&format!("writing {}", path.display()))?;
        self.files.push(path);
        Ok(())
    }

    /// Boots it and takes the figures of `subject` inside, `count` times.
    pub fn measure(&self, subject: &str, count: usize) -> Result<Value, Error> {
        self.measure_with(subject, count, 0)
    }

    /// The same with so many descriptors of a service in the fd store.
    pub fn measure_with(&self, subject: &str, count: usize, stored: usize) -> Result<Value, Error> {
        let program = |name: &str| -> PathBuf { Path::new(&self.programs).join(name) };
        figures(
            Command::new(program("softboot-container"))
                .arg("run")
                .arg(&self.root)
                .arg(program("softboot-scenario"))
                .args(["--measure", subject, "--count", &count.to_string()])
                .args(["--stored", &stored.to_string()]),
            subject,
        )
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        for file in &self.files {
            if let Err(error) = fs::remove_file(file) {
                eprintln!("softboot-bench: removing {}: {error}", file.display());
            }
        }
    }
}
