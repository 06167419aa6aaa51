//! Fd stores: what is taken, in which order it comes back, and how long it is kept (semantics 3.5 to 3.7).

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use fdstore::notify::{Message, Notifier};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use serde_json::{Value, json};

use super::check::{Output, PATIENCE, wait_for};
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, control};
use crate::error::{Context, Error};

/// What the service does at its next start, a step a line.
const STEPS: &str = "/run/softboot-steps";
/// LISTEN_FDNAMES of its last start.
const NAMES: &str = "/run/softboot-names";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let _yes = install("store-yes.service", "yes")?;
    let yes = Stored("store-yes.service");
    yes.start("", "new a\nnew b\nagain other\ndead gone")?;
    wait_for("the descriptor that hung up to be gone", || {
        Ok((yes.stored()? == ["a", "b"]).then_some(()))
    })?;
    output.check(
        true,
        "what hung up is let go, and a duplicate is stored once, under its first name",
    )?;
    yes.start("a:b", "dead kept")?;
    yes.start("a:b", "unpolled kept")?;
    yes.start("a:b:kept", "new c\nnew d\nnew e")?;
    output.same(
        &yes.stored()?,
        &["a", "b", "kept", "c"].map(str::to_owned).to_vec(),
        "FDPOLL=0 keeps what hung up, and FileDescriptorStoreMax=4 is four",
    )?;
    yes.start("a:b:kept:c", "remove b")?;
    yes.start("a:kept:c", "new a")?;
    yes.start("a:kept:c:a", "remove a")?;
    output.check(
        true,
        "names come back oldest first; FDSTOREREMOVE=1 lets go of all with the name",
    )?;

    let _restart = install("store-restart.service", "restart")?;
    let _no = install("store-no.service", "no")?;
    let (restart, no) = (Stored("store-restart.service"), Stored("store-no.service"));
    restart.start("", "new a")?;
    restart.start("a", "")?;
    no.start("", "new a")?;
    no.start("", "new a")?;
    output.check(true, "a restart keeps the store, but not with Preserve=no")?;

    control::reexec()?;
    for (unit, names) in [(yes, "kept:c"), (restart, "a"), (no, "a")] {
        output.same(
            &unit.stored()?.join(":"),
            &names.to_owned(),
            format!("{} after a re-exec", unit.0),
        )?;
    }
    yes.start("kept:c", "")?;
    restart.start("a", "")?;
    output.check(true, "names and order are the same after a re-exec")?;

    control::soft_reboot()?;
    for (unit, names) in [(yes, "kept:c"), (restart, ""), (no, "")] {
        output.same(
            &unit.stored()?.join(":"),
            &names.to_owned(),
            format!("{} after a soft-reboot", unit.0),
        )?;
    }
    yes.start("kept:c", "")?;
    restart.start("", "new a")?;
    output.check(true, "names and order are the same after a soft-reboot")?;
    // When it is removed, PID 1 has the last descriptor of it.
    yes.start("kept:c", "lingering l\nnew m\nremove l\nremove m")?;
    output.check(
        true,
        "PID 1 does not wait for a socket that lingers when it is closed",
    )?;

    for (unit, names, state) in [(yes, "kept:c", "dead-resources-pinned"), (restart, "", "dead")] {
        control::stop(unit.0)?;
        output.same(
            &(
                unit.stored()?.join(":").as_str(),
                control::Unit::get(unit.0)?.sub(),
            ),
            &(names, state),
            format!("{} after a stop", unit.0),
        )?;
    }
    let clean = ["clean", "--what=fdstore", yes.0];
    let cleaned = softctl(&clean)?;
    output.same(
        &(
            cleaned.code,
            yes.stored()?.len(),
            control::Unit::get(yes.0)?.sub(),
        ),
        &(0, 0, "dead"),
        "softctl clean lets go of what a stopped service left",
    )?;
    yes.start("", "new kept\nnew c")?;
    output.same(
        &(softctl(&clean)?.code, yes.stored()?.len()),
        &(1, 2),
        "softctl clean leaves a running service alone",
    )?;
    yes.start("kept:c", "remove kept\nremove c")?;
    control::stop(yes.0)?;
    output.same(
        &control::Unit::get(yes.0)?.sub(),
        &"dead",
        "with its last descriptor gone, a stopped service is dead",
    )
}

