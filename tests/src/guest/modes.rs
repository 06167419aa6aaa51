//! The verbs that change what runs: rescue and emergency, the way back from both, and exit, which ends the container.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::net::{ECHO, connect, echo, fetch, is_page};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

/// What the container ends with.
pub(super) const CODE: u8 = 7;
/// What its console says then.
pub(super) const FAREWELL: &[&str] = &["the witness of the exit stops", "ending: Exit"];

/// The unit that this program runs in.
const OWN: &str = "/run/systemd/system/softboot-scenario.service";
/// Its socket says that it stays: so it stays, too, as long as what it requires does.
const BEHIND_A_PORT: &str = "echo-store.service";
const BY_HAND: &str = "modes-by-hand.service";
/// Wanted by rescue.target.
const IN_RESCUE: &str = "modes-rescue.service";
/// Wanted by emergency.target.
const IN_EMERGENCY: &str = "modes-emergency.service";

/// What a boot starts, and neither of the modes needs.
const OF_A_BOOT: &[&str] = &[
    "multi-user.target",
    "basic.target",
    "holdfds.service",
    "survivor.service",
];

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    outlive_the_modes()?;
    let sleeps = "[Service]\nExecStart=/bin/busybox sleep 100000\n";
    let alone = format!("[Unit]\nDefaultDependencies=no\n{sleeps}");
    let _units = [
        UnitFile::write(BY_HAND, sleeps)?,
        UnitFile::write(IN_RESCUE, &alone)?,
        UnitFile::write(IN_EMERGENCY, &alone)?,
    ];
    wanted_by("rescue.target", IN_RESCUE)?;
    wanted_by("emergency.target", IN_EMERGENCY)?;
    control::call("Reload", json!({}))?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    mode(
        output,
        "rescue",
        &["rescue.target", "sysinit.target", IN_RESCUE, BEHIND_A_PORT],
        &["emergency.target", IN_EMERGENCY],
    )?;
    mode(
        output,
        "emergency",
        &["emergency.target", IN_EMERGENCY],
        &["sysinit.target", "rescue.target", IN_RESCUE, BEHIND_A_PORT],
    )?;
    // From one into the other, without a way back between them.
    enter(output, "emergency", &["emergency.target"], &["sysinit.target"])?;
    enter(
        output,
        "rescue",
        &["rescue.target", "sysinit.target"],
        &["emergency.target"],
    )?;
    back(output)?;
    echo(&mut client, "after\n")?;
    output.check(true, "a connection in an fd store has gone through all of them")?;
    no_kernel(output)?;
    exit(output)
}

/// The recipe of a survivor, which this program is, names both targets among its conflicts.
fn outlive_the_modes() -> Result<(), Error> {
    let text = fs::read_to_string(OWN).doing(format!("reading {OWN}"))?;
    fs::write(
        OWN,
        text.replace(" rescue.target emergency.target\nBefore", "\nBefore"),
    )
    .doing(format!("writing {OWN}"))
}

fn wanted_by(target: &str, unit: &str) -> Result<(), Error> {
    let directory = format!("/run/systemd/system/{target}.wants");
    fs::create_dir_all(&directory).doing(format!("making {directory}"))?;
    let link = Path::new(&directory).join(unit);
    symlink(format!("../{unit}"), &link).doing(format!("making {}", link.display()))
}

/// Into a mode and back.
fn mode(output: &mut Output, verb: &str, up: &[&str], down: &[&str]) -> Result<(), Error> {
    control::start(BY_HAND)?;
    enter(output, verb, up, &[OF_A_BOOT, &[BY_HAND], down].concat())?;
    back(output)?;
    let gone = [&[
        "rescue.target",
        "emergency.target",
        IN_RESCUE,
        IN_EMERGENCY,
        BY_HAND,
    ][..]]
    .concat();
    are(&[], &gone)?;
    output.check(
        true,
        format!("what {verb} has started is stopped, and what was started by hand before it stays stopped"),
    )
}

fn enter(output: &mut Output, verb: &str, up: &[&str], down: &[&str]) -> Result<(), Error> {
    let ran = softctl(&[verb])?;
    output.same(
        &(ran.code, ran.stderr.as_str()),
        &(0, ""),
        format!("softctl {verb}"),
    )?;
    are(up, down)?;
    output.check(true, format!("in {verb} {up:?} are active, and {down:?} are not"))
}

fn back(output: &mut Output) -> Result<(), Error> {
    let ran = softctl(&["default"])?;
    output.same(&(ran.code, ran.stderr.as_str()), &(0, ""), "softctl default")?;
    are(&[OF_A_BOOT, &["sysinit.target", BEHIND_A_PORT]].concat(), &[])?;
    let state = control::wait_running()?;
    output.same(
        &(state.as_str(), is_page(&fetch()?)),
        &("running", true),
        "and all of a boot is back, and answers",
    )
}

/// Waits until these are active, and those inactive: the verb waits for its target alone.
fn are(up: &[&str], down: &[&str]) -> Result<(), Error> {
    wait_for(format!("{up:?} up and {down:?} down"), || {
        for (units, state) in [(up, "active"), (down, "inactive")] {
            for unit in units {
                let found = Unit::get(unit)?.active().to_owned();
                if found != state {
                    return Err(Error::Check(format!("{unit} is {found}")));
                }
            }
        }
        Ok(Some(()))
    })
}

/// The kernel is the host's, and stays as it is: refused by softctl, whether or not PID 1 is asked.
fn no_kernel(output: &mut Output) -> Result<(), Error> {
    for more in [&[][..], &["--load-only"], &["-ff"]] {
        let words = [&["kexec", "--kernel", "/etc/passwd", "--reuse-cmdline"], more].concat();
        let ran = softctl(&words)?;
        output.same(
            &(ran.code, ran.stderr.contains("no kernel of its own")),
            &(1, true),
            format!("softctl {words:?} is refused in a container"),
        )?;
    }
    Ok(())
}

/// In order: a service is stopped and has all its time, here until the harness has heard of the scenario's end.
fn exit(output: &mut Output) -> Result<(), Error> {
    let witness = UnitFile::install(
        "modes-witness.service",
        "[Service]\nExecStart=/bin/busybox sleep 100000\n\
         ExecStop=/bin/busybox sh -c 'while [ ! -e /run/host/status ]; do /bin/busybox sleep 0.1; done; \
         echo the witness of the exit stops > /dev/console'\n",
    )?;
    // Its file has to be there when it stops.
    std::mem::forget(witness);
    control::start("modes-witness.service")?;
    for wrong in ["256", "-1", "x"] {
        output.same(
            &softctl(&["exit", wrong])?.code,
            &2,
            format!("softctl exit {wrong} is no exit code"),
        )?;
    }
    let ran = softctl(&["exit", &CODE.to_string()])?;
    output.same(
        &(ran.code, ran.stderr.trim()),
        &(0, "exit has begun."),
        format!("softctl exit {CODE}"),
    )
}
