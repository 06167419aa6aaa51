//! The events socket, from both sides, and the word to the manager that the agent is up.

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where guest programs send their events, one datagram of JSON lines each.
const EVENTS: &str = "/run/softboot-vm/events";
/// The event that stands for "the default target is up".
pub(crate) const READY_EVENT: &str = r#"{"type":"ready"}"#;
/// How long a sender waits for an agent that has not made its socket yet.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the events socket anew; one left by a former agent is replaced.
pub(crate) fn bind_events() -> io::Result<UnixDatagram> {
    if let Some(directory) = Path::new(EVENTS).parent() {
        std::fs::create_dir_all(directory)?;
    }
    match std::fs::remove_file(EVENTS) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixDatagram::bind(EVENTS)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sends one event to the agent; waits for the agent to come up, but not for ever.
pub(crate) fn send_event(json: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    let start = Instant::now();
    loop {
        match socket.send_to(json.as_bytes(), EVENTS) {
            Ok(_) => return Ok(()),
            Err(error)
                if start.elapsed() < PATIENCE
                    && matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                    ) =>
            {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => {
                return Err(io::Error::new(
                    error.kind(),
                    format!("sending to {EVENTS}: {error}"),
                ));
            }
        }
    }
}

/// Tells the manager that the agent serves, as sd_notify(3) describes; nothing where no manager asks.
pub(crate) fn manager_ready() -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let bytes = path.as_encoded_bytes();
    let address = match bytes.split_first() {
        Some((b'@', name)) => SocketAddrUnix::new_abstract_name(name)?,
        _ => SocketAddrUnix::new(bytes)?,
    };
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::sendto(
        &socket,
        b"READY=1\nSTATUS=Serving the host\n",
        SendFlags::empty(),
        &address,
    )?;
    Ok(())
}
