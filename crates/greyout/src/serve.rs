//! A service to be probed: answers what every kind of probe asks, and ends as a service should.
//!
//! | standard input | is served by |
//! |---|---|
//! | a listening socket | each connection on a thread of its own: lines come back; a request of HTTP gets a page |
//! | a connection | the same, and that was it (`Accept=yes`) |
//! | a datagram socket | each datagram comes back |
//!
//! On SIGTERM nobody new is taken; who is connected and has had no reply yet gets one before the end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};
use signal_hook::consts::SIGTERM;

/// How long those who have had no reply are waited for.
const LAST: Duration = Duration::from_secs(1);
/// No line and no datagram is longer.
const LONGEST: usize = 64 << 10;
const PAGE: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

/// Serves standard input until SIGTERM.
///
/// # Errors
/// It is no socket, or cannot be served any more.
pub fn serve_stdin() -> io::Result<()> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    serve(socket)
}

/// Serves a socket until SIGTERM.
///
/// # Errors
/// It is no socket, or cannot be served any more.
pub fn serve(socket: OwnedFd) -> io::Result<()> {
    if sockopt::socket_type(&socket)? == SocketType::DGRAM {
        return datagrams(UdpSocket::from(socket));
    }
    let unix = sockopt::socket_domain(&socket)? == AddressFamily::UNIX;
    if sockopt::socket_acceptconn(&socket)? {
        return match unix {
            true => UnixListener::from(socket).accept_all(),
            false => TcpListener::from(socket).accept_all(),
        };
    }
    let busy = Busy::default();
    match unix {
        true => converse(UnixStream::from(socket), busy),
        false => converse(TcpStream::from(socket), busy),
    }
}

/// Who is connected and waits for a reply.
#[derive(Clone, Debug, Default)]
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn begin(&self) -> Waiting {
        self.0.fetch_add(1, Ordering::Relaxed);
        Waiting(Arc::clone(&self.0))
    }

    fn wait_for_none(&self) {
        let begun = Instant::now();
        while self.0.load(Ordering::Relaxed) > 0 && begun.elapsed() < LAST {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The two kinds of listening sockets are alike in all but their types.
trait Listen: AsFd {
    type Stream: Read + Write + Send + 'static;

    fn unblock(&self) -> io::Result<()>;
    fn take(&self) -> io::Result<Self::Stream>;

    fn accept_all(self) -> io::Result<()>
    where
        Self: Sized,
    {
        self.unblock()?;
        let end = sigterm()?;
        let busy = Busy::default();
        while wait(&self, &end)? {
            match self.take() {
                Ok(stream) => {
                    let busy = busy.clone();
                    // It has come, so it is owed a reply.
                    let waiting = busy.begin();
                    std::thread::Builder::new().spawn(move || {
                        // A client that goes away does so at its own cost.
                        let _ = converse_after(stream, busy, Some(waiting));
                    })?;
                }
                // It went away again.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
        busy.wait_for_none();
        Ok(())
    }
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    fn unblock(&self) -> io::Result<()> {
        self.set_nonblocking(true)
    }

    fn take(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept()?;
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Listen for UnixListener {
    type Stream = UnixStream;

    fn unblock(&self) -> io::Result<()> {
        self.set_nonblocking(true)
    }

    fn take(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.accept()?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    }
}

fn converse(stream: impl Read + Write, busy: Busy) -> io::Result<()> {
    converse_after(stream, busy, None)
}

/// Answers until the client ends. The first reply may be owed already.
fn converse_after(stream: impl Read + Write, busy: Busy, mut waiting: Option<Waiting>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let line = line(&mut stream)?;
        if line.is_empty() {
            return Ok(());
        }
        let owed = waiting.take().unwrap_or_else(|| busy.begin());
        if line.starts_with(b"GET ") {
            while !matches!(self::line(&mut stream)?.as_slice(), b"\r\n" | b"\n" | b"") {}
            stream.get_mut().write_all(PAGE)?;
            drop(owed);
            return Ok(());
        }
        stream.get_mut().write_all(&line)?;
        drop(owed);
    }
}

/// With its end; empty at the end of all.
fn line(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    stream.take(LONGEST as u64).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn datagrams(socket: UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let end = sigterm()?;
    let mut buffer = vec![0; LONGEST];
    while wait(&socket, &end)? {
        match socket.recv_from(&mut buffer) {
            // A full queue loses it, as a network would.
            Ok((length, from)) => drop(socket.send_to(buffer.get(..length).unwrap_or_default(), from)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Readable once SIGTERM came.
fn sigterm() -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGTERM, write)?;
    Ok(read)
}

/// Until somebody comes; false at the end.
fn wait(socket: &impl AsFd, end: &UnixStream) -> io::Result<bool> {
    loop {
        let mut fds = [
            PollFd::new(end, PollFlags::IN),
            PollFd::new(socket, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [end, socket] = fds.map(|fd| !fd.revents().is_empty());
        if end {
            return Ok(false);
        }
        if socket {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::attempt::Outcome;
    use crate::endpoint::{Client, Endpoint, Peer};

    fn ask(endpoint: Endpoint) -> Outcome {
        Client::new(endpoint, Duration::from_secs(5)).attempt()
    }

    /// Left alone at the end of the test: what it waits for is a signal to the whole process.
    fn background(socket: impl Into<OwnedFd>) {
        let socket = socket.into();
        std::thread::spawn(move || serve(socket));
    }

    #[test]
    fn every_kind_of_probe_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        background(UnixListener::bind(&path).unwrap());
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = tcp.local_addr().unwrap();
        background(tcp);
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let datagrams = udp.local_addr().unwrap();
        background(udp);
        for endpoint in [
            Endpoint::UnixEcho(path.clone()),
            Endpoint::Echo(address),
            Endpoint::Http {
                address,
                path: "/".to_owned(),
            },
            Endpoint::Activation(Peer::Unix(path.clone())),
            Endpoint::Udp(datagrams),
        ] {
            assert_eq!(ask(endpoint.clone()), Outcome::Good, "{endpoint}");
        }
        let mut held = Client::new(Endpoint::Held(Peer::Tcp(address)), Duration::from_secs(5));
        assert_eq!([held.attempt(), held.attempt()], [Outcome::Good; 2]);
        assert!(!held.reconnected());
    }

    #[test]
    fn a_connection_is_served_to_its_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let served = std::thread::spawn(move || serve(OwnedFd::from(theirs)));
        let mut ours = ours;
        ours.write_all(b"one\ntwo\n").unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        assert_eq!(said, "one\ntwo\n");
        served.join().unwrap().unwrap();
    }
}
