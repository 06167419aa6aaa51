//! The terminal of a unit's processes, before they have it and after they had it (systemd.exec(5), `TTY…=`).

use std::os::fd::{AsFd as _, BorrowedFd};
use std::process::ExitCode;

use softboot_sys::spawn::{SpawnPlan, Terminal, spawn};
use softboot_sys::terminal::{Leaving, leave};
use softboot_unit::{ExecContext, StdStream, UnitName};
use tracing::warn;

use super::account::Account;
use super::commands;
use super::refused::{Refused, c_string};
use super::streams::open_tty;
use crate::handoff::command_line;
use crate::run::Manager;

/// The mode of the own program that does what follows a service's end.
pub(crate) const LEAVE: &str = "--leave-terminal";

const WORDS: [&str; 4] = ["reset", "hang-up", "disallocate", "disown"];

/// What to do with the terminal before the process has it.
pub(super) fn before(exec: &ExecContext, account: &Account) -> Result<Option<Terminal>, Refused> {
    let streams = streams_of(exec);
    if streams == [false; 3] {
        return Ok(None);
    }
    let size = |number: Option<u32>| number.and_then(|number| u16::try_from(number).ok());
    let [control, ..] = streams;
    let user = account.user.as_ref().filter(|user| control && user.uid != 0);
    let path = exec.tty_vhangup.then(|| c_string(exec.tty_path.clone()));
    Ok(Some(Terminal {
        streams,
        control,
        hang_up: path.transpose()?,
        clear: exec.tty_vt_disallocate,
        owner: user.map(|user| user.uid),
        reset: exec.tty_reset,
        columns: size(exec.tty_columns),
        rows: size(exec.tty_rows),
    }))
}

/// Which of the standard streams are the terminal, by their own setting or because they inherit it.
fn streams_of(exec: &ExecContext) -> [bool; 3] {
    let stdin = exec.stdin == StdStream::Tty;
    let is = |stream: &StdStream, inherited: bool| match stream {
        StdStream::Tty => true,
        StdStream::Inherit => inherited,
        _ => false,
    };
    let stdout = is(&exec.stdout, stdin);
    [stdin, stdout, is(&exec.stderr, stdout)]
}

fn after(exec: &ExecContext) -> Option<Leaving> {
    let [control, ..] = streams_of(exec);
    let what = Leaving {
        reset: exec.tty_reset,
        hang_up: exec.tty_vhangup,
        disallocate: exec.tty_vt_disallocate,
        disown: control && exec.user.is_some(),
    };
    (streams_of(exec) != [false; 3] && what != Leaving::default()).then_some(what)
}

impl Manager {
    /// The unit is down. What is done to its terminal may wait for a driver, so a process of its own does it.
    pub(crate) fn leave_terminal(&self, name: &UnitName) {
        let definition = self
            .engine
            .unit(name)
            .and_then(|unit| self.engine.definition(unit));
        let Some((exec, what)) = definition
            .and_then(commands::context_of)
            .and_then(|exec| Some((exec, after(exec)?)))
        else {
            return;
        };
        if let Err(error) = start(&exec.tty_path, what) {
            warn!("{name}: {} stays as it is: {error}", exec.tty_path);
        }
    }
}

fn start(path: &str, what: Leaving) -> Result<(), String> {
    let own = crate::root::open_own_program()?;
    let terminal = open_tty(path)?;
    let words = words(what);
    let (argv, env) = command_line(&[LEAVE, path, &words])?;
    let null = std::fs::File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(|error| format!("/dev/null: {error}"))?;
    // A virtual console that is open anywhere cannot be disallocated.
    let stdio: [BorrowedFd<'_>; 3] = [terminal.as_fd(), null.as_fd(), null.as_fd()];
    let mut plan = SpawnPlan::new(c"".to_owned(), argv, env, stdio);
    plan.exec_fd = Some(own.as_fd());
    // It is reaped as every process is; nobody waits for it.
    spawn(&plan).map(drop).map_err(|error| error.to_string())
}

fn words(what: Leaving) -> String {
    let chosen = [what.reset, what.hang_up, what.disallocate, what.disown];
    let words = WORDS.into_iter().zip(chosen).filter(|(_, is)| *is);
    words.map(|(word, _)| word).collect::<Vec<_>>().join(",")
}

fn read_words(words: &str) -> Leaving {
    let has = |word: &str| words.split(',').any(|found| found == word);
    let [reset, hang_up, disallocate, disown] = WORDS.map(has);
    Leaving {
        reset,
        hang_up,
        disallocate,
        disown,
    }
}

/// The process that does it: standard input is the terminal. Nobody reads its exit code.
pub(crate) fn leave_main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != LEAVE).skip(1);
    let (Some(path), Some(words)) = (arguments.next(), arguments.next()) else {
        return ExitCode::from(2);
    };
    let Ok(terminal) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    if rustix::stdio::dup2_stdin(std::io::stdout()).is_err() {
        return ExitCode::FAILURE;
    }
    match leave(terminal, path.as_bytes(), read_words(&words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_inherit_the_terminal_from_left_to_right() {
        use StdStream::{Inherit, Log, Null, Tty};
        for (stdin, stdout, stderr, expected) in [
            (Tty, Inherit, Inherit, [true, true, true]),
            (Tty, Log, Inherit, [true, false, false]),
            (Null, Tty, Inherit, [false, true, true]),
            (Null, Inherit, Tty, [false, false, true]),
            (Null, Inherit, Inherit, [false; 3]),
        ] {
            let exec = ExecContext {
                stdin,
                stdout,
                stderr,
                tty_reset: true,
                ..ExecContext::default()
            };
            assert_eq!(streams_of(&exec), expected);
            assert_eq!(after(&exec).is_some(), expected != [false; 3]);
        }
    }

    #[test]
    fn the_helper_reads_what_is_written() {
        let what = Leaving {
            reset: true,
            disallocate: true,
            ..Leaving::default()
        };
        assert_eq!(words(what), "reset,disallocate");
        assert_eq!(read_words(&words(what)), what);
        assert_eq!(read_words(""), Leaving::default());
    }
}
