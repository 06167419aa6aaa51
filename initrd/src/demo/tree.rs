//! A directory of the host as part of the image.

use super::Error;
use crate::image::Image;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Adds all below `dir` at `prefix` of the guest. Of the mode only "executable or not" is taken: the rest differs with
/// the umask of whoever checked the tree out.
pub(super) fn add(
    image: &mut Image,
    dir: &Path,
    prefix: &str,
    reason: &str,
    what: &'static str,
) -> Result<(), Error> {
    let fail = |source| Error::Given {
        path: dir.into(),
        what,
        source,
    };
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        let guest = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        let meta = entry.metadata().map_err(fail)?;
        if meta.is_dir() {
            // A directory of the base system keeps the mode it has.
            if image.get(&guest).is_none() {
                image.add_dir(&guest, 0o755, reason)?;
            }
            add(image, &path, &guest, reason, what)?;
        } else if meta.is_symlink() {
            let target = std::fs::read_link(&path).map_err(fail)?;
            image.add_symlink(&guest, &target.to_string_lossy(), reason)?;
        } else if meta.is_file() {
            let mode = if meta.permissions().mode() & 0o111 == 0 {
                0o644
            } else {
                0o755
            };
            image.add_file(&guest, mode, path, reason)?;
        } else {
            return Err(Error::Strange { path });
        }
    }
    Ok(())
}
