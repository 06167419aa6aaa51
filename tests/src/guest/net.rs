//! Clients of the demo image's services.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::check::PATIENCE;
use crate::error::{Context, Error};

/// lighttpd.socket.
pub(super) const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
/// echo-store.socket.
pub(super) const ECHO: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7000);
/// hello.socket.
pub(super) const HELLO: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7001);

/// A connection that waits, but not for ever.
pub(super) fn connect(address: SocketAddr) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).doing(format!("connecting to {address}"))?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .doing("setting a time-out")?;
    stream
        .set_write_timeout(Some(Duration::from_secs(5)))
        .doing("setting a time-out")?;
    Ok(stream)
}

/// Asks for the page over `stream`.
pub(super) fn ask_for_page(stream: &mut TcpStream) -> Result<(), Error> {
    stream
        .write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .doing("asking for the page")
}

/// The reply to [`ask_for_page`].
pub(super) fn read_page(stream: &mut TcpStream) -> Result<String, Error> {
    let mut reply = String::new();
    stream.read_to_string(&mut reply).doing("reading the page")?;
    Ok(reply)
}

/// The reply to one request for the page.
pub(super) fn fetch() -> Result<String, Error> {
    let mut stream = connect(HTTP)?;
    ask_for_page(&mut stream)?;
    read_page(&mut stream)
}

/// Whether this is the demo page, whole.
pub(super) fn is_page(reply: &str) -> bool {
    reply.starts_with("HTTP/1.") && reply.contains(" 200 ") && reply.trim_end().ends_with("</html>")
}

/// Sends `text` and expects it back.
pub(super) fn echo(stream: &mut TcpStream, text: &str) -> Result<(), Error> {
    stream
        .write_all(text.as_bytes())
        .doing("sending to the echo service")?;
    let mut reply = vec![0; text.len()];
    stream
        .read_exact(&mut reply)
        .doing("reading from the echo service")?;
    if reply == text.as_bytes() {
        return Ok(());
    }
    Err(Error::Check(format!(
        "the echo of {text:?} is {:?}",
        String::from_utf8_lossy(&reply)
    )))
}
