//! The two sockets: passed by a manager, bound here, or taken over from the program before this one.

use std::fs::Permissions;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use fdstore::AdoptError;
use fdstore::listen::{ListenError, ListenFds};
use fdstore::notify::Receiver;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use softboot_sys::recv::{pass_credentials, pass_pidfd};

use super::Options;

/// Anyone may connect; what they may do is for the rules to say.
const MODE: u32 = 0o666;
const BACKLOG: i32 = 256;

/// Why a socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// What a manager passed makes no sense.
    #[error("taking the sockets that were passed: {0}")]
    Passed(#[from] ListenError),
    /// What a manager passed is something else.
    #[error("taking a socket that was passed: {0}")]
    Kind(#[from] AdoptError),
    /// Somebody is there already.
    #[error("{} is in use: is another fdstored running?", .0.display())]
    InUse(PathBuf),
    /// There is something that is no socket.
    #[error("{} exists and is no socket; it is left alone", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("listening on {}: {source}", path.display())]
    Bind {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

pub(super) struct Sockets {
    listener: OwnedFd,
    notify: Receiver,
    /// Paths that this program made and removes when it ends.
    bound: Vec<PathBuf>,
}

impl Sockets {
    /// Takes what was passed under the names `varlink` and `notify`, and binds what was not.
    pub(super) fn open(options: &Options, mut passed: ListenFds) -> Result<Sockets, SocketError> {
        let has = |passed: &ListenFds, name: &str| passed.names().any(|known| known.as_str() == name);
        let mut bound = Vec::new();
        let listener = if has(&passed, "varlink") {
            let listener: UnixListener = passed.take("varlink")?;
            nonblocking(&options.socket, listener.set_nonblocking(true))?;
            listener.into()
        } else {
            bound.push(options.socket.clone());
            bind_listener(&options.socket)?
        };
        let notify = if has(&passed, "notify") {
            let socket: UnixDatagram = passed.take("notify")?;
            nonblocking(&options.notify_socket, socket.set_nonblocking(true))?;
            nonblocking(
                &options.notify_socket,
                pass_credentials(socket.as_fd()).map_err(io::Error::from),
            )?;
            // Older kernels have none (6.5); the credentials say enough.
            let _ = pass_pidfd(socket.as_fd());
            Receiver::from_fd(socket.into())
        } else {
            bound.push(options.notify_socket.clone());
            bind_notify(&options.notify_socket)?
        };
        for name in passed.names() {
            tracing::warn!(
                "a descriptor named {name:?} was passed and is not used; the names are varlink and notify"
            );
        }
        Ok(Sockets {
            listener,
            notify,
            bound,
        })
    }

    /// What was here before an upgrade.
    pub(super) fn restore(listener: OwnedFd, notify: OwnedFd, bound: Vec<PathBuf>) -> Sockets {
        Sockets {
            listener,
            notify: Receiver::from_fd(notify),
            bound,
        }
    }

    pub(super) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    pub(super) fn notify(&self) -> BorrowedFd<'_> {
        self.notify.as_fd()
    }

    pub(super) fn bound(&self) -> &[PathBuf] {
        &self.bound
    }

    pub(super) fn describe(&self) -> String {
        if self.bound.is_empty() {
            return "sockets that were passed".to_owned();
        }
        let paths: Vec<String> = self.bound.iter().map(|path| path.display().to_string()).collect();
        paths.join(" and ")
    }

    pub(super) fn unlink(&self) {
        for path in &self.bound {
            let _ = rustix::fs::unlink(path);
        }
    }
}

fn nonblocking(path: &Path, result: io::Result<()>) -> Result<(), SocketError> {
    result.map_err(|source| SocketError::Bind {
        path: path.to_owned(),
        source,
    })
}

fn bind_listener(path: &Path) -> Result<OwnedFd, SocketError> {
    clear(path, SocketType::STREAM)?;
    let make = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let old = rustix::process::umask(Mode::from_raw_mode(!MODE & 0o777));
        let result = SocketAddrUnix::new(path).and_then(|address| bind(&socket, &address));
        rustix::process::umask(old);
        result?;
        listen(&socket, BACKLOG)?;
        Ok(socket)
    };
    make().map_err(|error: Errno| SocketError::Bind {
        path: path.to_owned(),
        source: error.into(),
    })
}

fn bind_notify(path: &Path) -> Result<Receiver, SocketError> {
    clear(path, SocketType::DGRAM)?;
    Receiver::bind(path, MODE).map_err(|source| SocketError::Bind {
        path: path.to_owned(),
        source,
    })
}

/// Makes the directory, and removes a socket that nobody listens on any more. What is alive, or no socket, stays.
fn clear(path: &Path, kind: SocketType) -> Result<(), SocketError> {
    let wrong = |source: io::Error| SocketError::Bind {
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
        std::fs::create_dir_all(parent).map_err(wrong)?;
        // Whatever the umask is: clients have to get through.
        std::fs::set_permissions(parent, Permissions::from_mode(0o755)).map_err(wrong)?;
    }
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(wrong(error)),
    };
    if !std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()) {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let probe = socket_with(AddressFamily::UNIX, kind, flags, None).map_err(|error| wrong(error.into()))?;
    let address = SocketAddrUnix::new(path).map_err(|error| wrong(error.into()))?;
    match connect(&probe, &address) {
        Err(Errno::CONNREFUSED) => rustix::fs::unlink(path).map_err(|error| wrong(error.into())),
        Err(Errno::NOENT) => Ok(()),
        _ => Err(SocketError::InUse(path.to_owned())),
    }
}
