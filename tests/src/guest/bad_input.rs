//! Scenario 6: mistakes in unit files, and noise on every socket of PID 1.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;
use std::time::Duration;

use super::check::Output;
use super::net::{ECHO, HELLO, HTTP};
use super::{Options, control, processes};
use crate::error::{Context, Error};

/// The lines of broken.service that hold a mistake.
const MISTAKES: [u64; 3] = [4, 8, 9];
const NOTIFY: &str = "/run/systemd/notify";
const ROUNDS: usize = 200;

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let init = processes::process(1).map(|process| process.start);

    let broken = control::Unit::get("broken.service")?;
    let found = broken.mistakes();
    for line in MISTAKES {
        let is_reported = found
            .iter()
            .any(|(file, at)| file.ends_with("/broken.service") && *at == line);
        output.check(
            is_reported,
            format!("the mistake in line {line} of broken.service is reported: {found:?}"),
        )?;
    }
    output.same(
        &broken.load(),
        &"bad-setting",
        "a service without a command cannot be used",
    )?;
    let status = Command::new("softctl")
        .arg("status")
        .output()
        .doing("running softctl status")?;
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    output.check(
        text.contains("broken.service:4"),
        "softctl status names the file and the line",
    )?;
    output.same(
        &control::Unit::get("multi-user.target")?.active(),
        &"active",
        "everything else has booted",
    )?;

    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        let socket = UnixDatagram::unbound().doing("making a datagram socket")?;
        socket
            .set_write_timeout(Some(Duration::from_secs(5)))
            .doing("setting a time-out")?;
        let size = noise.below(4096);
        socket
            .send_to(&noise.bytes(size), NOTIFY)
            .doing(format!("sending noise to {NOTIFY}"))?;
    }
    alive(
        output,
        init,
        format!("{ROUNDS} random datagrams on the notify socket"),
    )?;

    for round in 0..ROUNDS {
        let mut stream = UnixStream::connect(control::SOCKET).doing("connecting to the control socket")?;
        stream
            .set_write_timeout(Some(Duration::from_secs(5)))
            .doing("setting a time-out")?;
        let size = noise.below(8192);
        let message = match round % 5 {
            0 => noise.bytes(size),
            1 => [noise.bytes(size), vec![0]].concat(),
            2 => b"{\"method\":7,\"parameters\":[]}\0".to_vec(),
            3 => b"{\"method\":\"io.softboot.Manager.GetUnit\",\"parameters\":{\"name\":".to_vec(),
            _ => [vec![b'['; size], vec![0]].concat(),
        };
        // PID 1 may hang up in the middle of it.
        let _ = stream.write_all(&message);
    }
    alive(
        output,
        init,
        format!("{ROUNDS} random and half messages on the control socket"),
    )?;

    for address in [HTTP, ECHO, HELLO] {
        for _ in 0..20 {
            let size = noise.below(2048);
            let mut stream = TcpStream::connect(address).doing(format!("connecting to {address}"))?;
            let _ = stream.write_all(&noise.bytes(size));
        }
    }
    let datagrams = UdpSocket::bind("127.0.0.1:0").doing("making a datagram socket")?;
    for _ in 0..20 {
        let size = noise.below(1024);
        datagrams
            .send_to(&noise.bytes(size), ECHO)
            .doing("sending noise to the echo service")?;
    }
    alive(output, init, "random bytes on every listening socket")
}

fn alive(output: &mut Output, init: Option<u64>, after: impl std::fmt::Display) -> Result<(), Error> {
    let (state, _) = control::status()?;
    let same = processes::process(1).map(|process| process.start) == init && !state.is_empty();
    output.check(same, format!("PID 1 lives and answers after {after}"))
}

/// Reproducible noise (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> usize {
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_be_bytes()[0]).collect()
    }
}
