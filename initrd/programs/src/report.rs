//! Status files that a reader never sees half-written.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::{Context, Error};

/// Where the programs of the demo image leave their status.
pub const DIRECTORY: &str = "/run/softboot-demo";

/// Writes `value` as JSON to `path`: first beside it, then over it with rename(2). Makes the directory.
///
/// # Errors
/// [`Error::Io`] if the directory or the file cannot be written.
pub fn write(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_vec(value)
        .map_err(std::io::Error::from)
        .doing("encoding a status")?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).doing(format!("making {}", directory.display()))?;
    }
    let beside = path.with_extension("new");
    fs::write(&beside, text).doing(format!("writing {}", beside.display()))?;
    fs::rename(&beside, path).doing(format!("renaming {} to {}", beside.display(), path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_file_and_leaves_nothing_beside_it() {
        let directory = std::env::temp_dir().join(format!("softboot-report-{}", std::process::id()));
        let path = directory.join("status.json");
        write(&path, &1).unwrap();
        write(&path, &[2]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[2]");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}
