//! The directories that a process is given (systemd.exec(5), "Sandboxing", from RuntimeDirectory= on).
//!
//! Those below /run are in memory, and PID 1 makes them itself. The others are on disks: what to make is worked out here,
//! and the child makes it. A directory that is there gets its owner and mode; what is in it is left as it is.

use std::path::Path;

use softboot_sys::spawn::{Directory, Preparation, Step, Task};
use softboot_unit::{ExecContext, ExecDirectories, ServiceSection};

use super::account::Account;
use super::refused::{Refused, c_string, code};

/// The kinds on disks: variable, place, step.
pub(crate) const KINDS: [(&str, &str, Step); 4] = [
    ("STATE_DIRECTORY", "/var/lib", Step::StateDirectory),
    ("CACHE_DIRECTORY", "/var/cache", Step::CacheDirectory),
    ("LOGS_DIRECTORY", "/var/log", Step::LogsDirectory),
    ("CONFIGURATION_DIRECTORY", "/etc", Step::ConfigurationDirectory),
];

/// The settings of each of [`KINDS`].
pub(crate) fn of(exec: &ExecContext) -> [&ExecDirectories; 4] {
    [
        &exec.state_directory,
        &exec.cache_directory,
        &exec.logs_directory,
        &exec.configuration_directory,
    ]
}

/// What the child has to make.
pub(super) fn preparations(exec: &ExecContext, account: &Account) -> Result<Vec<Preparation>, Refused> {
    let mut list = Vec::new();
    for ((_, base, step), directories) in KINDS.into_iter().zip(of(exec)) {
        // Configuration is the administrator's; the service reads it.
        let owner = if step == Step::ConfigurationDirectory {
            None
        } else {
            account.owner()
        };
        for entry in &directories.entries {
            let parts = entry.name.split('/').filter(|part| !part.is_empty());
            list.push(Preparation {
                step,
                task: Task::Directory(Directory {
                    base: c_string(base.to_owned())?,
                    parts: parts
                        .map(|part| c_string(part.to_owned()))
                        .collect::<Result<_, _>>()?,
                    mode: directories.mode,
                    owner,
                }),
            });
            if let Some(link) = &entry.symlink {
                list.push(Preparation {
                    step,
                    task: Task::Link {
                        target: c_string(format!("{base}/{}", entry.name))?,
                        path: c_string(format!("{base}/{link}"))?,
                    },
                });
            }
        }
    }
    Ok(list)
}

/// `RuntimeDirectory=` with its links.
pub(super) fn make_runtime_directories(service: &ServiceSection, account: &Account) -> Result<(), Refused> {
    let exec = &service.exec;
    for name in &exec.runtime_directory {
        let path = Path::new("/run").join(name);
        let made = std::fs::create_dir_all(&path)
            .map_err(rustix_error)
            .and_then(|()| {
                let mode = rustix::fs::Mode::from_raw_mode(exec.runtime_directory_mode);
                rustix::fs::chmod(&path, mode)?;
                let uid = account
                    .user
                    .as_ref()
                    .map(|user| rustix::fs::Uid::from_raw(user.uid));
                rustix::fs::chown(&path, uid, account.gid.map(rustix::fs::Gid::from_raw))
            });
        made.map_err(|error| runtime(format!("{}: {error}", path.display())))?;
    }
    for (link, name) in &exec.runtime_directory_links {
        let (path, target) = (Path::new("/run").join(link), Path::new("/run").join(name));
        match std::os::unix::fs::symlink(&target, &path) {
            Err(_) if std::fs::read_link(&path).is_ok_and(|found| found == target) => {}
            Err(error) => return Err(runtime(format!("link {}: {error}", path.display()))),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Removes them, links first; a sentence for each that stays.
pub(crate) fn remove_runtime_directories(exec: &ExecContext) -> Vec<String> {
    let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let mut stay = Vec::new();
    for (link, name) in &exec.runtime_directory_links {
        let path = Path::new("/run").join(link);
        let ours = std::fs::read_link(&path).is_ok_and(|found| found == Path::new("/run").join(name));
        if ours && let Err(error) = std::fs::remove_file(&path) {
            stay.push(format!("link {} stays: {error}", path.display()));
        }
    }
    for name in &exec.runtime_directory {
        // The loader refuses names that leave /run.
        if let Err(error) = std::fs::remove_dir_all(Path::new("/run").join(name))
            && !gone(&error)
        {
            stay.push(format!("runtime directory {name} stays: {error}"));
        }
    }
    stay
}

fn runtime(error: String) -> Refused {
    Refused {
        error: format!("runtime directory {error}"),
        code: code::RUNTIME_DIRECTORY,
    }
}

fn rustix_error(error: std::io::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
}
