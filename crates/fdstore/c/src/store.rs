//! The store: made when the program starts, filled, and asked.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use fdstore::{Adopt, AdoptError, FdName, InsertOptions, Inserted, Lifetime, Origin, Rule, Startup};
use rustix::io::Errno;
use softboot_sys::c_abi;
use softboot_sys::ffi::{CText, own_descriptor};

use crate::error::{Failure, count, number, panicked};

/// A store, with what the program was started with.
#[derive(Debug)]
pub struct Store {
    pub(crate) startup: Startup,
    pub(crate) owner: String,
}

/// How to insert. Set size to sizeof(fdstore_options) and the rest to zero for the defaults.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// sizeof(fdstore_options).
    pub size: usize,
    /// Most entries the store may have, 0 for no limit; one more is refused with -EXFULL.
    pub limit: usize,
    /// When the entry is to leave, in microseconds of CLOCK_BOOTTIME; 0 for never. See fdstore_remove_expired.
    pub expires_usec: u64,
    /// Not 0: if the same open file description is in the store already, keep one entry.
    pub deduplicate: c_int,
    /// Not 0: a holder that watches its descriptors watches this one, and lets go when it hangs up.
    pub poll: c_int,
}

/// What a descriptor has to be.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Any = 0,
    TcpListener = 1,
    TcpStream = 2,
    Udp = 3,
    UnixListener = 4,
    UnixStream = 5,
    UnixDatagram = 6,
    File = 7,
}

/// C may pass any number for an enumeration, so the functions take an int.
fn kind(number: c_int) -> Option<Kind> {
    [
        Kind::Any,
        Kind::TcpListener,
        Kind::TcpStream,
        Kind::Udp,
        Kind::UnixListener,
        Kind::UnixStream,
        Kind::UnixDatagram,
        Kind::File,
    ]
    .into_iter()
    .find(|kind| *kind as c_int == number)
}

pub(crate) fn some<T>(handle: Option<T>) -> Result<T, Failure> {
    handle.ok_or_else(|| Failure::invalid("the store"))
}

pub(crate) fn text<'a>(text: CText<'a>, what: &str) -> Result<&'a str, Failure> {
    text.utf8().map_err(|_| Failure::invalid(what))
}

pub(crate) fn name(text: CText<'_>) -> Result<FdName, Failure> {
    FdName::new(self::text(text, "the name")?).map_err(|error| Failure::new(Errno::INVAL, error))
}

/// A number of milliseconds from now; negative means without end.
pub(crate) fn deadline(milliseconds: c_int) -> Option<Instant> {
    let limit = Duration::from_millis(u64::try_from(milliseconds).ok()?);
    Instant::now().checked_add(limit)
}

fn adopt_failure(error: AdoptError) -> Failure {
    let errno = match error {
        AdoptError::Missing { .. } => Errno::NOENT,
        AdoptError::Mismatch { .. } => Errno::PROTOTYPE,
        AdoptError::Duplicate { .. } => Errno::MFILE,
    };
    Failure::new(errno, error)
}

fn refused(rule: &Rule) -> Failure {
    let errno = match rule {
        Rule::Unreadable(errno) => *errno,
        Rule::OwnerLimit { .. } | Rule::TotalLimit { .. } => Errno::XFULL,
        Rule::IdsExhausted => Errno::OVERFLOW,
    };
    Failure::new(errno, rule)
}

/// Gives out a descriptor as a number that the caller owns.
fn give<T: Adopt + Into<OwnedFd>>(result: Result<T, AdoptError>) -> Result<c_int, Failure> {
    result.map(|fd| fd.into().into_raw_fd()).map_err(adopt_failure)
}

fn take<T: Adopt + Into<OwnedFd>>(store: &mut Store, name: &str, keep: bool) -> Result<c_int, Failure> {
    let (fds, owner) = (&mut store.startup.store, &store.owner);
    match keep {
        true => give(fds.share::<T>(owner, name)),
        false => give(fds.take::<T>(owner, name)),
    }
}

fn take_kind(store: Option<&mut Store>, name: CText<'_>, kind: c_int, keep: bool) -> Result<c_int, Failure> {
    let (store, name) = (some(store)?, text(name, "the name")?);
    match self::kind(kind).ok_or_else(|| Failure::invalid("the kind"))? {
        Kind::Any => take::<OwnedFd>(store, name, keep),
        Kind::TcpListener => take::<TcpListener>(store, name, keep),
        Kind::TcpStream => take::<TcpStream>(store, name, keep),
        Kind::Udp => take::<UdpSocket>(store, name, keep),
        Kind::UnixListener => take::<UnixListener>(store, name, keep),
        Kind::UnixStream => take::<UnixStream>(store, name, keep),
        Kind::UnixDatagram => take::<UnixDatagram>(store, name, keep),
        Kind::File => take::<std::fs::File>(store, name, keep),
    }
}

