//! What the kernel's command line says about the end, and about handoffs.

use softboot_unit::Usec;

/// From SIGTERM to SIGKILL in the final kill. Units had their own stop time before.
const FINAL_KILL: Usec = Usec::from_secs(2);
/// What the hardware watchdog allows for the rest, from the final kill to the firmware (RebootWatchdogSec= of the
/// reference, with its default).
const REBOOT_WATCHDOG: Usec = Usec::from_secs(600);

/// How long the next program may take to say yes. Services run on meanwhile, so this is no part of any gap.
const VERIFICATION: Usec = Usec::from_secs(60);

/// `softboot.verify_sec=`.
pub(crate) fn verification_limit(words: &[String]) -> Usec {
    time(words, "softboot.verify_sec=").unwrap_or(VERIFICATION)
}

/// `softboot.final_kill_sec=`.
pub(super) fn final_kill_grace(words: &[String]) -> Usec {
    time(words, "softboot.final_kill_sec=").unwrap_or(FINAL_KILL)
}

/// `softboot.reboot_watchdog_sec=`, in whole seconds; 0 and `off`: no watchdog.
pub(super) fn reboot_watchdog(words: &[String]) -> u32 {
    if words
        .iter()
        .any(|word| word == "softboot.reboot_watchdog_sec=off")
    {
        return 0;
    }
    let time = time(words, "softboot.reboot_watchdog_sec=").unwrap_or(REBOOT_WATCHDOG);
    u32::try_from(time.0.div_ceil(1_000_000)).unwrap_or(0)
}

/// `softboot.keep_sockets=no`: a soft-reboot closes every socket with default dependencies, as the reference does.
pub(crate) fn keeps_sockets(words: &[String]) -> bool {
    is_not_off(words, "softboot.keep_sockets=")
}

/// `softboot.in_place=no`: a soft-reboot always executes the next program, also where it is the one that runs.
pub(crate) fn goes_on_in_place(words: &[String]) -> bool {
    is_not_off(words, "softboot.in_place=")
}

/// The last word counts.
fn is_not_off(words: &[String], key: &str) -> bool {
    let said = words.iter().rev().find_map(|word| word.strip_prefix(key));
    !matches!(said, Some("no" | "0" | "false" | "off"))
}

/// Seconds, or a number with `ms`, `s` or `min`. The last word counts; one that is wrong is as if it were not there.
fn time(words: &[String], key: &str) -> Option<Usec> {
    words.iter().rev().find_map(|word| span(word.strip_prefix(key)?))
}

fn span(text: &str) -> Option<Usec> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let unit: u64 = match text.strip_prefix(digits)? {
        "" | "s" => 1_000_000,
        "ms" => 1_000,
        "min" => 60_000_000,
        _ => return None,
    };
    Some(Usec(number.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_last_time_that_can_be_read_counts() {
        let line = words("softboot.final_kill_sec=500ms root=/dev/x softboot.final_kill_sec=7");
        assert_eq!(final_kill_grace(&line), Usec::from_secs(7));
        assert_eq!(
            final_kill_grace(&words("softboot.final_kill_sec=soon")),
            FINAL_KILL
        );
        assert_eq!(final_kill_grace(&[]), FINAL_KILL);
    }

    #[test]
    fn the_next_program_has_a_minute_to_answer_unless_somebody_says_otherwise() {
        assert_eq!(verification_limit(&[]), Usec::from_secs(60));
        assert_eq!(
            verification_limit(&words("softboot.verify_sec=2min")),
            Usec::from_secs(120)
        );
    }

    #[test]
    fn sockets_are_kept_unless_somebody_says_no() {
        assert!(keeps_sockets(&[]) && keeps_sockets(&words("softboot.keep_sockets=yes")));
        assert!(!keeps_sockets(&words(
            "softboot.keep_sockets=yes softboot.keep_sockets=no"
        )));
    }

    #[test]
    fn the_watchdog_has_a_default_and_can_be_left_alone() {
        assert_eq!(reboot_watchdog(&[]), 600);
        assert_eq!(reboot_watchdog(&words("softboot.reboot_watchdog_sec=1500ms")), 2);
        assert_eq!(reboot_watchdog(&words("softboot.reboot_watchdog_sec=0")), 0);
        assert_eq!(reboot_watchdog(&words("softboot.reboot_watchdog_sec=off")), 0);
    }
}
