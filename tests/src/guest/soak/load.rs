//! The clients.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use crate::error::{Context as _, Error};
use crate::guest::check::{PATIENCE, wait_for};

/// The first port of the TCP sockets.
const PORT: u16 = 7100;
/// Threads, each with one connection at a time.
const CLIENTS: u16 = 4;
/// Between two connections of a thread.
const PAUSE: Duration = Duration::from_millis(2);

/// What ListenStream= says.
pub(super) fn address(number: u16) -> String {
    if number.is_multiple_of(2) {
        (PORT + number).to_string()
    } else {
        format!("/run/soak/{number}.sock")
    }
}

/// Threads that connect all the time.
pub(super) struct Load<'scope> {
    threads: Vec<ScopedJoinHandle<'scope, Result<BTreeMap<u16, u64>, Error>>>,
    served: &'scope [AtomicU64],
    broken: &'scope AtomicBool,
}

impl<'scope> Load<'scope> {
    pub(super) fn start(
        scope: &'scope Scope<'scope, '_>,
        running: &'scope AtomicBool,
        sockets: u16,
    ) -> Load<'scope> {
        // As long as the program, which has one load.
        let served: &'static [AtomicU64] = (0..sockets).map(|_| AtomicU64::new(0)).collect::<Vec<_>>().leak();
        let broken: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        let threads = (0..CLIENTS)
            .map(|thread| {
                scope.spawn(move || {
                    let result = client(thread, running, served);
                    broken.fetch_or(result.is_err(), Ordering::Relaxed);
                    result
                })
            })
            .collect();
        Load {
            threads,
            served,
            broken,
        }
    }

    /// No client has met anything but a whole answer.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::Check(
                "a client was not answered as it should be".to_owned(),
            ));
        }
        Ok(())
    }

    /// Waits until each socket has answered once more.
    pub(super) fn all_served(&self) -> Result<(), Error> {
        let count = || -> Vec<u64> {
            self.served
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect()
        };
        let before = count();
        wait_for("each socket to answer", || {
            self.check()?;
            let more = count().iter().zip(&before).all(|(now, then)| now > then);
            Ok((more || self.broken.load(Ordering::Relaxed)).then_some(()))
        })?;
        self.check()
    }

    /// How often each socket answered, or what the first client met that was not answered.
    pub(super) fn join(self) -> Result<BTreeMap<u16, u64>, Error> {
        let mut all = BTreeMap::new();
        for thread in self.threads {
            let counts = thread
                .join()
                .map_err(|_| Error::Check("a client thread panicked".to_owned()))??;
            for (socket, count) in counts {
                *all.entry(socket).or_insert(0) += count;
            }
        }
        Ok(all)
    }
}

fn client(thread: u16, running: &AtomicBool, served: &[AtomicU64]) -> Result<BTreeMap<u16, u64>, Error> {
    let mut counts = BTreeMap::new();
    let mut round = 0_u64;
    while running.load(Ordering::Relaxed) {
        for (number, total) in (0_u16..)
            .zip(served)
            .cycle()
            .skip(usize::from(thread) * 5)
            .take(served.len())
        {
            round += 1;
            let text = format!("client {thread} connection {round}\n");
            let reply = ask(number, &text).map_err(|error| {
                Error::Check(format!(
                    "socket {number} ({}), {}: {error}",
                    address(number),
                    text.trim()
                ))
            })?;
            if reply != text {
                return Err(Error::Check(format!(
                    "socket {number}: {reply:?} instead of {text:?}"
                )));
            }
            *counts.entry(number).or_insert(0) += 1;
            total.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(PAUSE);
        }
    }
    Ok(counts)
}

fn ask(number: u16, text: &str) -> Result<String, Error> {
    if number.is_multiple_of(2) {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT + number));
        let stream = TcpStream::connect_timeout(&to, PATIENCE).doing("connecting")?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .doing("setting a time-out")?;
        converse(stream, text)
    } else {
        let stream = UnixStream::connect(address(number)).doing("connecting")?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .doing("setting a time-out")?;
        converse(stream, text)
    }
}

fn converse(mut stream: impl Read + Write, text: &str) -> Result<String, Error> {
    stream.write_all(text.as_bytes()).doing("sending")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).doing("reading")?;
    Ok(reply)
}
