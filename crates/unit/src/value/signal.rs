//! Signals and exit statuses.

use super::did_you_mean;
use crate::syntax::shown;

/// Names of signal(7) with their numbers on the architectures softboot runs on (x86, ARM, RISC-V).
const SIGNALS: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];
/// The first real-time signal that programs may use with glibc.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// `SIGTERM`, `TERM`, `15`, `RTMIN+3`.
pub(crate) fn signal(text: &str) -> Result<i32, String> {
    let wrong = || {
        let short = text.strip_prefix("SIG").unwrap_or(text);
        let hint = did_you_mean(short, SIGNALS.iter().map(|(known, _)| *known));
        format!(
            "{} is no signal; expected a name such as SIGTERM or a number{hint}",
            shown(text)
        )
    };
    if let Ok(number) = text.parse::<i32>() {
        return (1..=RTMAX).contains(&number).then_some(number).ok_or_else(wrong);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset: i32 = if offset.is_empty() {
            0
        } else {
            offset
                .strip_prefix('+')
                .and_then(|o| o.parse().ok())
                .ok_or_else(wrong)?
        };
        return Some(RTMIN.saturating_add(offset))
            .filter(|n| (RTMIN..=RTMAX).contains(n))
            .ok_or_else(wrong);
    }
    SIGNALS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| *number)
        .ok_or_else(wrong)
}

/// The name of a signal without `SIG`; `RTMIN+N`, or the number, for those without one.
pub fn signal_name(number: i32) -> String {
    if let Some((name, _)) = SIGNALS.iter().find(|(_, known)| *known == number) {
        return (*name).to_owned();
    }
    match number.checked_sub(RTMIN) {
        Some(offset) if (0..=RTMAX - RTMIN).contains(&offset) => format!("RTMIN+{offset}"),
        _ => number.to_string(),
    }
}

/// Exit codes (numbers) and signals (names), separated by white space.
pub(crate) fn exit_statuses(text: &str) -> Result<(Vec<i32>, Vec<i32>), String> {
    let (mut codes, mut signals) = (Vec::new(), Vec::new());
    for word in text.split_whitespace() {
        match word.parse::<i32>() {
            Ok(code) if (0..=255).contains(&code) => codes.push(code),
            Ok(_) => return Err(format!("{} is no exit code from 0 to 255", shown(word))),
            Err(_) => match sysexit(word) {
                Some(code) => codes.push(code),
                None => signals.push(signal(word)?),
            },
        }
    }
    Ok((codes, signals))
}

/// Names of sysexits.h.
fn sysexit(word: &str) -> Option<i32> {
    const NAMES: [&str; 15] = [
        "USAGE",
        "DATAERR",
        "NOINPUT",
        "NOUSER",
        "NOHOST",
        "UNAVAILABLE",
        "SOFTWARE",
        "OSERR",
        "OSFILE",
        "CANTCREAT",
        "IOERR",
        "TEMPFAIL",
        "PROTOCOL",
        "NOPERM",
        "CONFIG",
    ];
    (64..)
        .zip(NAMES)
        .find(|(_, name)| *name == word)
        .map(|(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        assert_eq!(signal("SIGTERM"), Ok(15));
        assert_eq!(signal("INT"), Ok(2));
        assert_eq!(signal("9"), Ok(9));
        assert_eq!(signal("SIGRTMIN+3"), Ok(37));
        for number in 1..=RTMAX {
            let named = signal_name(number);
            assert!(signal(&named) == Ok(number), "{named}");
        }
        for bad in ["SIGNOPE", "0", "65", "RTMIN+99", "RTMIN-1", ""] {
            assert!(signal(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn exit_statuses_mix_codes_and_signals() {
        assert_eq!(
            exit_statuses("0 SIGTERM 200 TEMPFAIL"),
            Ok((vec![0, 200, 75], vec![15]))
        );
        assert!(exit_statuses("256").is_err());
    }
}
