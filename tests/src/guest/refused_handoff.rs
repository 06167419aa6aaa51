//! A next program that cannot take over: nothing changes, and softctl says why.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use super::census::Census;
use super::check::{Output, wait_for};
use super::net::{ECHO, HTTP, ask_for_page, connect, echo, is_page, read_page};
use super::softctl::{self, softctl};
use super::{Options, control, processes};
use crate::error::{Context, Error};

const TEXT: &str = "not a program\n";

/// What lies where the manager's program was.
pub(super) enum Instead {
    Nothing,
    Text { mode: u32 },
    Program(PathBuf),
}

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let program = fs::read_link("/proc/1/exe").doing("finding the manager's program")?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    // The first one makes what is then kept for all that follow.
    output.same(&softctl(&["daemon-reexec"])?.code, &0, "a re-exec works")?;
    serves(output)?;
    let census = Census::take()?;
    let reexecs = control::reexecs()?;
    let (_, soft_reboots) = control::status()?;
    let units = control::unit_names()?.len();

    for (what, instead, reason) in [
        ("no file", Instead::Nothing, "cannot be opened"),
        ("a text file", Instead::Text { mode: 0o644 }, "cannot be started"),
        (
            "a text file that may be executed",
            Instead::Text { mode: 0o755 },
            "cannot be started",
        ),
        (
            "another program",
            Instead::Program("/usr/bin/softctl".into()),
            "without an answer",
        ),
        (
            "a dynamic program",
            Instead::Program("/usr/sbin/lighttpd".into()),
            "without an answer",
        ),
    ] {
        let _restored = Replaced::by(&program, &instead)?;
        for verb in [
            &["daemon-reexec"][..],
            &["soft-reboot"],
            &["daemon-reexec", "--check"],
        ] {
            let ran = softctl(verb)?;
            output.same(
                &(ran.code, ran.stderr.contains(reason)),
                &(1, true),
                format!(
                    "with {what}, softctl {verb:?} fails and says why ({})",
                    ran.stderr.trim()
                ),
            )?;
        }
        serves(output)?;
    }
    {
        // This program, too, hangs when it is asked.
        let own = std::env::current_exe().doing("finding the own program")?;
        let _restored = Replaced::by(&program, &Instead::Program(own))?;
        hanging(output, &program)?;
    }
    output.same(
        &(
            control::reexecs()?,
            control::status()?.1,
            control::unit_names()?.len(),
        ),
        &(reexecs, soft_reboots, units),
        "the same manager runs, with the same state",
    )?;
    let grown = wait_for("everything that was there for a moment to be gone", || {
        let grown = Census::take()?.grown_since(&census);
        Ok(grown.is_empty().then_some(()))
    });
    if grown.is_err() {
        let grown = Census::take()?.grown_since(&census);
        output.same(&grown, &Vec::new(), "no descriptor is left over")?;
    }
    output.check(true, "no descriptor is left over")?;

    output.same(
        &softctl(&["daemon-reexec"])?.code,
        &0,
        "with its program back, a re-exec works",
    )?;
    output.same(&control::reexecs()?, &(reexecs + 1), "and is counted")?;
    echo(&mut client, "after\n")?;
    output.check(true, "a connection from before all that goes on")
}

/// The next program neither answers nor ends: everything goes on beside it, until it is ended.
fn hanging(output: &mut Output, program: &Path) -> Result<(), Error> {
    let asking = softctl::start(&["daemon-reexec"])?;
    let looked = wait_for("the next program to run", || {
        let pids = running(program)?;
        Ok((!pids.is_empty()).then_some(pids))
    })?;
    output.note(format!("the next program hangs as {looked:?}"));
    serves(output)?;
    let second = softctl(&["soft-reboot"])?;
    output.same(
        &(
            second.code,
            second.stderr.contains("another handoff is under way"),
        ),
        &(1, true),
        "while the next program hangs, a second handoff is refused at once",
    )?;
    for pid in running(program)? {
        let pid = Pid::from_raw(pid).ok_or_else(|| Error::Check("no process".to_owned()))?;
        // It may be gone with another.
        let _ = kill_process(pid, Signal::KILL);
    }
    let asked = softctl::finish(asking)?;
    output.same(
        &(asked.code, asked.stderr.contains("without an answer")),
        &(1, true),
        format!(
            "a next program that hangs and is killed has said no ({})",
            asked.stderr.trim()
        ),
    )?;
    serves(output)
}

/// Processes of PID 1 that run this file.
fn running(program: &Path) -> Result<Vec<i32>, Error> {
    let of = |pid: i32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    Ok(processes::all()?
        .into_iter()
        .filter(|process| process.pid != 1 && of(process.pid).as_deref() == Some(program))
        .map(|process| process.pid)
        .collect())
}

fn serves(output: &mut Output) -> Result<(), Error> {
    let mut stream = connect(HTTP)?;
    ask_for_page(&mut stream)?;
    output.check(is_page(&read_page(&mut stream)?), "the page is served")
}

/// Puts the manager's program back when this goes.
pub(super) struct Replaced {
    program: PathBuf,
    aside: PathBuf,
}

impl Replaced {
    pub(super) fn by(program: &Path, instead: &Instead) -> Result<Replaced, Error> {
        let aside = program.with_extension("aside");
        fs::rename(program, &aside).doing("moving the manager's program aside")?;
        let replaced = Replaced {
            program: program.to_owned(),
            aside,
        };
        match instead {
            Instead::Nothing => {}
            Instead::Text { mode } => {
                fs::write(program, TEXT).doing("writing a text file in its place")?;
                fs::set_permissions(program, fs::Permissions::from_mode(*mode))
                    .doing("setting the mode of a text file")?;
            }
            Instead::Program(other) => {
                fs::copy(other, program).doing(format!("putting {} in its place", other.display()))?;
            }
        }
        Ok(replaced)
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        if let Err(error) = fs::rename(&self.aside, &self.program) {
            eprintln!("putting {} back: {error}", self.program.display());
        }
    }
}