fn options(options: Option<&Options>) -> Result<InsertOptions, Failure> {
    let Some(options) = options else {
        return Ok(InsertOptions::default());
    };
    if options.size != size_of::<Options>() {
        return Err(Failure::new(
            Errno::INVAL,
            format_args!(
                "fdstore_options has size {}, not {}",
                options.size,
                size_of::<Options>()
            ),
        ));
    }
    Ok(InsertOptions {
        poll: options.poll != 0,
        deduplicate: options.deduplicate != 0,
        total_limit: (options.limit > 0).then_some(options.limit),
        expires_usec: (options.expires_usec > 0).then_some(options.expires_usec),
        lifetime: Lifetime::default(),
        ..InsertOptions::default()
    })
}

fn insert(
    store: Option<&mut Store>,
    name: CText<'_>,
    fd: c_int,
    options: Option<&Options>,
) -> Result<c_int, Failure> {
    let (store, name, options) = (some(store)?, self::name(name)?, self::options(options)?);
    let fd = own_descriptor(fd).ok_or_else(|| Failure::from(Errno::BADF))?;
    match store.startup.store.insert(&store.owner, &name, fd, options) {
        Ok(Inserted::New(_)) => Ok(0),
        Ok(Inserted::Duplicate(..)) => Ok(1),
        Err(error) => {
            // It stays the caller's.
            let _ = error.fd.into_raw_fd();
            Err(refused(&error.rule))
        }
    }
}

fn start(
    owner: CText<'_>,
    timeout: c_int,
    out: Option<&mut MaybeUninit<Option<Box<Store>>>>,
) -> Result<c_int, Failure> {
    let out = out.ok_or_else(|| Failure::invalid("the place for the store"))?;
    let owner = text(owner, "the owner")?.to_owned();
    let startup =
        Startup::from_env(&owner, deadline(timeout)).map_err(|error| Failure::new(Errno::IO, error))?;
    out.write(Some(Box::new(Store { startup, owner })));
    Ok(0)
}

c_abi! {
    on_panic = panicked;

    /// Takes what this program was started with: by itself over execve, by the program before it, by a manager
    /// (LISTEN_FDS), or nothing. Call it once, before the program opens descriptors of its own.
    ///
    /// owner: whose the entries are; any text, always the same for a program.
    /// timeout_ms: how long to wait for a program before this one that does not send; negative for no limit.
    /// Returns 0 and a store for fdstore_free, or a negative errno.
    fn fdstore_start(owner: CText<'_>, timeout_ms: c_int, out: Option<&mut MaybeUninit<Option<Box<Store>>>>) -> c_int {
        number(start(owner, timeout_ms, out))
    }

    /// Closes everything in the store and frees it. NULL is nothing.
    fn fdstore_free(store: Option<Box<Store>>) {
        drop(store);
    }

    /// How this program was started: 0 with nothing, 1 by a manager, 2 by itself over execve, 3 by the program before
    /// it; or a negative errno.
    fn fdstore_origin(store: Option<&Store>) -> c_int {
        number(some(store).map(|store| match store.startup.origin {
            Origin::Fresh => 0,
            Origin::Manager => 1,
            Origin::Exec => 2,
            Origin::Predecessor => 3,
        }))
    }

    /// Says that this program serves now: to the program before it, which then stops accepting, and to a manager.
    /// Returns 0 or a negative errno.
    fn fdstore_ready(store: Option<&mut Store>) -> c_int {
        number(some(store).and_then(|store| {
            store.startup.ready().map_err(|error| Failure::new(Errno::IO, error))?;
            Ok(0)
        }))
    }

    /// Puts a descriptor in, under a name of printable ASCII without a colon. It is the store's if this succeeds, else
    /// it stays the caller's. options may be NULL.
    /// Returns 0, or 1 if it was there already and options asked to look, or a negative errno.
    fn fdstore_insert(store: Option<&mut Store>, name: CText<'_>, fd: c_int, options: Option<&Options>) -> c_int {
        number(insert(store, name, fd, options))
    }

    /// A duplicate of the oldest descriptor of this name, if it is of this kind (one of enum fdstore_kind). The store
    /// keeps its own. Close it when done.
    /// Returns the descriptor, -ENOENT, -EPROTOTYPE if it is something else, or another negative errno.
    fn fdstore_share(store: Option<&mut Store>, name: CText<'_>, kind: c_int) -> c_int {
        number(take_kind(store, name, kind, true))
    }

    /// Takes the oldest descriptor of this name out of the store, if it is of this kind. Close it when done.
    /// Returns the descriptor, -ENOENT, -EPROTOTYPE if it is something else, or another negative errno.
    fn fdstore_take(store: Option<&mut Store>, name: CText<'_>, kind: c_int) -> c_int {
        number(take_kind(store, name, kind, false))
    }

    /// Closes all of this name. Returns how many that were, or a negative errno.
    fn fdstore_remove(store: Option<&mut Store>, name: CText<'_>) -> c_int {
        number(some(store).and_then(|store| {
            let name = self::name(name)?;
            Ok(count(store.startup.store.remove_named(&store.owner, &name).len()))
        }))
    }

    /// Closes what was to leave by now. Returns how many that were, or a negative errno.
    fn fdstore_remove_expired(store: Option<&mut Store>) -> c_int {
        number(some(store).map(|store| {
            count(store.startup.store.remove_expired(fdstore::boottime_usec()).len())
        }))
    }
}
