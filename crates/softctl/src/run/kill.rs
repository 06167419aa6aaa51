//! `kill` and `clean`.

use softboot_control::api::{KillRequest, Request};

use super::plain;
use super::session::Session;
use crate::cli::{Clean, Kill};
use crate::error::Error;
use crate::exit;

/// The last real-time signal of signal(7).
const LAST_SIGNAL: i32 = 64;

pub(super) fn kill(session: &mut Session, kill: &Kill) -> Result<u8, Error> {
    let signal = signal_number(&kill.signal).ok_or_else(|| {
        Error::Usage(format!(
            "{:?} is no signal; give a name such as SIGHUP, or a number",
            kill.signal
        ))
    })?;
    session.each(&kill.units.units, exit::NO_SUCH_UNIT, |session, unit| {
        let request = Request::Kill(KillRequest {
            name: unit.to_owned(),
            whom: kill.kill_whom.word(),
            signal,
        });
        plain(session, &format!("kill of {unit}"), &request)
    })
}

pub(super) fn clean(session: &mut Session, clean: &Clean) -> Result<u8, Error> {
    session.each(&clean.units.units, exit::NO_SUCH_UNIT, |session, unit| {
        let request = Request::Clean {
            name: unit.to_owned(),
            what: clean.what.clone(),
        };
        plain(session, &format!("clean of {unit}"), &request)
    })
}

/// `SIGHUP`, `HUP` or `1`, in any case of letters.
fn signal_number(text: &str) -> Option<i32> {
    let known = 1..=LAST_SIGNAL;
    if let Ok(number) = text.parse() {
        return known.contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    known
        .into_iter()
        .find(|number| softboot_unit::signal_name(*number) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        assert_eq!(signal_number("SIGHUP"), Some(1));
        assert_eq!(signal_number("usr1"), Some(10));
        assert_eq!(signal_number("64"), Some(64));
        assert_eq!(signal_number("RTMIN+1"), Some(35));
        for wrong in ["", "SIG", "0", "65", "-1", "FLY"] {
            assert_eq!(signal_number(wrong), None, "{wrong}");
        }
    }
}
