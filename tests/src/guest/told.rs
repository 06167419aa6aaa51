//! What the processes of a service are told in their environment (semantics 1.1, 4.5), and what those that OnFailure= and
//! OnSuccess= start are told about the other service.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::fd::AsFd as _;

use super::check::{Output, wait_for};
use super::control;
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

const TRACE: &str = "/run/softboot-told";
const UNIT: &str = "told.service";
const SOCKET: &str = "told.socket";

pub(super) fn run(output: &mut Output) -> Result<(), Error> {
    of_a_connection(output)?;
    of_the_store(output)?;
    of_ports(output)?;
    of_an_end(output)?;
    of_another_service(output)
}

/// REMOTE_ADDR=, REMOTE_PORT= and SO_COOKIE= in an Accept=yes instance.
fn of_a_connection(output: &mut Output) -> Result<(), Error> {
    let say = "echo $$REMOTE_ADDR $$REMOTE_PORT $$SO_COOKIE $$LISTEN_FDNAMES; exec /bin/busybox sleep 1000";
    let _service = UnitFile::write("told@.service", &format!("[Service]\nExecStart={}\n", shell(say)))?;
    let _socket = UnitFile::install(SOCKET, "[Socket]\nListenStream=[::]:7141\nAccept=yes\n")?;
    empty()?;
    control::start(SOCKET)?;
    // Over IPv4 to a port of IPv6: the address is shown as the one it is.
    let mut client = TcpStream::connect("127.0.0.1:7141").doing("connecting")?;
    let port = client.local_addr().doing("asking for the own port")?.port();
    let line = told(1)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    output.same(
        &(
            words.first().copied(),
            words.get(1).copied(),
            words.get(3).copied(),
        ),
        &(
            Some("127.0.0.1"),
            Some(port.to_string().as_str()),
            Some("connection"),
        ),
        "an instance is told its peer's address and port",
    )?;
    let cookie: u64 = words.get(2).and_then(|word| word.parse().ok()).unwrap_or(0);
    let own = rustix::net::sockopt::socket_cookie(client.as_fd()).unwrap_or(0);
    output.check(
        cookie != 0 && cookie != own,
        "and the cookie of its own end of the connection",
    )?;
    control::stop(SOCKET)?;
    softctl(&["stop", "told@*.service"])?;
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    Ok(())
}

/// FDSTORE=, where there is a store.
fn of_the_store(output: &mut Output) -> Result<(), Error> {
    for (settings, expected) in [
        ("NotifyAccess=main\nFileDescriptorStoreMax=7\n", "7"),
        ("NotifyAccess=main\n", ""),
    ] {
        run_once(&format!("ExecStart={}\n{settings}", shell("echo $$FDSTORE,")))?;
        output.same(
            &told(1)?,
            &format!("{expected},"),
            format!("FDSTORE= is {expected:?} with {settings:?}"),
        )?;
    }
    Ok(())
}

/// O_NONBLOCK on passed ports is what NonBlocking= says.
fn of_ports(output: &mut Output) -> Result<(), Error> {
    for (value, flag) in [("yes", true), ("no", false), ("yes", true)] {
        let say = "/bin/busybox grep ^flags: /proc/self/fdinfo/3; exec /bin/busybox sleep 1000";
        let _service = UnitFile::write(
            UNIT,
            &format!(
                "[Unit]\nStartLimitIntervalSec=0\n[Service]\nNonBlocking={value}\nExecStart={}\n",
                shell(say)
            ),
        )?;
        let _socket = UnitFile::install(SOCKET, "[Socket]\nListenStream=127.0.0.1:7142\n")?;
        empty()?;
        control::start(SOCKET)?;
        control::start(UNIT)?;
        let line = told(1)?;
        let flags = line.split_whitespace().nth(1).unwrap_or_default();
        let flags = u32::from_str_radix(flags, 8).unwrap_or(0);
        output.same(
            &(flags & rustix::fs::OFlags::NONBLOCK.bits() != 0),
            &flag,
            format!("with NonBlocking={value} the flags of a port are {line:?}"),
        )?;
        control::stop(SOCKET)?;
        control::stop(UNIT)?;
    }
    Ok(())
}

