//! A UDP echo on mio that executes itself anew on SIGHUP: same process, same socket, and the datagrams that came in
//! between wait in it.
//!
//! ```sh
//! cargo run -p fdstore --example udp_mio 127.0.0.1:7000
//! kill -HUP PID
//! ```

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;

use fdstore::{Program, Startup};
use mio::net::UdpSocket;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::os::fd::AsRawFd as _;

type Failure = Box<dyn std::error::Error>;

const ECHO: Token = Token(0);
const HANGUP: Token = Token(1);

fn main() -> Result<(), Failure> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let mut startup = Startup::from_env("echo", None)?;
    let socket: std::net::UdpSocket = startup.socket("echo", || std::net::UdpSocket::bind(&address))?;
    socket.set_nonblocking(true)?;
    let mut socket = UdpSocket::from_std(socket);
    let (hangups, signal) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGHUP, signal)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut socket, ECHO, Interest::READABLE)?;
    let hangup = hangups.as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&hangup), HANGUP, Interest::READABLE)?;
    startup.ready()?;
    println!(
        "{} serves {}, {}",
        std::process::id(),
        socket.local_addr()?,
        startup.origin
    );

    let mut events = Events::with_capacity(16);
    let mut buffer = vec![0; 65_536];
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            match event.token() {
                HANGUP => {
                    (&hangups).read_exact(&mut [0])?;
                    let handoff = startup.store.handoff()?;
                    let error = handoff.exec_program(&Program::current()?);
                    eprintln!("going on as before: {error}");
                }
                _ => echo(&socket, &mut buffer)?,
            }
        }
    }
}

/// Answers everything that is there. Edge triggered: all of it has to be read.
fn echo(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        match socket.recv_from(buffer) {
            Ok((length, from)) => drop(socket.send_to(buffer.get(..length).unwrap_or_default(), from)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
