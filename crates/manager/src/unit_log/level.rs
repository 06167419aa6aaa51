//! How important a line is: `SyslogLevelPrefix=`, `SyslogLevel=` and `LogLevelMax=` (sd-daemon(3), systemd.exec(5)).

use softboot_unit::ExecContext;

/// The lines that are important enough, without their prefixes.
pub(super) fn filter(exec: &ExecContext, mut lines: Vec<String>) -> Vec<String> {
    lines.retain_mut(|line| {
        let own = exec.syslog_level_prefix.then(|| prefix(line)).flatten();
        if own.is_some() {
            line.drain(..PREFIX);
        }
        let level = own.unwrap_or(exec.syslog_level);
        exec.log_level_max.is_none_or(|most| level <= most)
    });
    lines
}

/// Length of `<N>`.
const PREFIX: usize = 3;

/// The level that a line says it has.
fn prefix(line: &str) -> Option<u8> {
    match line.as_bytes() {
        [b'<', level @ b'0'..=b'7', b'>', ..] => Some(level.wrapping_sub(b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(change: impl FnOnce(&mut ExecContext)) -> Vec<String> {
        let mut exec = ExecContext::default();
        change(&mut exec);
        let lines = ["<3>bad", "plain", "<7>chatter", "<8>none", "<7"].map(str::to_owned);
        filter(&exec, lines.to_vec())
    }

    #[test]
    fn a_prefix_is_taken_away_and_what_is_not_important_enough_with_it() {
        assert_eq!(filtered(|_| {}), ["bad", "plain", "chatter", "<8>none", "<7"]);
        assert_eq!(
            filtered(|exec| exec.log_level_max = Some(6)),
            ["bad", "plain", "<8>none", "<7"]
        );
        assert_eq!(filtered(|exec| exec.log_level_max = Some(3)), ["bad"]);
        let all_are_errors = filtered(|exec| {
            exec.log_level_max = Some(3);
            exec.syslog_level = 3;
        });
        assert_eq!(all_are_errors, ["bad", "plain", "<8>none", "<7"]);
        let as_written = filtered(|exec| {
            exec.log_level_max = Some(6);
            exec.syslog_level_prefix = false;
        });
        assert_eq!(as_written, ["<3>bad", "plain", "<7>chatter", "<8>none", "<7"]);
    }
}
