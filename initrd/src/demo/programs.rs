//! Our own programs.

use super::{Error, add_elf};
use crate::elf::Roots;
use crate::image::Image;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const INIT: &str = "/usr/lib/softboot/softbootd";

/// Adds every program of `dir`.
pub(super) fn add(image: &mut Image, dir: &Path, roots: &Roots) -> Result<(), Error> {
    let fail = |source| Error::Given {
        path: dir.into(),
        what: "guest programs",
        source,
    };
    let mut has_init = false;
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let meta = std::fs::metadata(&path).map_err(fail)?;
        // A build directory has libraries, dependency lists and debug symbols beside its programs; all have a dot.
        if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 || name.contains('.') {
            continue;
        }
        if name == "softbootd" {
            has_init = true;
            add_elf(image, roots, &path, INIT, "PID 1")?;
            image.add_symlink(
                "/init",
                "usr/lib/softboot/softbootd",
                "what the kernel runs from an initrd",
            )?;
            image.add_symlink(
                "/sbin/init",
                "../lib/softboot/softbootd",
                "what a soft-reboot runs from a root",
            )?;
        } else {
            add_elf(image, roots, &path, &format!("/usr/bin/{name}"), "guest programs")?;
        }
    }
    if has_init {
        Ok(())
    } else {
        Err(Error::NoInit { dir: dir.into() })
    }
}
