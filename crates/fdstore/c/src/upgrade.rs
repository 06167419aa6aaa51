//! The next program: in place of this one, or beside it.

use std::ffi::{CStr, OsStr, c_int};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use fdstore::upgrade::{Upgrade, UpgradeError};
use fdstore::{HandoffError, Program};
use rustix::io::Errno;
use softboot_sys::c_abi;
use softboot_sys::ffi::{CText, CTexts};

use crate::error::{Failure, number, panicked};
use crate::store::{Store, deadline, some};

fn os(text: &CStr) -> &OsStr {
    OsStr::from_bytes(text.to_bytes())
}

/// NULL stands for what this program was started with.
fn program(path: CText<'_>, argv: CTexts<'_>) -> Result<Program, Failure> {
    let current = || Program::current().map_err(|error| Failure::new(Errno::NOENT, error));
    let program = match path.get() {
        Some(path) => Program::new(os(path)),
        None => current()?,
    };
    Ok(match argv.get() {
        Some(argv) => program.argv(argv.into_iter().map(|argument| os(argument).to_owned())),
        None if path.get().is_some() => program.argv(std::env::args_os()),
        None => program,
    })
}

fn exec(store: Option<&mut Store>, path: CText<'_>, argv: CTexts<'_>) -> Failure {
    let attempt = || {
        let store = some(store)?;
        let program = program(path, argv)?;
        let error = match store.startup.store.handoff() {
            Ok(handoff) => handoff.exec_program(&program),
            Err(error) => error,
        };
        let errno = match &error {
            HandoffError::Exec(errno) | HandoffError::Descriptor { source: errno, .. } => *errno,
            HandoffError::Manifest(_) | HandoffError::Program(_) => Errno::IO,
        };
        Err::<(), Failure>(Failure::new(errno, error))
    };
    match attempt() {
        Err(failure) => failure,
        Ok(()) => Failure::from(Errno::IO),
    }
}

fn upgrade(
    store: Option<&mut Store>,
    path: CText<'_>,
    argv: CTexts<'_>,
    timeout: c_int,
    pid: Option<&mut MaybeUninit<c_int>>,
) -> Result<c_int, Failure> {
    let store = some(store)?;
    let program = program(path, argv)?;
    let mut command = Command::new(program.path());
    command.args(program.arguments());
    let failure = |error: UpgradeError| {
        let errno = match &error {
            UpgradeError::Deadline => Errno::TIMEDOUT,
            UpgradeError::Exited(_) | UpgradeError::Failed(_) => Errno::CHILD,
            UpgradeError::Start(_) | UpgradeError::Transfer(_) | UpgradeError::Io(_) => Errno::IO,
        };
        Failure::new(errno, error)
    };
    let started = Upgrade::start(command, &store.startup.store).map_err(failure)?;
    let upgraded = started
        .wait(&store.startup.store, deadline(timeout))
        .map_err(failure)?;
    if let Some(pid) = pid {
        pid.write(c_int::try_from(upgraded.child.id()).unwrap_or(-1));
    }
    Ok(0)
}

c_abi! {
    on_panic = panicked;

    /// Executes the program at path in place of this one, with everything in the store. path NULL: whatever file stands
    /// now where this program was started from. argv NULL: this program's own arguments; else ends with NULL.
    /// Returns only on failure, with a negative errno; everything is then as before.
    fn fdstore_exec(store: Option<&mut Store>, path: CText<'_>, argv: CTexts<'_>) -> c_int {
        number(Err(exec(store, path, argv)))
    }

    /// Starts the program at path beside this one, gives it the store, and waits until it has called fdstore_ready.
    /// path and argv as for fdstore_exec; timeout_ms negative for no limit; pid may be NULL.
    /// Returns 0: stop accepting, finish, and end. -ETIMEDOUT, -ECHILD if it ended or says that it cannot, or another
    /// negative errno: it is gone, and everything is as before.
    fn fdstore_upgrade(
        store: Option<&mut Store>,
        path: CText<'_>,
        argv: CTexts<'_>,
        timeout_ms: c_int,
        pid: Option<&mut MaybeUninit<c_int>>,
    ) -> c_int {
        number(upgrade(store, path, argv, timeout_ms, pid))
    }
}