/// SERVICE_RESULT=, EXIT_CODE= and EXIT_STATUS= in ExecStop= and ExecStopPost=.
fn of_an_end(output: &mut Output) -> Result<(), Error> {
    let say = |list: &str| shell(&format!("echo {list} $$SERVICE_RESULT $$EXIT_CODE $$EXIT_STATUS"));
    for (main, expected) in [
        ("exit 0", "stop success exited 0|post success exited 0"),
        ("exit 7", "post exit-code exited 7"),
        ("kill -KILL $$$$", "post signal killed KILL"),
    ] {
        empty()?;
        let text = format!(
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart={}\nExecStop={}\nExecStopPost={}\n",
            shell(main),
            say("stop"),
            say("post")
        );
        let _unit = UnitFile::install(UNIT, &text)?;
        control::start(UNIT)?;
        output.same(
            &told(expected.split('|').count())?,
            &expected.to_owned(),
            format!("what the last commands are told after {main:?}"),
        )?;
        control::stop(UNIT)?;
    }
    empty()?;
    let text = format!(
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/busybox sleep 1000\nExecStop={}\nExecStopPost={}\n",
        say("stop"),
        say("post")
    );
    let _unit = UnitFile::install(UNIT, &text)?;
    control::start(UNIT)?;
    control::stop(UNIT)?;
    output.same(
        &told(2)?,
        &"stop success|post success killed TERM".to_owned(),
        "ExecStop= of what still runs is told no status, ExecStopPost= is",
    )
}

/// MONITOR_…= in what OnFailure= and OnSuccess= start, while exactly one service names it.
fn of_another_service(output: &mut Output) -> Result<(), Error> {
    let say = "echo $$MONITOR_UNIT, $$MONITOR_SERVICE_RESULT, $$MONITOR_EXIT_CODE, $$MONITOR_EXIT_STATUS, \
         $$MONITOR_INVOCATION_ID,";
    let _handler = UnitFile::write(
        "told-handler.service",
        &format!(
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart={}\n",
            shell(say)
        ),
    )?;
    for (setting, code, result) in [("OnFailure", 9, "exit-code"), ("OnSuccess", 0, "success")] {
        empty()?;
        let text = format!(
            "[Unit]\nStartLimitIntervalSec=0\n{setting}=told-handler.service\n[Service]\nExecStart=/bin/busybox sh -c 'echo $$INVOCATION_ID \
             >{TRACE}.id; exit {code}'\n"
        );
        let _unit = UnitFile::install(UNIT, &text)?;
        control::start(UNIT)?;
        let line = told(1)?;
        let id = fs::read_to_string(format!("{TRACE}.id")).doing("reading the id of a run")?;
        output.same(
            &line,
            &format!("{UNIT}, {result}, exited, {code}, {},", id.trim()),
            format!("what {setting}= starts is told how the service ended"),
        )?;
    }
    empty()?;
    let text = "[Unit]\nStartLimitIntervalSec=0\nOnFailure=told-handler.service\n[Service]\nExecStart=/bin/busybox false\n";
    let _other = UnitFile::write("told-other.service", text)?;
    let _unit = UnitFile::install(UNIT, text)?;
    // PID 1 knows both names from here on.
    control::call("GetUnit", serde_json::json!({ "name": "told-other.service" }))?;
    control::start(UNIT)?;
    output.same(
        &told(1)?,
        &", , , , ,".to_owned(),
        "with two services that could have started it, it is told nothing",
    )
}

fn run_once(settings: &str) -> Result<(), Error> {
    empty()?;
    let _unit = UnitFile::install(
        UNIT,
        &format!("[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n{settings}"),
    )?;
    control::start(UNIT)
}

fn empty() -> Result<(), Error> {
    fs::write(TRACE, "").doing("emptying the trace")
}

/// A command that adds what it prints to the trace.
fn shell(script: &str) -> String {
    format!("/bin/busybox sh -c 'exec >>{TRACE}; {script}'")
}

/// The first lines of the trace, joined by bars, as soon as there are so many.
fn told(lines: usize) -> Result<String, Error> {
    wait_for(format!("{lines} lines of what was told"), || {
        let text = fs::read_to_string(TRACE).unwrap_or_default();
        let found: Vec<&str> = text.lines().map(str::trim).collect();
        Ok((text.ends_with('\n') && found.len() >= lines).then(|| found.join("|")))
    })
}
