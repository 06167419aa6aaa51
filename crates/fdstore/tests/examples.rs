//! The examples, upgraded a hundred times under constant load: no request is refused, reset or answered with less than
//! all of it; and each goes through what else can happen to it.
//!
//! One program that starts others: it is the reaper of those whose parents have ended.

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Outcome, Test, exit, expect, open_now, run, text};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};

const UPGRADES: usize = 100;
/// For one step; a busy machine is slow.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let tests: [(&str, Test); 5] = [
        ("http_std_is_upgraded_a_hundred_times_under_load", || {
            http("http_std")
        }),
        ("http_tokio_is_upgraded_a_hundred_times_under_load", || {
            http("http_tokio")
        }),
        ("a_next_program_that_fails_changes_nothing", failing),
        ("udp_mio_answers_every_datagram_through_a_hundred_execs", udp),
        ("stateful_goes_on_counting_for_clients_that_stay", stateful),
    ];
    if let Err(error) = set_child_subreaper(Some(rustix::process::getpid())) {
        return exit(Err(text(error)));
    }
    run(&tests, open_now)
}

/// An example that runs, and the newest process of it.
struct Example {
    first: Child,
    output: BufReader<ChildStdout>,
    pid: Pid,
    address: SocketAddr,
}

impl Example {
    fn start(program: &Path) -> Result<Example, String> {
        let mut command = Command::new(program);
        let mut first = command
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let mut example = Example {
            output: BufReader::new(first.stdout.take().ok_or("no output")?),
            pid: Pid::from_child(&first),
            first,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        example.next("started with nothing")?;
        Ok(example)
    }

    /// Waits for the line that a program says when it serves.
    fn next(&mut self, origin: &str) -> Outcome {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(text)?;
        let words: Vec<&str> = line.trim().splitn(4, ' ').collect();
        let [pid, "serves", address, from] = words[..] else {
            return Err(format!("it says {line:?}"));
        };
        expect(from == origin, || format!("it was {from}, not {origin}"))?;
        self.pid = pid.parse().ok().and_then(Pid::from_raw).ok_or("no pid")?;
        self.address = address.trim_end_matches(',').parse().map_err(text)?;
        Ok(())
    }

    fn hang_up(&mut self, origin: &str) -> Outcome {
        kill_process(self.pid, Signal::HUP).map_err(text)?;
        self.next(origin)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // Those before the last one have ended by themselves.
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = self.first.wait();
        while let Ok(Some(_)) = wait(WaitOptions::empty()) {}
    }
}

/// Examples are built beside the tests.
fn program(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(text)?;
    let target = own
        .parent()
        .and_then(|deps| deps.parent())
        .ok_or("no target directory")?;
    let program = target.join("examples").join(name);
    expect(program.exists(), || {
        format!(
            "{} is missing: cargo build --package fdstore --examples",
            program.display()
        )
    })?;
    Ok(program)
}

/// A whole request and a whole answer: the pid of who answered.
fn request(address: SocketAddr) -> Result<i32, String> {
    let mut connection = TcpStream::connect(address).map_err(|error| format!("connecting: {error}"))?;
    connection.set_read_timeout(Some(LIMIT)).map_err(text)?;
    connection
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .map_err(|error| format!("asking: {error}"))?;
    let mut answer = String::new();
    connection
        .read_to_string(&mut answer)
        .map_err(|error| format!("reading: {error}"))?;
    let body = answer
        .strip_prefix("HTTP/1.1 200 OK\r\n")
        .and_then(|rest| rest.split_once("\r\n\r\n"))
        .map(|(_, body)| body.trim())
        .ok_or_else(|| format!("the answer is {answer:?}"))?;
    body.parse().map_err(|error| format!("{body:?}: {error}"))
}

fn http(name: &str) -> Outcome {
    let mut example = Example::start(&program(name)?)?;
    let address = example.address;
    let stop = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let load = || -> Outcome {
        while !stop.load(Ordering::Relaxed) {
            request(address)?;
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let clients = [(); 4].map(|()| scope.spawn(load));
        let mut upgrade = || -> Outcome {
            for _ in 0..UPGRADES {
                let (before, begun) = (example.pid, answered.load(Ordering::Relaxed));
                example.hang_up("started by the program before it")?;
                expect(example.pid != before, || "it is the same process".to_owned())?;
                // Each generation has work to do before the next comes.
                while answered.load(Ordering::Relaxed) < begun + 20
                    && !clients.iter().any(|client| client.is_finished())
                {
                    std::thread::yield_now();
                }
            }
            Ok(())
        };
        let upgraded = upgrade();
        stop.store(true, Ordering::Relaxed);
        let answers: Vec<Outcome> = clients
            .map(|client| client.join().unwrap_or(Err("a panic".to_owned())))
            .into();
        upgraded.and(answers.into_iter().collect::<Outcome>())
    })?;
    // Every program before the last one ends once it has nothing to do.
    let deadline = Instant::now() + LIMIT;
    let mut ended = 0;
    while ended < UPGRADES {
        expect(Instant::now() < deadline, || format!("only {ended} have ended"))?;
        match wait(WaitOptions::NOHANG).map_err(text)? {
            Some((pid, status)) => {
                expect(pid != example.pid && status.exit_status() == Some(0), || {
                    format!("{pid:?}: {status:?}")
                })?;
                ended += 1;
            }
            None => std::thread::yield_now(),
        }
    }
    Ok(())
}

/// The file of the program is replaced by things that cannot take over, then put back.
fn failing() -> Outcome {
    let directory = tempfile::tempdir().map_err(text)?;
    let copy = directory.path().join("server");
    let good = program("http_std")?;
    std::fs::copy(&good, &copy).map_err(text)?;
    let mut example = Example::start(&copy)?;
    let pid = example.pid;
    for bad in ["/bin/false", "/bin/true", "/etc/passwd"] {
        replace(&copy, bad.as_ref())?;
        kill_process(pid, Signal::HUP).map_err(text)?;
        for _ in 0..50 {
            expect(request(example.address)? == pid.as_raw_nonzero().get(), || {
                format!("{bad} took over")
            })?;
        }
    }
    replace(&copy, &good)?;
    example.hang_up("started by the program before it")?;
    expect(example.pid != pid, || "it is the same process".to_owned())?;
    // The new one says that it serves before the old one has heard of it: until then both take connections.
    let begun = Instant::now();
    while request(example.address)? != example.pid.as_raw_nonzero().get() {
        expect(begun.elapsed() < LIMIT, || {
            "the old one goes on answering".to_owned()
        })?;
    }
    Ok(())
}

/// A running program cannot be written to, only replaced.
fn replace(path: &Path, by: &Path) -> Outcome {
    let beside = path.with_extension("new");
    std::fs::copy(by, &beside).map_err(text)?;
    std::fs::rename(&beside, path).map_err(text)
}

fn udp() -> Outcome {
    let mut example = Example::start(&program("udp_mio")?)?;
    let (pid, address) = (example.pid, example.address);
    let client = UdpSocket::bind("127.0.0.1:0").map_err(text)?;
    client.connect(address).map_err(text)?;
    client.set_read_timeout(Some(LIMIT)).map_err(text)?;
    let mut number = 0_u64;
    for _ in 0..UPGRADES {
        kill_process(pid, Signal::HUP).map_err(text)?;
        // They come before, during and after the exec.
        for _ in 0..20 {
            client.send(&number.to_le_bytes()).map_err(text)?;
            number += 1;
        }
        example.next("executed by itself")?;
        expect((example.pid, example.address) == (pid, address), || {
            "it has moved".to_owned()
        })?;
        for expected in number - 20..number {
            let mut buffer = [0; 8];
            client
                .recv(&mut buffer)
                .map_err(|error| format!("datagram {expected}: {error}"))?;
            let got = u64::from_le_bytes(buffer);
            expect(got == expected, || format!("{got} came in place of {expected}"))?;
        }
    }
    Ok(())
}

fn stateful() -> Outcome {
    let mut example = Example::start(&program("stateful")?)?;
    let pid = example.pid;
    let connect = || -> Result<BufReader<TcpStream>, String> {
        let client = TcpStream::connect(example.address).map_err(text)?;
        client.set_read_timeout(Some(LIMIT)).map_err(text)?;
        Ok(BufReader::new(client))
    };
    let mut clients = [connect()?, connect()?, connect()?];
    let say = |client: &mut BufReader<TcpStream>, what: &str| {
        client.get_mut().write_all(what.as_bytes()).map_err(text)
    };
    let count = |client: &mut BufReader<TcpStream>| -> Result<u64, String> {
        let mut line = String::new();
        client.read_line(&mut line).map_err(text)?;
        line.trim().parse().map_err(|error| format!("{line:?}: {error}"))
    };
    for round in 1..=UPGRADES as u64 {
        for client in &mut clients {
            // Half a line before, the other half after.
            say(client, "one\ntw")?;
            let lines = count(client)?;
            expect(lines == round * 2 - 1, || format!("{lines} in round {round}"))?;
        }
        example.hang_up("executed by itself")?;
        expect(example.pid == pid, || "it is another process".to_owned())?;
        for client in &mut clients {
            say(client, "o\n")?;
            let lines = count(client)?;
            expect(lines == round * 2, || format!("{lines} after round {round}"))?;
        }
    }
    Ok(())
}
