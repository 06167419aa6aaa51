//! A soft-reboot whose next program says yes and then does not get as far as being in charge: the one before goes on with
//! the same state, in the next userspace. And the kernel has no memory for a handoff: it is refused, or taken back.

use std::fs;
use std::path::Path;
use std::thread;

use serde_json::json;

use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::faults::{faulty, order};
use super::net::{ECHO, connect, echo, fetch, is_page};
use super::next_root::{in_root, make_root, settle};
use super::refusals::{Unchanged, says_why};
use super::refused_handoff::{Instead, Replaced};
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, crash};
use crate::error::{Context as _, Error};

/// It is ended by the final kill alone.
const STUBBORN: &str = "fall-stubborn.service";
/// Every way not to get there: crashes of both kinds, abort(3), exit(3), and two of never being done.
const FAULTS: [&str; 6] = ["wild-write", "panic", "abort", "exit", "loop", "hang"];

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
    let _restored = Replaced::by(&program, &Instead::Program(faulty()))?;
    control::reexec()?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    no_memory(output)?;
    exec_fails(output, &program)?;
    comes_to_nothing_after_a_crash(output, &program)?;
    for fault in FAULTS {
        falls_back(output, &program, fault)?;
        echo(&mut client, "between\n")?;
    }
    in_another_root(output, &program)?;
    echo(&mut client, "after\n")?;
    output.check(true, "a connection in an fd store goes on through all of that")
}

/// Nothing has stopped yet.
fn no_memory(output: &mut Output) -> Result<(), Error> {
    let before = Unchanged::look()?;
    for (place, fault, reason) in [
        ("snapshot", "no-memory", "Cannot allocate memory"),
        ("child", "no-memory", "Cannot allocate memory"),
        ("take-over", "allocation", "without an answer"),
    ] {
        for way in [&["daemon-reexec"][..], &["soft-reboot"]] {
            order(&format!("{place} 1 {fault}\n"))?;
            let ran = softctl(way)?;
            says_why(output, &ran, reason, &format!("no memory ({place}): {way:?}"))?;
        }
    }
    before.check(output, "no memory")
}

/// The same program as another file: it has to be executed.
pub(super) fn another_file(program: &Path) -> Result<(), Error> {
    let beside = program.with_extension("new");
    fs::copy(program, &beside).doing("copying softbootd")?;
    fs::rename(&beside, program).doing("installing softbootd")
}

/// What is held through a soft-reboot, whoever is in charge of the next userspace.
#[derive(Debug, PartialEq)]
struct Kept {
    survivor: i32,
    cookies: Vec<u64>,
}

impl Kept {
    fn now() -> Result<Kept, Error> {
        Ok(Kept {
            survivor: Unit::get("survivor.service")?.main_pid(),
            cookies: Unit::get("echo-store.socket")?.cookies(),
        })
    }
}

/// All has stopped, and the exec itself is refused: what was stopped is started again, and PID 1 is the one before.
fn exec_fails(output: &mut Output, program: &Path) -> Result<(), Error> {
    let (_, soft_reboots) = control::status()?;
    let kept = Kept::now()?;
    for (way, place) in [
        (&["daemon-reexec"][..], "exec"),
        (&["soft-reboot", "--wait"], "exec"),
    ] {
        another_file(program)?;
        order(&format!("{place} 1 no-memory\n"))?;
        let ran = softctl(way)?;
        output.same(
            &(ran.code, ran.stderr.contains("Cannot allocate memory")),
            &(1, true),
            format!("no memory for the exec: {way:?} says so ({})", ran.stderr.trim()),
        )?;
        up_again(output, "no memory for the exec")?;
    }
    output.same(
        &(control::status()?.1, Kept::now()?),
        &(soft_reboots, kept),
        "no memory for the exec: no soft-reboot is counted, survivor and sockets are the same",
    )
}

