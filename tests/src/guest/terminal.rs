//! A service that has a terminal, and what is left of it on the terminal.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};

use super::check::{Output, wait_for};
use super::units::UnitFile;
use super::{Options, control};
use crate::error::{Context, Error};

const UNIT: &str = "login.service";
const SEEN: &str = "/run/softboot-terminal-seen";
/// console_codes(4): what empties a screen and what was scrolled out of it.
const CLEAR: &[u8] = b"\x1b[r\x1b[H\x1b[3J";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let _ = fs::remove_file(SEEN);
    let (master, path) = terminal()?;
    let mut master = File::from(master);
    // Somebody is there already, and has made it unusable.
    let before = open(&path)?;
    spoil(&before)?;
    let script = format!(
        "exec 2>>{SEEN}; busybox tty >&2; exec 3<>/dev/tty && echo controls >&2; \
         while read -r line; do echo \"$line\" >&2; done"
    );
    let _unit = UnitFile::install(
        UNIT,
        &format!(
            "[Service]\nUser=nobody\nStandardInput=tty\nTTYPath={path}\nTTYReset=yes\nTTYVHangup=yes\nTTYVTDisallocate=yes\n\
             TTYColumns=132\nTTYRows=43\nExecStart=/bin/busybox sh -c '{}'\n",
            script.replace('$', "$$")
        ),
    )?;
    fs::write(SEEN, "").doing("emptying what was seen")?;
    fs::set_permissions(
        SEEN,
        <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666),
    )
    .doing("opening it to all")?;
    control::start(UNIT)?;
    seen(&format!("{path}\ncontrols\n"))?;
    output.check(true, "the terminal is the service's, and controls it")?;
    output.same(
        &rustix::io::write(&before, b"x"),
        &Err(Errno::IO),
        "who had it open before has lost it",
    )?;
    let inside = open(&path)?;
    let modes = tcgetattr(&inside).doing("asking for its modes")?;
    let size = tcgetwinsize(&inside).doing("asking for its size")?;
    output.same(
        &(
            modes.local_modes.contains(LocalModes::ECHO | LocalModes::ICANON),
            size.ws_col,
            size.ws_row,
            owner(&path)?,
        ),
        &(true, 132, 43, 65534),
        "it is reset, has the unit's size, and belongs to its user",
    )?;
    master.write_all(b"typed\n").doing("typing")?;
    seen("typed\n")?;
    output.check(true, "what is typed reaches the service")?;
    output.check(
        shown(&mut master)?.starts_with(CLEAR),
        "it was emptied before the service had it",
    )?;
    spoil(&inside)?;
    control::stop(UNIT)?;
    wait_for("the terminal to be left", || {
        Ok((rustix::io::write(&inside, b"") == Err(Errno::IO)).then_some(()))
    })?;
    output.check(true, "who had it open during the service has lost it after it")?;
    let after = open(&path)?;
    let modes = tcgetattr(&after).doing("asking for its modes")?;
    output.same(
        &(
            modes.local_modes.contains(LocalModes::ECHO | LocalModes::ICANON),
            owner(&path)?,
        ),
        &(true, 0),
        "it is reset and root's again",
    )?;
    // That it was emptied does not show here: the kernel drops what a hung-up pseudo-terminal had not passed on yet.
    let _ = fs::remove_file(SEEN);
    Ok(())
}

fn terminal() -> Result<(OwnedFd, String), Error> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).doing("opening a terminal")?;
    grantpt(&master).doing("granting it")?;
    unlockpt(&master).doing("unlocking it")?;
    let name = ptsname(&master, Vec::new()).doing("asking for its name")?;
    rustix::fs::fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK).doing("not waiting for it")?;
    Ok((master, name.to_string_lossy().into_owned()))
}

fn open(path: &str) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open(path, flags, Mode::empty()).doing("opening the terminal's other side")
}

/// As a program that draws on the whole screen and is killed leaves it.
fn spoil(terminal: &OwnedFd) -> Result<(), Error> {
    let mut modes = tcgetattr(terminal).doing("asking for its modes")?;
    modes.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
    tcsetattr(terminal, OptionalActions::Now, &modes).doing("setting its modes")
}

fn owner(path: &str) -> Result<u32, Error> {
    Ok(fs::metadata(path).doing("asking whose it is")?.uid())
}

/// Everything that was written to it and not read yet.
fn shown(master: &mut File) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    let mut part = [0; 512];
    loop {
        match master.read(&mut part) {
            Ok(0) => return Ok(all),
            Ok(read) => all.extend_from_slice(part.get(..read).unwrap_or_default()),
            // EIO: nobody has the other side open.
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::AGAIN | Errno::IO)) => {
                return Ok(all);
            }
            Err(error) => return Err(error).doing("reading the terminal"),
        }
    }
}

fn seen(end: &str) -> Result<(), Error> {
    wait_for(format!("{end:?} to be seen"), || {
        let text = fs::read_to_string(SEEN).doing("reading what was seen")?;
        Ok(text.ends_with(end).then_some(()))
    })
}
