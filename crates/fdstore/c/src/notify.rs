//! Telling a manager (sd_notify).

use std::ffi::{OsStr, c_int};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use fdstore::notify::{Message, Notifier as Inner, NotifyError};
use rustix::io::Errno;
use softboot_sys::c_abi;
use softboot_sys::ffi::{CInts, CText, borrow_descriptor};

use crate::error::{Failure, number, panicked};
use crate::store::{name, text};

/// A connection to a manager.
#[derive(Debug)]
pub struct Notifier(pub(crate) Inner);

fn failure(error: NotifyError) -> Failure {
    let errno = match &error {
        NotifyError::Address(_) => Errno::INVAL,
        NotifyError::TooLong(_) | NotifyError::TooManyFds(_) => Errno::MSGSIZE,
        NotifyError::Vsock => Errno::OPNOTSUPP,
        NotifyError::WouldBlock => Errno::AGAIN,
        NotifyError::BarrierTimeout(_) => Errno::TIMEDOUT,
        NotifyError::Io(errno) => *errno,
    };
    Failure::new(errno, error)
}

fn connect(
    address: CText<'_>,
    out: Option<&mut MaybeUninit<Option<Box<Notifier>>>>,
) -> Result<c_int, Failure> {
    let out = out.ok_or_else(|| Failure::invalid("the place for the notifier"))?;
    let connected = match address.get() {
        Some(address) => Inner::connect(OsStr::from_bytes(address.to_bytes()).to_owned()).map(Some),
        None => Inner::from_env(),
    };
    match connected.map_err(failure)? {
        Some(inner) => {
            out.write(Some(Box::new(Notifier(inner))));
            Ok(0)
        }
        None => Err(Failure::new(
            Errno::NOENT,
            "there is no manager: NOTIFY_SOCKET is not set",
        )),
    }
}

fn tell(notifier: Option<&Notifier>, what: impl FnOnce(&Inner) -> Result<(), Failure>) -> c_int {
    number(
        notifier
            .ok_or_else(|| Failure::invalid("the notifier"))
            .and_then(|notifier| what(&notifier.0))
            .map(|()| 0),
    )
}

/// Descriptors that the caller lends.
fn borrow<'a>(numbers: CInts<'a>, count: usize) -> Result<Vec<BorrowedFd<'a>>, Failure> {
    let numbers = numbers
        .get(count)
        .ok_or_else(|| Failure::invalid("the list of descriptors"))?;
    numbers
        .iter()
        .map(|number| borrow_descriptor(*number).ok_or_else(|| Failure::from(Errno::BADF)))
        .collect()
}

fn parse(text: &str) -> Result<Message, Failure> {
    Message::parse(text.as_bytes()).map_err(|error| Failure::new(Errno::INVAL, error))
}

c_abi! {
    on_panic = panicked;

    /// Connects to a manager. address: a path, "@abstract", or "vsock:CID:PORT"; NULL for $NOTIFY_SOCKET.
    /// Returns 0 and a notifier for fdstore_notify_free, -ENOENT if there is no manager, or another negative errno.
    fn fdstore_notify_connect(address: CText<'_>, out: Option<&mut MaybeUninit<Option<Box<Notifier>>>>) -> c_int {
        number(connect(address, out))
    }

    /// Frees a notifier. NULL is nothing.
    fn fdstore_notify_free(notifier: Option<Box<Notifier>>) {
        drop(notifier);
    }

    /// Sends lines of KEY=VALUE with duplicates of count descriptors. Waits while the manager's queue is full.
    /// Returns 0 or a negative errno.
    fn fdstore_notify_send(notifier: Option<&Notifier>, lines: CText<'_>, fds: CInts<'_>, count: usize) -> c_int {
        tell(notifier, |inner| {
            let message = parse(text(lines, "the text")?)?;
            inner.send(&message, &borrow(fds, count)?).map_err(failure)
        })
    }

    /// The same, but -EAGAIN instead of waiting.
    fn fdstore_notify_try_send(notifier: Option<&Notifier>, lines: CText<'_>, fds: CInts<'_>, count: usize) -> c_int {
        tell(notifier, |inner| {
            let message = parse(text(lines, "the text")?)?;
            inner.try_send(&message, &borrow(fds, count)?).map_err(failure)
        })
    }

    /// READY=1: started, or reloaded. Returns 0 or a negative errno.
    fn fdstore_notify_ready(notifier: Option<&Notifier>) -> c_int {
        tell(notifier, |inner| inner.ready().map_err(failure))
    }

    /// RELOADING=1 with the time it began; fdstore_notify_ready follows. Returns 0 or a negative errno.
    fn fdstore_notify_reloading(notifier: Option<&Notifier>) -> c_int {
        tell(notifier, |inner| inner.reloading().map_err(failure))
    }

    /// STOPPING=1: on the way down. Returns 0 or a negative errno.
    fn fdstore_notify_stopping(notifier: Option<&Notifier>) -> c_int {
        tell(notifier, |inner| inner.stopping().map_err(failure))
    }

    /// STATUS=: a line for people. Returns 0 or a negative errno.
    fn fdstore_notify_status(notifier: Option<&Notifier>, status: CText<'_>) -> c_int {
        tell(notifier, |inner| inner.status(text(status, "the text")?).map_err(failure))
    }

    /// WATCHDOG=1: still alive. Returns 0 or a negative errno.
    fn fdstore_notify_watchdog(notifier: Option<&Notifier>) -> c_int {
        tell(notifier, |inner| inner.watchdog().map_err(failure))
    }

    /// FDSTORE=1: the manager keeps a duplicate of fd under this name. Returns 0 or a negative errno.
    fn fdstore_notify_store_fd(notifier: Option<&Notifier>, name: CText<'_>, fd: c_int) -> c_int {
        tell(notifier, |inner| {
            let fd = borrow_descriptor(fd).ok_or_else(|| Failure::from(Errno::BADF))?;
            inner.store_fd(&self::name(name)?, fd).map_err(failure)
        })
    }

    /// FDSTOREREMOVE=1: the manager lets go of all of this name. Returns 0 or a negative errno.
    fn fdstore_notify_remove_fd(notifier: Option<&Notifier>, name: CText<'_>) -> c_int {
        tell(notifier, |inner| inner.remove_fd(&self::name(name)?).map_err(failure))
    }

    /// Waits until the manager has handled everything sent before. Returns 0, -ETIMEDOUT, or another negative errno.
    fn fdstore_notify_barrier(notifier: Option<&Notifier>, timeout_ms: c_int) -> c_int {
        tell(notifier, |inner| {
            let limit = u64::try_from(timeout_ms).map_or(Duration::MAX, Duration::from_millis);
            inner.barrier(limit).map_err(failure)
        })
    }
}
