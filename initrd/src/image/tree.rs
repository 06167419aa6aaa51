//! A directory of the host, as it is, as part of the image.

use super::{Error, Image};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

impl Image {
    /// Adds all files, directories and symbolic links below `dir` with their permission bits, as root's; other kinds of files
    /// are left out.
    ///
    /// # Errors
    /// An unreadable file, a conflict.
    pub fn add_tree(&mut self, dir: &Path, reason: &str) -> Result<(), Error> {
        self.add_below(dir, "", reason)
    }

    fn add_below(&mut self, dir: &Path, prefix: &str, reason: &str) -> Result<(), Error> {
        let fail = |path: &Path| {
            let (from, reason) = (path.to_owned(), reason.to_owned());
            move |source| Error::Read {
                path: from.display().to_string(),
                from,
                reason,
                source,
            }
        };
        for entry in std::fs::read_dir(dir).map_err(fail(dir))? {
            let path = entry.map_err(fail(dir))?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let guest = format!("{prefix}/{name}");
            let meta = std::fs::symlink_metadata(&path).map_err(fail(&path))?;
            let mode = meta.permissions().mode() & 0o7777;
            if meta.is_dir() {
                self.add_dir(&guest, mode, reason)?;
                self.add_below(&path, &guest, reason)?;
            } else if meta.is_symlink() {
                let target = std::fs::read_link(&path).map_err(fail(&path))?;
                self.add_symlink(&guest, &target.to_string_lossy(), reason)?;
            } else if meta.is_file() {
                self.add_file(&guest, mode, path, reason)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Kind;

    #[test]
    fn files_directories_and_links_go_in_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        std::fs::write(dir.path().join("usr/bin/x"), "x").unwrap();
        let mode = std::fs::Permissions::from_mode(0o4755);
        std::fs::set_permissions(dir.path().join("usr/bin/x"), mode).unwrap();
        std::os::unix::fs::symlink("usr/bin", dir.path().join("bin")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let mut image = Image::new();
        image.add_tree(dir.path(), "a test").unwrap();
        let kinds: Vec<(&str, bool, bool)> = image
            .entries()
            .map(|entry| {
                let kind = &entry.kind;
                (
                    entry.path.as_str(),
                    matches!(kind, Kind::File(_)),
                    matches!(kind, Kind::Symlink(_)),
                )
            })
            .collect();
        assert_eq!(
            kinds,
            [
                ("bin", false, true),
                ("usr", false, false),
                ("usr/bin", false, false),
                ("usr/bin/x", true, false)
            ]
        );
        assert_eq!(image.get("/usr/bin/x").map(|entry| entry.mode), Some(0o4755));
        assert!(image.add_tree(&dir.path().join("none"), "a test").is_err());
    }
}
