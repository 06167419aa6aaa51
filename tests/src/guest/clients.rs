//! Control clients of every kind: patient, half-done, greedy, deaf, and without rights.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::check::{Output, PATIENCE, wait_for};
use super::softctl::{softctl, softctl_as};
use super::{Options, control, processes};
use crate::error::{Context, Error};

const PING: &[u8] = b"{\"method\":\"io.softboot.Manager.Ping\"}\0";
const LIST: &[u8] = b"{\"method\":\"io.softboot.Manager.ListUnits\",\"parameters\":{\"all\":true}}\0";
const FOLLOW: &[u8] = b"{\"method\":\"io.softboot.Manager.Logs\",\"more\":true,\"parameters\":{\"name\":\"stubborn.service\",\"follow\":true}}\0";
/// nobody
const NOBODY: u32 = 65534;
const CLIENTS: usize = 100;
/// More than PID 1 takes.
const CROWD: usize = 600;

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    pipelined(output)?;
    half_closed(output)?;
    without_rights(output)?;
    deaf(output)?;
    crowd(output)?;

    let mut clients = (0..CLIENTS).map(|_| connect()).collect::<Result<Vec<_>, _>>()?;
    for (what, handoff) in [
        ("a re-exec", control::reexec as fn() -> Result<(), Error>),
        ("a soft-reboot", control::soft_reboot),
    ] {
        let half = PING.split_at(PING.len() / 2);
        for client in clients.iter_mut().step_by(2) {
            client.write_all(half.0).doing("sending half a call")?;
        }
        handoff()?;
        for (index, client) in clients.iter_mut().enumerate() {
            let rest = if index % 2 == 0 { half.1 } else { PING };
            client.write_all(rest).doing("sending the rest of a call")?;
            answers(client, 1)?;
        }
        output.check(
            true,
            format!("{CLIENTS} idle or half-done clients are answered after {what}"),
        )?;
    }
    Ok(())
}

/// More calls in one go than PID 1 answers in one turn.
fn pipelined(output: &mut Output) -> Result<(), Error> {
    let mut client = connect()?;
    client.write_all(&PING.repeat(1000)).doing("sending many calls")?;
    answers(&client, 1000)?;
    output.check(true, "1000 calls sent at once are all answered")
}

/// Clients that have said all they will ever say and wait must cost nothing while they wait.
fn half_closed(output: &mut Output) -> Result<(), Error> {
    let mut client = connect()?;
    client.write_all(FOLLOW).doing("following a log")?;
    client
        .shutdown(std::net::Shutdown::Write)
        .doing("closing the sending side")?;
    answers(&client, 1)?;
    let mut talker = connect()?;
    talker.write_all(FOLLOW).doing("following a log")?;
    talker.set_nonblocking(true).doing("making a socket not block")?;
    let mut sent = 0;
    while let Ok(length @ 1..) = talker.write(&[b' '; 4096]) {
        sent += length;
        if sent > 64 << 20 {
            return Err(Error::Check(format!(
                "PID 1 took {sent} bytes from a client whose call is unanswered"
            )));
        }
    }
    let mut asleep = 0;
    wait_for("PID 1 to be asleep 20 times in a row", || {
        let sleeps = processes::process(1).is_some_and(|process| process.state == 'S');
        asleep = if sleeps { asleep + 1 } else { 0 };
        Ok((asleep >= 20).then_some(()))
    })?;
    output.check(
        true,
        "PID 1 sleeps while a half-closed client and one that talks out of turn wait",
    )
}

fn without_rights(output: &mut Output) -> Result<(), Error> {
    for verb in [
        &["start", "stubborn.service"][..],
        &["stop", "lighttpd.socket"],
        &["restart", "echo-store.service"],
        &["logs", "survivor.service"],
        &["fdstore", "echo-store.service"],
        &["reset-failed"],
        &["daemon-reload"],
        &["daemon-reexec"],
        &["daemon-reexec", "--check"],
        &["soft-reboot"],
        &["poweroff", "--force"],
        &["reboot"],
        &["halt"],
    ] {
        let ran = softctl_as(NOBODY, verb)?;
        output.same(
            &(ran.code, ran.stderr.contains("only root")),
            &(4, true),
            format!("{verb:?} is refused to nobody ({})", ran.stderr.trim()),
        )?;
    }
    for verb in [
        &["is-system-running"][..],
        &["status", "survivor.service"],
        &["list-units"],
        &["list-jobs"],
    ] {
        let ran = softctl_as(NOBODY, verb)?;
        let wanted = softctl(verb)?.code;
        output.same(&ran.code, &wanted, format!("nobody may ask for {verb:?}"))?;
    }
    let looked = softctl_as(NOBODY, &["status", "survivor.service"])?;
    output.check(
        !looked.stdout.contains("heartbeat"),
        "a unit's log lines are not shown to nobody",
    )
}

/// A client that asks and never reads is dropped, and nobody else waits for it.
fn deaf(output: &mut Output) -> Result<(), Error> {
    let mut client = connect()?;
    client
        .set_write_timeout(Some(Duration::from_secs(5)))
        .doing("setting a time-out")?;
    let mut asked = 0;
    let error = loop {
        match client.write_all(LIST) {
            Ok(()) => asked += 1,
            Err(error) => break error,
        }
        if asked % 100 == 0 {
            control::call("Ping", serde_json::json!({}))?;
        }
        if asked > 1_000_000 {
            return Err(Error::Check("a client that never reads is kept".to_owned()));
        }
    };
    output.check(
        matches!(
            error.kind(),
            std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset
        ),
        format!("a client that never reads is dropped after {asked} calls ({error}), others are answered"),
    )
}

/// However many connections others hold, root is heard.
fn crowd(output: &mut Output) -> Result<(), Error> {
    let crowd = std::thread::spawn(|| {
        // Of this thread only, and it ends here.
        let uid = rustix::process::Uid::from_raw(NOBODY);
        rustix::thread::set_thread_uid(uid).doing("becoming nobody")?;
        (0..CROWD).map(|_| connect()).collect::<Result<Vec<_>, _>>()
    });
    let crowd = crowd
        .join()
        .map_err(|_| Error::Check("the crowd panicked".to_owned()))??;
    let mut client = connect()?;
    client.write_all(PING).doing("sending a call")?;
    answers(&client, 1)?;
    drop(crowd);
    output.check(
        true,
        format!("root is answered while nobody holds {CROWD} connections"),
    )
}

fn connect() -> Result<UnixStream, Error> {
    let client = UnixStream::connect(control::SOCKET).doing("connecting to the control socket")?;
    client
        .set_read_timeout(Some(PATIENCE))
        .doing("setting a time-out")?;
    Ok(client)
}

/// Reads this many answers, none of them an error.
fn answers(client: &UnixStream, count: usize) -> Result<(), Error> {
    let mut reader = BufReader::with_capacity(1, client);
    for number in 0..count {
        let mut answer = Vec::new();
        reader
            .by_ref()
            .read_until(0, &mut answer)
            .doing(format!("reading answer {number} of {count}"))?;
        let text = String::from_utf8_lossy(&answer);
        if answer.last() != Some(&0) || text.contains("\"error\"") {
            return Err(Error::Check(format!("answer {number} of {count} is {text:?}")));
        }
    }
    Ok(())
}
