//! A realistic set of units, as files in a directory of their own.
//!
//! Ten units make a group: a target, a slice, two sockets with their idle services, a service of each common type, and
//! an instance of a template. Groups come after one another as in a tree; all have default dependencies.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use softboot_unit::files::{DirEntry, FileProvider};

use crate::error::{Context as _, Error};

/// What is started.
pub(super) const ROOT: &str = "bench.target";
/// A service that starts anew whenever it ends.
pub(super) const STEADY: &str = "steady.service";
/// Units in a group.
const GROUP: usize = 10;

/// The files; gone when this is.
pub(super) struct Files(PathBuf);

impl Files {
    /// Writes about `size` units, rounded up to whole groups.
    pub(super) fn write(size: usize) -> Result<Files, Error> {
        let path = std::env::temp_dir().join(format!("softboot-bench-{}-{size}", std::process::id()));
        fs::create_dir(&path).context(&format!("making {}", path.display()))?;
        let files = Files(path);
        let groups = size.div_ceil(GROUP);
        let wants: Vec<String> = (0..groups).map(|group| format!("group{group}.target")).collect();
        files.put(
            ROOT,
            &format!("[Unit]\nWants={STEADY}\nWants={}\n", wants.join(" ")),
        )?;
        files.put(
            STEADY,
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/true\nRestart=always\n",
        )?;
        files.put(
            "worker@.service",
            "[Unit]\nDescription=Worker %i\nAfter=network.target\n[Service]\nExecStart=/usr/bin/worker --name %i\n",
        )?;
        for group in 0..groups {
            for (name, text) in members(group) {
                files.put(&name, &text)?;
            }
        }
        Ok(files)
    }

    /// Where they are.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn put(&self, name: &str, text: &str) -> Result<(), Error> {
        fs::write(self.0.join(name), text).context(&format!("writing {name}"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("removing {}: {error}", self.0.display());
        }
    }
}

/// The files of one group, by name. The instance has none: it is its template's.
fn members(g: usize) -> Vec<(String, String)> {
    let wants = format!(
        "app{g}a.socket app{g}b.socket setup{g}.service main{g}.service ready{g}.service worker@{g}.service"
    );
    let after = match g {
        0 => String::new(),
        _ => format!("After=group{}.target\n", g / 2),
    };
    let mut files = vec![
        (
            format!("group{g}.target"),
            format!("[Unit]\nDescription=Group {g}\n{after}Wants={wants}\n"),
        ),
        (format!("slice{g}.slice"), format!("[Unit]\nDescription=Slice of group {g}\n")),
        (
            format!("setup{g}.service"),
            "[Unit]\nBefore=network.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n".to_owned(),
        ),
        (
            format!("main{g}.service"),
            format!(
                "[Unit]\nDescription=Main {g}\nRequires=setup{g}.service\nAfter=setup{g}.service network.target\n\
                 [Service]\nExecStartPre=/bin/true\nExecStart=/usr/bin/main --group {g}\nRestart=on-failure\n\
                 Slice=slice{g}.slice\nUser=nobody\nLimitNOFILE=4096\n"
            ),
        ),
        (
            format!("ready{g}.service"),
            format!(
                "[Unit]\nDescription=Ready {g}\nWants=main{g}.service\nAfter=main{g}.service\n\
                 [Service]\nType=notify\nExecStart=/usr/bin/ready\nEnvironment=GROUP={g}\nFileDescriptorStoreMax=16\n"
            ),
        ),
    ];
    for letter in ['a', 'b'] {
        files.push((
            format!("app{g}{letter}.socket"),
            format!("[Unit]\nDescription=App {g}\n[Socket]\nListenStream=/run/bench/{g}{letter}.sock\n"),
        ));
        files.push((
            format!("app{g}{letter}.service"),
            format!("[Unit]\nDescription=App {g}\n[Service]\nExecStart=/usr/bin/app\nSlice=slice{g}.slice\n"),
        ));
    }
    files
}

/// The directory as the loader sees it.
pub(super) struct Disk;

impl FileProvider for Disk {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, directory: &str) -> io::Result<Vec<DirEntry>> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // The generator makes no links.
        let named = |entry: io::Result<fs::DirEntry>| {
            let name = entry?.file_name().to_string_lossy().into_owned();
            Ok(DirEntry {
                name,
                link_target: None,
            })
        };
        entries.map(named).collect()
    }
}
