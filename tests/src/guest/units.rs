//! Units of a scenario's own, below /run.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::control;
use crate::error::{Context, Error};

const DIRECTORY: &str = "/run/systemd/system";

/// A unit file that is gone when this is.
#[derive(Debug)]
pub(super) struct UnitFile(PathBuf);

impl UnitFile {
    /// Writes it, without telling PID 1.
    pub(super) fn write(name: &str, text: &str) -> Result<UnitFile, Error> {
        fs::create_dir_all(DIRECTORY).doing(format!("making {DIRECTORY}"))?;
        let path = Path::new(DIRECTORY).join(name);
        fs::write(&path, text).doing(format!("writing {}", path.display()))?;
        Ok(UnitFile(path))
    }

    /// Writes it, and has PID 1 read it.
    pub(super) fn install(name: &str, text: &str) -> Result<UnitFile, Error> {
        let file = UnitFile::write(name, text)?;
        control::call("Reload", json!({}))?;
        Ok(file)
    }
}

impl Drop for UnitFile {
    fn drop(&mut self) {
        // What is left behind lasts as long as the scenario's own system.
        let _ = fs::remove_file(&self.0);
    }
}