fn install(name: &str, preserve: &str) -> Result<UnitFile, Error> {
    let own = std::env::current_exe().doing("finding the own program")?;
    UnitFile::install(
        name,
        &format!(
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nExecStart={} --store\n\
             FileDescriptorStoreMax=4\nFileDescriptorStorePreserve={preserve}\n",
            own.display()
        ),
    )
}

/// A unit that stores descriptors.
#[derive(Clone, Copy)]
struct Stored(&'static str);

impl Stored {
    /// (Re)starts it with these steps; it must be passed these names.
    fn start(self, passed: &str, steps: &str) -> Result<(), Error> {
        fs::write(STEPS, steps).doing("writing the steps")?;
        control::restart(self.0)?;
        let found = fs::read_to_string(NAMES).doing("reading the names")?;
        if found == passed {
            return Ok(());
        }
        Err(Error::Check(format!(
            "{} was passed {found:?}, expected {passed:?}, before these steps: {steps:?}",
            self.0
        )))
    }

    /// The names in its store.
    fn stored(self) -> Result<Vec<String>, Error> {
        let answer = control::call("ListFds", json!({ "name": self.0 }))?;
        let fds = answer.get("fds").and_then(Value::as_array);
        let name = |fd: &Value| Some(fd.get("name")?.as_str()?.to_owned());
        Ok(fds.into_iter().flatten().filter_map(name).collect())
    }
}

/// The service's side: reports the names that it was passed, takes the steps, and stays.
///
/// # Errors
/// [`Error::Check`] for an unknown step; the others if a step cannot be taken.
pub fn store() -> Result<(), Error> {
    let failed = |error: fdstore::notify::NotifyError| Error::Check(error.to_string());
    let address = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
    let manager = Notifier::connect(address).map_err(failed)?;
    fs::write(NAMES, std::env::var("LISTEN_FDNAMES").unwrap_or_default()).doing("writing the names")?;
    let mut last: Option<OwnedFd> = None;
    for step in fs::read_to_string(STEPS).doing("reading the steps")?.lines() {
        let (verb, name) = step
            .split_once(' ')
            .ok_or_else(|| Error::Check(format!("not a step: {step:?}")))?;
        let store = Message::new().with("FDSTORE", "1").with("FDNAME", name);
        let (message, fd) = match verb {
            "new" => (store, memfd_create(name, MemfdFlags::CLOEXEC).ok()),
            "again" => (store, last.take()),
            "lingering" => (store, Some(lingering()?)),
            // The other end is closed at once.
            "dead" => (
                store,
                pipe_with(PipeFlags::CLOEXEC).ok().map(|(reader, _)| reader),
            ),
            "unpolled" => (
                store.with("FDPOLL", "0"),
                pipe_with(PipeFlags::CLOEXEC).ok().map(|(reader, _)| reader),
            ),
            "remove" => (
                Message::new().with("FDSTOREREMOVE", "1").with("FDNAME", name),
                None,
            ),
            _ => return Err(Error::Check(format!("not a step: {step:?}"))),
        };
        let fds: Vec<_> = fd.iter().map(AsFd::as_fd).collect();
        manager.send(&message, &fds).map_err(failed)?;
        last = fd;
    }
    manager.barrier(PATIENCE).map_err(failed)?;
    manager.ready().map_err(failed)?;
    loop {
        std::thread::park();
    }
}

/// A connection whose last close takes ten minutes, because its peer does not read (socket(7), SO_LINGER).
fn lingering() -> Result<OwnedFd, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").doing("listening")?;
    let address = listener.local_addr().doing("asking for the address")?;
    let stream = TcpStream::connect(address).doing("connecting")?;
    let (peer, _) = listener.accept().doing("accepting")?;
    std::mem::forget(peer);
    let linger = Some(Duration::from_secs(600));
    rustix::net::sockopt::set_socket_linger(&stream, linger).doing("setting SO_LINGER")?;
    stream.set_nonblocking(true).doing("making it non-blocking")?;
    while (&stream).write(&[0; 65_536]).is_ok() {}
    stream.set_nonblocking(false).doing("making it blocking")?;
    Ok(stream.into())
}
