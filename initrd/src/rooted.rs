//! Looking files up below a root directory as a program would that has this directory as its `/`: an absolute
//! symbolic link points into the root and not at the host.

use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows in one lookup (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// The file that `path` (absolute, as seen from inside) is below `root`, with all links followed; `None` where
/// it does not exist.
pub(crate) fn resolve(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut links = 0;
    let mut inside = PathBuf::new();
    let mut pending: Vec<PathBuf> = split(path);
    pending.reverse();
    while let Some(part) = pending.pop() {
        if part.as_os_str() == ".." {
            inside.pop();
            continue;
        }
        let candidate = inside.join(&part);
        let full = root.join(&candidate);
        let meta = std::fs::symlink_metadata(&full).ok()?;
        if meta.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            let target = std::fs::read_link(&full).ok()?;
            if target.is_absolute() {
                inside = PathBuf::new();
            }
            pending.extend(split(&target).into_iter().rev());
        } else {
            inside = candidate;
        }
    }
    Some(root.join(inside))
}

/// The names of a path, without roots and dots; `..` is kept.
fn split(path: &Path) -> Vec<PathBuf> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(PathBuf::from(name)),
            Component::ParentDir => Some(PathBuf::from("..")),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn absolute_links_stay_below_the_root() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/lib")).unwrap();
        std::fs::write(dir.path().join("usr/lib/a"), "x").unwrap();
        symlink("/usr/lib", dir.path().join("lib")).unwrap();
        symlink("../usr/lib/a", dir.path().join("usr/b")).unwrap();
        assert_eq!(
            resolve(dir.path(), Path::new("/lib/a")),
            Some(dir.path().join("usr/lib/a"))
        );
        assert_eq!(
            resolve(dir.path(), Path::new("/usr/b")),
            Some(dir.path().join("usr/lib/a"))
        );
        assert_eq!(resolve(dir.path(), Path::new("/lib/none")), None);
    }

    #[test]
    fn a_loop_of_links_ends() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        assert_eq!(resolve(dir.path(), Path::new("/a")), None);
    }
}
