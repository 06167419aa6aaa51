//! The bare kernel doing what PID 1 cannot do without.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::process::{Command, Stdio};

use fdstore::memfd::{read_sealed, sealed_memfd};
use fdstore::{FdStore, Program};
use rustix::event::epoll;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use rustix::time::{ClockId, clock_gettime};

use crate::error::{Context as _, Error};
use crate::measure::Stopwatch;

/// When it began, in nanoseconds of CLOCK_MONOTONIC.
const BEGUN: &str = "SOFTBOOT_BENCH_BEGUN";
/// The first and last descriptor, and the memory file's.
const NUMBERS: &str = "SOFTBOOT_BENCH_NUMBERS";

/// Makes, binds and listens on so many unix sockets, and watches them. In microseconds.
pub(super) fn sockets(count: usize) -> Result<f64, Error> {
    // As /run is in the container: binding on a disk would measure the disk.
    let directory = tempfile::tempdir_in("/dev/shm").context("making a directory on a tmpfs")?;
    let mut watch = Stopwatch::default();
    let made = watch.time(|| -> Result<Vec<OwnedFd>, Error> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).context("making an epoll")?;
        let mut all = vec![];
        for number in 0..count {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).context("a socket")?;
            let address = directory.path().join(number.to_string());
            bind(&fd, &SocketAddrUnix::new(&address).context("an address")?).context("binding")?;
            listen(&fd, 4096).context("listening")?;
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&poll, &fd, data, epoll::EventFlags::IN).context("watching")?;
            all.push(fd);
        }
        all.push(poll);
        Ok(all)
    })?;
    drop(made);
    Ok(watch.micros())
}

/// execve of this program, reading so many bytes of a memory file, and one fstat for each of so many descriptors, in a
/// process of its own. In microseconds.
pub(super) fn spawn(descriptors: f64, bytes: f64) -> Result<f64, Error> {
    let output = Command::new("/proc/self/exe")
        .args(["exec-and-read", &format!("{descriptors}"), &format!("{bytes}")])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("starting a child")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().context("what the child measured")
}

/// The child of [`handoff`](super::handoff)'s floor, before and after its exec; prints the time in microseconds.
pub fn exec_and_read(descriptors: usize, bytes: usize) -> Result<(), Error> {
    if let Ok(begun) = std::env::var(BEGUN) {
        return after(begun.parse().context("the time of the beginning")?);
    }
    let state = sealed_memfd("floor", &vec![b' '; bytes]).context("making a memory file")?;
    let fds: Vec<OwnedFd> = (0..descriptors)
        .map(|_| {
            socket_with(
                AddressFamily::UNIX,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            )
        })
        .collect::<Result<_, _>>()
        .context("making sockets")?;
    let numbers = fds.iter().map(|fd| fd.as_raw_fd());
    let (first, last) = (numbers.clone().min().unwrap_or(0), numbers.max().unwrap_or(-1));
    let program = Program::current()
        .context("finding this program")?
        .env(NUMBERS, format!("{first} {last} {}", state.as_raw_fd()))
        .env(BEGUN, nanos().to_string());
    // They are closed on exec, as PID 1's are, and have to be let through.
    for fd in fds.iter().map(|fd| fd.as_fd()).chain([state.as_fd()]) {
        fcntl_setfd(fd, FdFlags::empty()).context("opening for exec")?;
    }
    let empty = FdStore::new();
    let handoff = empty.handoff().context("preparing")?;
    Err(handoff.exec_program(&program)).context("executing")
}

fn after(begun: u64) -> Result<(), Error> {
    let numbers = std::env::var(NUMBERS).context("the numbers")?;
    let mut numbers = numbers.split(' ').map(str::parse::<i32>);
    let mut next = || numbers.next().and_then(Result::ok).context("a number");
    let (first, last, state) = (next()?, next()?, next()?);
    let mut looked = 0_usize;
    for number in first..=last {
        // Looks and takes nothing: the number stays with the kernel.
        softboot_sys::inherited::claim(number, &mut |fd| {
            looked = looked.saturating_add(usize::from(rustix::fs::fstat(fd).is_ok()));
            false
        });
    }
    let mut read = 0;
    softboot_sys::inherited::claim(state, &mut |fd| {
        read = read_sealed(fd, u64::MAX).map_or(0, |bytes| bytes.len());
        false
    });
    let time = nanos().saturating_sub(begun) as f64 / 1e3;
    if looked == 0 || read == 0 {
        return None.context("something to look at");
    }
    println!("{time}");
    Ok(())
}

fn nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec)
        .unwrap_or(0)
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}
