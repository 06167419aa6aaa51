//! What softbootd says a soft-reboot, a re-exec and a crash cost, beside stalls of a known length.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::Options;
use super::check::Output;
use super::control::{self, call};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

/// How long each of the two stalls is.
const STALL_USEC: u64 = 250_000;
const NODE: &str = "/run/cycles.sock";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let program = std::env::current_exe().doing("finding this program")?;
    let _units = [
        UnitFile::write(
            "slow-stop.service",
            "[Unit]\nDescription=Stops in a quarter of a second\nAfter=held-up.service\n\
             [Service]\nExecStart=/bin/busybox sleep 100000\nExecStop=/bin/busybox sleep 0.25\n",
        )?,
        UnitFile::write(
            "held-up.service",
            "[Unit]\nDescription=Stops after the one that is slow\n\
             [Service]\nExecStart=/bin/busybox sleep 100000\n",
        )?,
        UnitFile::write(
            "slow-start.service",
            &format!(
                "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStartPre=/bin/busybox sleep 0.25\n\
                 ExecStart={} --serve\n",
                program.display()
            ),
        )?,
        UnitFile::write(
            "slow-start.socket",
            &format!(
                "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\
                 [Socket]\nListenStream={NODE}\nDeferTrigger=yes\n"
            ),
        )?,
    ];
    call("Reload", json!({}))?;
    for unit in ["held-up.service", "slow-stop.service", "slow-start.socket"] {
        control::start(unit)?;
    }
    soft_reboot(output)?;
    reexec_and_crash(output)?;
    control::stop("slow-start.service")?;
    control::stop("slow-start.socket")
}

fn soft_reboot(output: &mut Output) -> Result<(), Error> {
    // Its service is not there before it, so this one waits for the next userspace.
    let client = thread::spawn(|| {
        thread::sleep(std::time::Duration::from_millis(100));
        ask()
    });
    control::soft_reboot()?;
    let answer = client
        .join()
        .map_err(|_| Error::Check("the client panicked".to_owned()))??;
    output.same(
        &answer.as_str(),
        &"hello\n",
        "a client in the middle of it is answered",
    )?;
    control::wait_running()?;
    let cycle = last(1)?.pop().unwrap_or_default();
    output.same(
        &text(&cycle, "kind"),
        &"soft-reboot",
        "the last one is a soft-reboot",
    )?;
    gapless(output, &cycle)?;
    let phase = |name: &str| {
        let all = cycle.get("phases").and_then(Value::as_array);
        let phase = all.and_then(|all| all.iter().find(|phase| text(phase, "name") == name));
        phase.map_or(0, |phase| number(phase, "tookUsec"))
    };
    output.check(
        phase("stopping") >= STALL_USEC,
        format!("stopping took at least the stall ({} us)", phase("stopping")),
    )?;
    let slow = unit(&cycle, "slow-stop.service")?;
    let took = number(&slow, "stopEndedUsec").saturating_sub(number(&slow, "stopBeganUsec"));
    output.check(
        (STALL_USEC..=phase("stopping")).contains(&took),
        format!("the slow unit's own stop is a part of it ({took} us)"),
    )?;
    output.same(
        &slow.get("stopCritical"),
        &Some(&json!(true)),
        "the end of the stop waited for it",
    )?;
    output.check(
        number(&slow, "heldUpStops") >= 1,
        "the unit that stops after it was held up",
    )?;
    let socket = unit(&cycle, "slow-start.socket");
    output.check(
        socket.is_err(),
        "a socket that is kept is not among the stopped ones",
    )?;
    let shown = softctl(&["greyout"])?.stdout;
    output.check(
        shown.contains("slow-stop.service took") && shown.contains("waited for it"),
        "softctl greyout says who held up the stop",
    )
}

fn reexec_and_crash(output: &mut Output) -> Result<(), Error> {
    control::reexec()?;
    let init = Pid::from_raw(1).ok_or_else(|| Error::Check("there is no PID 1".to_owned()))?;
    kill_process(init, Signal::SEGV).doing("sending SIGSEGV to PID 1")?;
    control::wait_running()?;
    let cycles = last(3)?;
    let kinds: Vec<&str> = cycles.iter().map(|cycle| text(cycle, "kind")).collect();
    output.same(
        &kinds,
        &vec!["soft-reboot", "reexec", "crash"],
        "a re-exec and a crash come after it, and none is lost",
    )?;
    for cycle in &cycles {
        gapless(output, cycle)?;
    }
    // What is finished does not change any more.
    let slow = cycles.first().map(|cycle| unit(cycle, "slow-stop.service"));
    output.check(
        matches!(slow, Some(Ok(_))),
        "the units of the first are still known",
    )?;
    let refused = softctl(&["daemon-reexec", "--check"])?;
    output.same(&refused.code, &0, "a check is a check")?;
    output.same(&last(8)?.len(), &last(20)?.len(), "no more than eight are kept")?;
    let after = last(1)?.pop().unwrap_or_default();
    output.same(&text(&after, "kind"), &"crash", "and a check is no cycle")
}

/// Each phase begins where the one before it ended, and the last one ends at the end.
fn gapless(output: &mut Output, cycle: &Value) -> Result<(), Error> {
    let phases = cycle.get("phases").and_then(Value::as_array);
    let mut at = number(cycle, "requestedUsec");
    for phase in phases.into_iter().flatten() {
        if number(phase, "beganUsec") != at {
            return Err(Error::Check(format!("{phase} should begin at {at}: {cycle}")));
        }
        at = at.saturating_add(number(phase, "tookUsec"));
    }
    output.same(
        &number(cycle, "finishedUsec"),
        &at,
        format!("the phases of the {} follow each other", text(cycle, "kind")),
    )
}

fn last(count: u32) -> Result<Vec<Value>, Error> {
    let reply = call("Greyout", json!({ "last": count }))?;
    let cycles = reply.get("cycles").and_then(Value::as_array);
    Ok(cycles.cloned().unwrap_or_default())
}

fn unit(cycle: &Value, name: &str) -> Result<Value, Error> {
    let units = cycle.get("units").and_then(Value::as_array);
    let found = units.and_then(|units| units.iter().find(|unit| text(unit, "name") == name));
    found
        .cloned()
        .ok_or_else(|| Error::Check(format!("{name} is not in {cycle}")))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn ask() -> Result<String, Error> {
    let mut stream = UnixStream::connect(NODE).doing("connecting")?;
    stream.write_all(b"hello\n").doing("asking")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).doing("reading the answer")?;
    Ok(answer)
}
