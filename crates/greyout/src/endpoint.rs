//! What a client does in one attempt.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

/// An endpoint and the way to use it once. Every attempt makes a new connection.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// Sends a line and expects the same line back.
    Echo(SocketAddr),
    /// The same at a local socket. A path below `/proc/PID/root` leads into a container.
    UnixEcho(PathBuf),
    /// Gets a page over HTTP and expects status 200 and a body.
    Http {
        /// Where.
        address: SocketAddr,
        /// Which page, with the leading slash.
        path: String,
    },
}

impl Endpoint {
    /// One use of the endpoint: `Ok` for a whole and right reply. Each step may take `timeout`.
    ///
    /// # Errors
    /// What the connection said; `InvalidData` for a reply that is not the expected one; `UnexpectedEof` for one cut
    /// short.
    pub fn attempt(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Endpoint::Echo(address) => echo(connect(address, timeout)?),
            Endpoint::UnixEcho(path) => echo(connect_unix(path, timeout)?),
            Endpoint::Http { address, path } => {
                let mut stream = connect(address, timeout)?;
                write!(
                    stream,
                    "GET {path} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n",
                    address.ip()
                )?;
                let mut reply = Vec::new();
                stream.read_to_end(&mut reply)?;
                check_http(&reply)
            }
        }
    }
}

fn echo(mut stream: impl Read + Write) -> io::Result<()> {
    let line = b"softboot greyout probe\n";
    stream.write_all(line)?;
    let mut reply = vec![0; line.len()];
    stream.read_exact(&mut reply)?;
    if reply == line {
        Ok(())
    } else {
        Err(wrong("the echo differs from what was sent"))
    }
}

/// Where the queue of a local socket is full, connect(2) waits as long as SO_SNDTIMEO says.
fn connect_unix(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&socket, Timeout::Send, Some(timeout))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(timeout))?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

fn connect(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn check_http(reply: &[u8]) -> io::Result<()> {
    let Some(head) = reply.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the reply ends inside its head",
        ));
    };
    let status = reply.splitn(3, |&byte| byte == b' ').nth(1);
    if status != Some(b"200") {
        return Err(wrong("the status is not 200"));
    }
    if reply.len() == head + 4 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the reply has no body",
        ));
    }
    Ok(())
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::attempt::Outcome;

    #[test]
    fn a_local_socket_echoes_stays_silent_or_is_not_there() {
        let path = std::env::temp_dir().join(format!("softboot-echo-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let endpoint = Endpoint::UnixEcho(path.clone());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 64];
            let length = stream.read(&mut buffer).unwrap();
            stream.write_all(&buffer[..length]).unwrap();
            listener
        });
        endpoint.attempt(Duration::from_secs(10)).unwrap();
        let listener = server.join().unwrap();
        let outcome = |timeout| Outcome::of_error(&endpoint.attempt(timeout).unwrap_err());
        assert_eq!(outcome(Duration::from_millis(10)), Outcome::TimedOut);
        drop(listener);
        assert_eq!(outcome(Duration::from_secs(10)), Outcome::Refused);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(outcome(Duration::from_secs(10)), Outcome::Refused);
    }

    #[test]
    fn a_page_needs_status_200_and_a_body() {
        assert!(check_http(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nhello").is_ok());
        let kind = |reply: &[u8]| check_http(reply).unwrap_err().kind();
        assert_eq!(kind(b"HTTP/1.0 503 No\r\n\r\nhello"), io::ErrorKind::InvalidData);
        assert_eq!(kind(b"HTTP/1.0 200 OK\r\n\r\n"), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(b""), io::ErrorKind::UnexpectedEof);
    }
}
