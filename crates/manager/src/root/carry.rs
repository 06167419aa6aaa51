//! Mounts below /run that have to be in the next root, too.
//!
//! The reference carries /run/credentials and /run/host and lets everything else go (semantics 7.6, trap 29). Here a
//! mount goes along if somebody who stays uses it: an active mount unit, a process (by an open or mapped file, its
//! program, its directories), or a socket that is bound in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

use crate::mount_table::{self, MountLine};

/// Always carried, with all below.
const ALWAYS: [&str; 2] = ["/run/credentials", "/run/host"];
/// Never: the next root itself, and the place where it is made.
const NEVER: [&str; 2] = ["/run/nextroot", super::PLACE];

/// The mount points to carry, parents first. `wanted` are those that units have.
pub(super) fn points(wanted: &[PathBuf]) -> Vec<PathBuf> {
    let table = mount_table::read();
    let used = Used::look(&table);
    select(&table, wanted, &used)
}

/// What processes and sockets use.
#[derive(Debug, Default)]
struct Used {
    mounts: BTreeSet<u64>,
    paths: Vec<PathBuf>,
}

impl Used {
    fn look(table: &[MountLine]) -> Used {
        let mut used = Used::default();
        if !table.iter().any(|mount| is_candidate(&mount.point)) {
            return used;
        }
        let own = fs::read_link("/proc/self/ns/mnt").ok();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let process = entry.path();
            let number = entry.file_name();
            let is_process = number.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
            // Who has a mount table of their own keeps their mounts by themselves.
            if is_process && fs::read_link(process.join("ns/mnt")).ok() == own {
                used.add_process(&process);
            }
        }
        let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
        let bound = sockets.lines().filter_map(|line| line.split_whitespace().nth(7));
        used.paths
            .extend(bound.filter(|path| path.starts_with('/')).map(PathBuf::from));
        used
    }

    fn add_process(&mut self, process: &Path) {
        for link in ["cwd", "root", "exe"] {
            let flags = AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
            if let Ok(found) = statx(CWD, process.join(link), flags, StatxFlags::MNT_ID) {
                self.mounts.insert(found.stx_mnt_id);
            }
        }
        for entry in fs::read_dir(process.join("fdinfo"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            self.mounts.extend(mount_id(&text));
        }
        let maps = fs::read_to_string(process.join("maps")).unwrap_or_default();
        self.paths.extend(mapped(&maps).map(PathBuf::from));
    }

    fn holds(&self, mount: &MountLine) -> bool {
        self.mounts.contains(&mount.id) || self.paths.iter().any(|path| path.starts_with(&mount.point))
    }
}

fn is_candidate(point: &Path) -> bool {
    point != Path::new("/run")
        && point.starts_with("/run")
        && !NEVER.iter().any(|never| point.starts_with(never))
}

fn select(table: &[MountLine], wanted: &[PathBuf], used: &Used) -> Vec<PathBuf> {
    let candidates: Vec<&MountLine> = table.iter().filter(|mount| is_candidate(&mount.point)).collect();
    let needed: Vec<&Path> = candidates
        .iter()
        .filter(|mount| {
            ALWAYS.iter().any(|always| mount.point.starts_with(always))
                || wanted.contains(&mount.point)
                || used.holds(mount)
        })
        .map(|mount| mount.point.as_path())
        .collect();
    let mut points: Vec<PathBuf> = candidates
        .iter()
        // A mount point inside another mount is there only with that one.
        .filter(|mount| needed.iter().any(|point| point.starts_with(&mount.point)))
        .map(|mount| mount.point.clone())
        .collect();
    points.sort();
    points.dedup();
    points
}

/// `mnt_id:` of /proc/PID/fdinfo/N.
fn mount_id(info: &str) -> Option<u64> {
    info.lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?
        .trim()
        .parse()
        .ok()
}

/// The files of /proc/PID/maps; a line may repeat the one before.
pub(super) fn mapped(maps: &str) -> impl Iterator<Item = &str> {
    let mut last = "";
    maps.lines()
        .filter_map(|line| Some(line.get(line.find(" /")?..)?.trim_start()))
        .filter(move |path| std::mem::replace(&mut last, path) != *path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(points: &[&str]) -> Vec<MountLine> {
        let line = |(number, point): (usize, &&str)| MountLine {
            id: number as u64,
            point: PathBuf::from(point),
            kind: "tmpfs".to_owned(),
        };
        points.iter().enumerate().map(line).collect()
    }

    #[test]
    fn what_is_in_use_goes_along_with_what_it_is_mounted_in() {
        let table = table(&[
            "/",
            "/run",
            "/run/a",
            "/run/a/b",
            "/run/c",
            "/run/host",
            "/run/nextroot",
            "/run/d",
        ]);
        let used = Used {
            mounts: BTreeSet::from([3]),
            paths: vec!["/run/d/socket".into(), "/run/dd".into()],
        };
        let points = select(&table, &[], &used);
        let wanted: Vec<PathBuf> = ["/run/a", "/run/a/b", "/run/d", "/run/host"]
            .map(PathBuf::from)
            .into();
        assert_eq!(points, wanted);
    }

    #[test]
    fn a_mount_that_a_unit_has_goes_along_and_the_next_root_never() {
        let table = table(&[
            "/run",
            "/run/m",
            "/run/nextroot",
            "/run/nextroot/usr",
            "/run/other",
        ]);
        let wanted = [PathBuf::from("/run/m"), PathBuf::from("/run/nextroot")];
        assert_eq!(
            select(&table, &wanted, &Used::default()),
            [PathBuf::from("/run/m")]
        );
    }

    #[test]
    fn the_kernels_texts_are_understood() {
        assert_eq!(mount_id("pos:\t0\nflags:\t02\nmnt_id:\t42\n"), Some(42));
        let maps = "7f00-7f01 r--p 0 00:1 5   /usr/lib/a b.so\n7f01-7f02 r-xp 0 00:1 5   /usr/lib/a b.so\n\
                    7f03-7f04 rw-p 0 0 0 \n7ffe-7fff rw-p 0 0 0 [stack]\n";
        assert_eq!(mapped(maps).collect::<Vec<_>>(), ["/usr/lib/a b.so"]);
    }
}