/// PID 1 crashes while all that is left is ended, and then there is no memory to ask the next program: what was stopped is
/// started again. Once more with a crash right after that was given up.
fn comes_to_nothing_after_a_crash(output: &mut Output, program: &Path) -> Result<(), Error> {
    let _stubborn = UnitFile::install(
        STUBBORN,
        "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\
         [Service]\nExecStart=/bin/busybox sh -c \"trap '' TERM; /bin/busybox touch /run/fall-deaf; \
         while [ ! -e /run/fall-release ]; do /bin/busybox sleep 1; done\"\n",
    )?;
    let (_, before) = control::status()?;
    let kept = Kept::now()?;
    for again in [false, true] {
        another_file(program)?;
        control::start(STUBBORN)?;
        wait_for("a process that ignores SIGTERM", || {
            Ok(fs::remove_file("/run/fall-deaf").is_ok().then_some(()))
        })?;
        let reboot = thread::spawn(|| softctl(&["soft-reboot", "--wait"]));
        wait_for("the final kill", || {
            Ok((Unit::get(STUBBORN)?.sub() == "final-sigterm").then_some(()))
        })?;
        let second = if again { "abandoned 1 abort\n" } else { "" };
        order(&format!("final-kill 1 abort\nchild 1 no-memory\n{second}"))?;
        // Nobody is asked while this waits, so the first crash is the next thing that happens.
        fs::write("/run/fall-release", "").doing("letting it end")?;
        let ran = reboot
            .join()
            .map_err(|_| Error::Check("a thread panicked".to_owned()))??;
        fs::remove_file("/run/fall-release").doing("removing a file")?;
        output.same(
            &(ran.code, ran.stderr.contains("Cannot allocate memory")),
            &(1, true),
            format!(
                "a soft-reboot comes to nothing after a crash (another one: {again}): who waits is told ({})",
                ran.stderr.trim()
            ),
        )?;
        up_again(output, "after that")?;
        output.same(
            &crash::described("crashes")?,
            &json!(1 + u64::from(again)),
            "PID 1 crashed as it was told",
        )?;
        control::reexec()?;
    }
    output.same(
        &(control::status()?.1, Kept::now()?),
        &(before, kept),
        "no soft-reboot is counted, survivor and sockets are the same",
    )
}

/// The units of the boot run.
fn up_again(output: &mut Output, when: &str) -> Result<(), Error> {
    control::wait_running()?;
    wait_for("the services of the boot", || {
        Ok((Unit::get("echo-store.service")?.active() == "active").then_some(()))
    })?;
    output.check(is_page(&fetch()?), format!("{when}: services answer"))
}

fn falls_back(output: &mut Output, program: &Path, fault: &str) -> Result<(), Error> {
    let (_, before) = control::status()?;
    let kept = Kept::now()?;
    another_file(program)?;
    let old = running_program()?;
    order(&format!("taken-over 1 {fault}\n"))?;
    let ran = softctl(&["soft-reboot", "--wait"])?;
    output.same(
        &(
            ran.code,
            ran.stderr.contains("did not get as far as being in charge"),
        ),
        &(1, true),
        format!(
            "the next program breaks ({fault}): who waits is told ({})",
            ran.stderr.trim()
        ),
    )?;
    up_again(output, fault)?;
    output.same(
        &(control::status()?.1, Kept::now()?, running_program()?),
        &(before + 1, kept, old),
        format!("{fault}: the next userspace is there, and the program before is in charge of it"),
    )
}

/// Device and inode of what PID 1 executes.
fn running_program() -> Result<(u64, u64), Error> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata("/proc/1/exe").doing("looking at PID 1's program")?;
    Ok((found.dev(), found.ino()))
}

/// The root has changed when the next program breaks: the one before goes on in the next root.
fn in_another_root(output: &mut Output, program: &Path) -> Result<(), Error> {
    let at = "/srv/broken";
    make_root(at, "broken")?;
    in_root(&format!("cp {} {at}{}", program.display(), program.display()))?;
    let (_, before) = control::status()?;
    let kept = Kept::now()?;
    order("taken-over 1 abort\n")?;
    let ran = softctl(&["soft-reboot", "--wait", at])?;
    output.same(
        &ran.code,
        &1,
        format!(
            "the next root's program breaks: who waits is told ({})",
            ran.stderr.trim()
        ),
    )?;
    settle("broken")?;
    output.same(
        &(control::status()?.1, Kept::now()?),
        &(before + 1, kept),
        "the program before goes on in the next root",
    )?;
    output.same(
        &crash::described("crashes")?,
        &json!(0),
        "and has not crashed itself",
    )
}
