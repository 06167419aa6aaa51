//! Conditions and asserts, evaluated right before a start (semantics 5.7).

use std::fs;
use std::path::Path;

use softboot_unit::Condition;

/// All that must hold holds, and at least one of the triggers if there are any. A test that cannot be made counts
/// as false, before it is negated.
pub(crate) fn hold(conditions: &[Condition], command_line: &[String], container: bool) -> bool {
    let outcome = |condition: &Condition| test(condition, command_line, container) != condition.negate;
    let (triggers, plain): (Vec<_>, Vec<_>) = conditions.iter().partition(|condition| condition.trigger);
    plain.into_iter().all(outcome) && (triggers.is_empty() || triggers.into_iter().any(outcome))
}

fn test(condition: &Condition, command_line: &[String], container: bool) -> bool {
    let argument = condition.argument.as_str();
    let path = Path::new(argument);
    match condition.test.as_str() {
        "PathExists" => path.exists(),
        "PathIsDirectory" => path.is_dir(),
        "PathIsSymbolicLink" => path.is_symlink(),
        "PathIsMountPoint" => path.exists() && crate::setup::is_mount_point(argument).unwrap_or(false),
        "PathIsReadWrite" => rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok(),
        "PathIsSocket" => {
            use std::os::unix::fs::FileTypeExt as _;
            fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
        }
        "DirectoryNotEmpty" => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()),
        "FileNotEmpty" => fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() > 0),
        "FileIsExecutable" => path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok(),
        "KernelCommandLine" => on_command_line(argument, command_line),
        "Virtualization" => match argument {
            "container" | "yes" | "true" | "1" | "on" => container,
            "no" | "false" | "0" | "off" => !container,
            other => container && std::env::var("container").is_ok_and(|name| name == other),
        },
        "ControlGroupController" => argument == "v2",
        "Environment" => match argument.split_once('=') {
            Some((name, value)) => std::env::var(name).is_ok_and(|found| found == value),
            None => std::env::var_os(argument).is_some(),
        },
        other => {
            tracing::warn!("condition {other}={argument} is not supported and counts as not met");
            false
        }
    }
}

/// A word of its own, or `key=value` with the key (semantics 5.7, ConditionKernelCommandLine).
fn on_command_line(argument: &str, command_line: &[String]) -> bool {
    command_line.iter().any(|word| {
        word == argument
            || (!argument.contains('=') && word.split_once('=').is_some_and(|(key, _)| key == argument))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Condition {
        let (test, value) = text.split_once('=').unwrap();
        let trigger = value.starts_with('|');
        let value = value.trim_start_matches('|');
        let negate = value.starts_with('!');
        Condition {
            test: test.to_owned(),
            argument: value.trim_start_matches('!').to_owned(),
            trigger,
            negate,
        }
    }

    fn check(lines: &[&str]) -> bool {
        let conditions: Vec<_> = lines.iter().map(|line| condition(line)).collect();
        hold(
            &conditions,
            &["quiet".to_owned(), "softboot.vm=1".to_owned()],
            false,
        )
    }

    #[test]
    fn every_plain_condition_must_hold() {
        assert!(check(&["PathExists=/proc", "PathIsDirectory=/proc"]));
        assert!(!check(&["PathExists=/proc", "PathExists=/nowhere"]));
        assert!(check(&["PathExists=!/nowhere"]));
        assert!(check(&[]));
    }

    #[test]
    fn one_trigger_is_enough_but_one_it_must_be() {
        assert!(check(&["PathExists=|/nowhere", "PathExists=|/proc"]));
        assert!(!check(&["PathExists=|/nowhere", "PathExists=|/nowhere2"]));
        assert!(!check(&["PathExists=|/proc", "PathExists=/nowhere"]));
    }

    #[test]
    fn command_line_words_match_whole_or_by_key() {
        assert!(check(&["KernelCommandLine=quiet"]));
        assert!(check(&["KernelCommandLine=softboot.vm"]));
        assert!(check(&["KernelCommandLine=softboot.vm=1"]));
        assert!(!check(&["KernelCommandLine=softboot.vm=2"]));
        assert!(!check(&["KernelCommandLine=soft"]));
    }

    #[test]
    fn an_unknown_test_counts_as_not_met() {
        assert!(!check(&["Moonphase=full"]));
    }
}
