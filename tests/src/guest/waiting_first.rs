//! Clients that wait when a userspace begins: what they wait for starts before what nobody waits for.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::{fs, thread};

use serde_json::json;

use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::units::UnitFile;
use super::{Options, fallbacks};
use crate::error::{Context as _, Error};

/// The final kill waits for who is not let go.
pub(super) const WORDS: &[&str] = &["softboot.final_kill_sec=1min"];
const SOCKET: &str = "/run/waited-for";
/// Last in the order of names, in which a boot queues its jobs.
const WAITED_FOR: &str = "z-waited-for";
/// It accepts nobody, so who has waited is let go of when it stops.
const SLEEPS: &str = "[Service]\nExecStart=/bin/busybox sleep 100000\n";
/// Nobody waits for these.
const OTHERS: [&str; 4] = ["a-0.service", "a-1.service", "a-2.service", "a-3.service"];
const WANTS: &str = "/run/systemd/system/multi-user.target.wants";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let mut units = vec![
        UnitFile::write(
            "deaf.service",
            "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\
             [Service]\nExecStart=/bin/busybox sh -c \"trap '' TERM; /bin/busybox touch /run/deaf; \
             while [ ! -e /run/release ]; do /bin/busybox sleep 1; done\"\n",
        )?,
        UnitFile::write(
            &format!("{WAITED_FOR}.socket"),
            &format!(
                "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\
                 [Socket]\nListenStream={SOCKET}\nFlushPending=yes\n"
            ),
        )?,
        UnitFile::write(&format!("{WAITED_FOR}.service"), SLEEPS)?,
    ];
    fs::create_dir_all(WANTS).doing(format!("making {WANTS}"))?;
    for other in OTHERS {
        units.push(UnitFile::write(other, SLEEPS)?);
        symlink(format!("../{other}"), format!("{WANTS}/{other}")).doing("linking a unit")?;
    }
    control::call("Reload", json!({}))?;
    control::start(&format!("{WAITED_FOR}.socket"))?;
    for executes in [false, true] {
        if executes {
            let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
            fallbacks::another_file(&program)?;
        }
        begins_first(output, executes)?;
    }
    control::stop(&format!("{WAITED_FOR}.socket"))?;
    fs::remove_dir_all(WANTS).doing(format!("removing {WANTS}"))
}

fn begins_first(output: &mut Output, executes: bool) -> Result<(), Error> {
    control::start("deaf.service")?;
    wait_for("a process that ignores SIGTERM", || {
        Ok(fs::remove_file("/run/deaf").is_ok().then_some(()))
    })?;
    let reboot = thread::spawn(|| control::call("SoftReboot", json!({ "wait": true })));
    wait_for("the final kill", || {
        Ok((Unit::get("deaf.service")?.sub() == "final-sigterm").then_some(()))
    })?;
    let client = UnixStream::connect(SOCKET).doing(format!("connecting to {SOCKET}"))?;
    fs::write("/run/release", "").doing("letting it end")?;
    reboot
        .join()
        .map_err(|_| Error::Check("a thread panicked".to_owned()))??;
    fs::remove_file("/run/release").doing("removing a file")?;
    control::wait_running()?;
    drop(client);
    let started = |unit: &str| -> Result<i32, Error> {
        wait_for(format!("{unit} to run"), || {
            let pid = Unit::get(unit)?.main_pid();
            Ok((pid > 0).then_some(pid))
        })
    };
    // Processes get their numbers in the order in which they are made.
    let first = started(&format!("{WAITED_FOR}.service"))?;
    let others = OTHERS.map(started).into_iter().collect::<Result<Vec<_>, _>>()?;
    output.check(
        others.iter().all(|other| first < *other),
        format!(
            "what a client waits for starts first (exec: {executes}): process {first}, and then {others:?}"
        ),
    )?;
    control::stop(&format!("{WAITED_FOR}.service"))
}
