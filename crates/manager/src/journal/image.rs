//! The exact copy that a journal begins with.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use softboot_engine::Engine;

use super::record::Unfinished;
use crate::handoff::ManagerState;
use crate::run::Manager;

/// More than a manager with a million units.
const MAX: u64 = 4 << 30;

/// What is read back.
pub(crate) struct Image {
    pub(crate) engine: Engine,
    pub(crate) manager: ManagerState,
    pub(crate) unfinished: Unfinished,
}

#[derive(Serialize)]
struct Outgoing<'a, M> {
    manager: M,
    unfinished: &'a Unfinished,
}

#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(borrow)]
    engine: &'a RawValue,
    rest: Rest,
}

#[derive(Deserialize)]
struct Rest {
    manager: ManagerState,
    unfinished: Unfinished,
}

impl Manager {
    /// Writes the copy, piece by piece: there may be little memory.
    pub(super) fn write_image(&self, unfinished: &Unfinished) -> io::Result<(OwnedFd, u64)> {
        let fd = rustix::fs::memfd_create("softboot-image", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut out = io::BufWriter::with_capacity(1 << 16, std::fs::File::from(fd));
        out.write_all(b"{\"rest\":")?;
        let state = self.state();
        let rest = Outgoing {
            manager: state,
            unfinished,
        };
        serde_json::to_writer(&mut out, &rest)?;
        out.write_all(b",\"engine\":")?;
        self.engine.image(&mut out)?;
        out.write_all(b"}")?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        let length = file.metadata()?.len();
        Ok((file.into(), length))
    }
}

impl Image {
    /// Reads it back.
    pub(super) fn read(fd: &OwnedFd) -> io::Result<Image> {
        let size = u64::try_from(rustix::fs::fstat(fd)?.st_size).unwrap_or(0);
        if size > MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        let file = std::fs::File::from(fd.as_fd().try_clone_to_owned()?);
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0)?;
        let Incoming { engine, rest } = serde_json::from_slice(&bytes)?;
        Ok(Image {
            engine: Engine::from_image(engine.get().as_bytes())?,
            manager: rest.manager,
            unfinished: rest.unfinished,
        })
    }
}
