//! The directories that a process is given.

use std::path::Path;

use softboot_unit::ServiceSection;

use super::account::Account;
use super::refused::{Refused, code};

pub(super) fn make_runtime_directories(service: &ServiceSection, account: &Account) -> Result<(), Refused> {
    for name in &service.exec.runtime_directory {
        let path = Path::new("/run").join(name);
        let made = std::fs::create_dir_all(&path)
            .map_err(rustix_error)
            .and_then(|()| {
                let mode = rustix::fs::Mode::from_raw_mode(service.exec.runtime_directory_mode);
                rustix::fs::chmod(&path, mode)?;
                let uid = account
                    .user
                    .as_ref()
                    .map(|user| rustix::fs::Uid::from_raw(user.uid));
                rustix::fs::chown(&path, uid, account.gid.map(rustix::fs::Gid::from_raw))
            });
        made.map_err(|error| Refused {
            error: format!("runtime directory {}: {error}", path.display()),
            code: code::RUNTIME_DIRECTORY,
        })?;
    }
    Ok(())
}

fn rustix_error(error: std::io::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
}
