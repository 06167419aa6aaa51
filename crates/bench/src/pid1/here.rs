//! The machine this runs in, with as many open ports in its softbootd as are wanted: the virtual one, where a process may
//! have more descriptors than the host allows.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::figures;
use crate::error::{Context as _, Error};

/// Where units are put, which is gone with the machine.
const UNITS: &str = "/run/systemd/system";
/// What pulls them in, and takes them down with it.
const TARGET: &str = "many.target";
/// Ports of one unit.
const PORTS: usize = 16;

/// Socket units that are gone when this is.
#[derive(Debug)]
pub struct Here {
    files: Vec<PathBuf>,
}

impl Here {
    /// Opens `sockets` ports, 16 a unit.
    pub fn with_sockets(sockets: usize) -> Result<Here, Error> {
        let mut here = Here { files: Vec::new() };
        let wants = PathBuf::from(UNITS).join(format!("{TARGET}.wants"));
        fs::create_dir_all(&wants).context("making a directory for units")?;
        here.put(TARGET, "[Unit]\nDescription=Many sockets\n")?;
        here.put(
            "many@.service",
            "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/busybox true\n",
        )?;
        let unit_section = format!("[Unit]\nDefaultDependencies=no\nPartOf={TARGET}\n");
        for (number, first) in (0..sockets).step_by(PORTS).enumerate() {
            let mut text =
                format!("{unit_section}[Socket]\nRemoveOnStop=yes\nService=many@{number}.service\n");
            for port in first..sockets.min(first + PORTS) {
                text.push_str(&format!("ListenStream=/run/many/{port}\n"));
            }
            let name = format!("many-{number}.socket");
            let path = here.put(&name, &text)?;
            let link = wants.join(&name);
            symlink(&path, &link).context("linking a unit")?;
            here.files.push(link);
        }
        softctl(&["daemon-reload"])?;
        softctl(&["start", TARGET])?;
        Ok(here)
    }

    fn put(&mut self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = PathBuf::from(UNITS).join(name);
        fs::write(&path, text).context(&format!("writing {}", path.display()))?;
        self.files.push(path.clone());
        Ok(path)
    }

    /// Takes the figures of `subject`, `count` times.
    pub fn measure(&self, subject: &str, count: usize) -> Result<Value, Error> {
        figures(
            Command::new("softboot-scenario").args(["--measure", subject, "--count", &count.to_string()]),
            subject,
        )
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let stopped = softctl(&["stop", TARGET]);
        for file in &self.files {
            if let Err(error) = fs::remove_file(file) {
                eprintln!("softboot-bench: removing {}: {error}", file.display());
            }
        }
        if let Err(error) = stopped.and_then(|()| softctl(&["daemon-reload"])) {
            eprintln!("softboot-bench: {error}");
        }
    }
}

fn softctl(arguments: &[&str]) -> Result<(), Error> {
    let doing = format!("softctl {}", arguments.join(" "));
    let status = Command::new("softctl")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context(&doing)?;
    match status.success() {
        true => Ok(()),
        false => Err(Error {
            what: doing,
            reason: status.to_string(),
        }),
    }
}
