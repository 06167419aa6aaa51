//! Scenario 5: daemon-reexec with clients in the queue, and with a service that dies in the middle of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::check::{Output, wait_for};
use super::net::{HELLO, HTTP, ask_for_page, connect, is_page, read_page};
use super::{Options, control, processes};
use crate::error::{Context, Error};
use std::io::Read;

/// The service that dies; it has Restart=on-failure.
const VICTIM: &str = "echo-store.service";

pub(super) fn run(output: &mut Output, options: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let init = processes::process(1).map(|process| process.start);
    let mut clients = 0;
    for round in 0..options.count {
        // Down, so that every connection needs PID 1 to be answered.
        control::stop("lighttpd.service")?;
        clients += clients_around_a_reexec(Duration::from_millis(u64::from(round)))?;
    }
    output.check(
        true,
        format!(
            "{clients} connections before, during and after {} re-execs are answered",
            options.count
        ),
    )?;
    let mut noticed = 0;
    for round in 0..options.count {
        let before = wait_for(format!("a main process of {VICTIM}"), || {
            drop(connect(super::net::ECHO)?);
            let pid = control::Unit::get(VICTIM)?.main_pid();
            Ok((pid != 0).then_some(pid))
        })?;
        die_around_a_reexec(before, Duration::from_millis(u64::from(round)))?;
        wait_for(
            format!("the notice that process {before} of {VICTIM} died, and its restart"),
            || {
                let pid = control::Unit::get(VICTIM)?.main_pid();
                Ok((pid != 0 && pid != before).then_some(()))
            },
        )?;
        noticed += 1;
    }
    output.check(
        true,
        format!("{noticed} deaths around as many re-execs are noticed, and the service restarted"),
    )?;
    let zombies = processes::all()?
        .into_iter()
        .filter(|process| process.state == 'Z')
        .count();
    output.same(&zombies, &0, "no zombie is left")?;
    output.same(
        &processes::process(1).map(|process| process.start),
        &init,
        "PID 1 is the same process",
    )
}

/// Clients connect without a pause while PID 1 re-executes itself, `delay` after the first of them.
fn clients_around_a_reexec(delay: Duration) -> Result<usize, Error> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let pages = scope.spawn(|| {
            let mut count = 0;
            loop {
                let last = done.load(Ordering::Relaxed);
                let mut stream = connect(HTTP)?;
                ask_for_page(&mut stream)?;
                let reply = read_page(&mut stream)?;
                if !is_page(&reply) {
                    return Err(Error::Check(format!("this is not the page: {reply:?}")));
                }
                count += 1;
                if last {
                    return Ok(count);
                }
            }
        });
        let greetings = scope.spawn(|| {
            let mut count = 0;
            loop {
                let last = done.load(Ordering::Relaxed);
                let mut reply = String::new();
                connect(HELLO)?
                    .read_to_string(&mut reply)
                    .doing("reading a greeting")?;
                if !reply.starts_with("hello from ") {
                    return Err(Error::Check(format!("this is no greeting: {reply:?}")));
                }
                count += 1;
                // A pause, because MaxConnections= and the trigger limit of hello.socket are not what is tested here.
                std::thread::sleep(Duration::from_millis(20));
                if last {
                    return Ok(count);
                }
            }
        });
        std::thread::sleep(delay);
        let reexec = control::reexec();
        done.store(true, Ordering::Relaxed);
        let gone = || Error::Check("a client thread panicked".to_owned());
        let counts = [
            pages.join().map_err(|_| gone())?,
            greetings.join().map_err(|_| gone())?,
        ];
        reexec?;
        counts.into_iter().sum()
    })
}

fn die_around_a_reexec(pid: i32, delay: Duration) -> Result<(), Error> {
    let pid = Pid::from_raw(pid).ok_or_else(|| Error::Check("PID 0 is no service".to_owned()))?;
    std::thread::scope(|scope| {
        let killer = scope.spawn(move || {
            std::thread::sleep(delay);
            kill_process(pid, Signal::KILL).doing("killing the victim")
        });
        let reexec = control::reexec();
        killer
            .join()
            .map_err(|_| Error::Check("the killing thread panicked".to_owned()))??;
        reexec
    })
}
