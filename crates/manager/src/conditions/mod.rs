//! Conditions and asserts, evaluated right before a start (semantics 5.7).

mod compare;
mod glob;
mod machine;
mod paths;
mod pressure;
mod system;
mod virtualization;

use std::path::Path;

use softboot_unit::{Condition, ConditionKind};

/// All that must hold holds, and at least one of the triggers if there are any. A test that cannot be made counts
/// as false, before it is negated.
pub(crate) fn hold(conditions: &[Condition], command_line: &[String], container: bool) -> bool {
    let outcome = |condition: &Condition| test(condition, command_line, container) != condition.negate;
    let (triggers, plain): (Vec<_>, Vec<_>) = conditions.iter().partition(|condition| condition.trigger);
    plain.into_iter().all(outcome) && (triggers.is_empty() || triggers.into_iter().any(outcome))
}

fn test(condition: &Condition, command_line: &[String], container: bool) -> bool {
    use ConditionKind as C;
    let argument = condition.argument.as_str();
    let Some(kind) = condition.kind() else {
        tracing::warn!(
            "condition {}={argument} is unknown and counts as not met",
            condition.test
        );
        return false;
    };
    match kind {
        C::PathExists
        | C::PathExistsGlob
        | C::PathIsDirectory
        | C::PathIsSymbolicLink
        | C::PathIsMountPoint
        | C::PathIsReadWrite
        | C::PathIsEncrypted
        | C::PathIsSocket
        | C::DirectoryNotEmpty
        | C::FileNotEmpty
        | C::FileIsExecutable
        | C::NeedsUpdate => paths::test(kind, argument),
        C::KernelCommandLine => on_command_line(argument, command_line),
        C::Virtualization => virtualization::test(argument, container),
        C::Architecture => machine::architecture(argument),
        C::Firmware => machine::firmware(argument),
        C::KernelVersion => compare::version(&machine::release(), argument),
        C::Version => machine::version(argument),
        C::KernelModuleLoaded => machine::module_loaded(argument),
        C::Security => machine::security(argument),
        C::Capability => machine::capability(argument),
        C::ACPower => machine::on_ac_power() == is_yes(argument),
        C::CPUFeature => machine::cpu_feature(argument),
        C::CPUs => compare::number(machine::cpus(), argument, |text| text.parse().ok()),
        C::Memory => compare::number(machine::memory(), argument, machine::bytes),
        C::ControlGroupController => machine::controllers(argument),
        C::MemoryPressure => pressure::low("memory", "full", argument),
        C::CPUPressure => pressure::low("cpu", "some", argument),
        C::IOPressure => pressure::low("io", "full", argument),
        C::Host => system::host(argument),
        C::FirstBoot => Path::new("/run/systemd/first-boot").exists() == is_yes(argument),
        C::Credential => system::credential(argument),
        C::OSRelease => system::os_release(argument),
        // PID 1 is root.
        C::User => matches!(argument, "root" | "0" | "@system"),
        C::Group => matches!(argument, "root" | "0"),
        C::Environment => match argument.split_once('=') {
            Some((name, value)) => std::env::var(name).is_ok_and(|found| found == value),
            None => std::env::var_os(argument).is_some(),
        },
        C::MachineTag | C::Fraction => {
            tracing::warn!(
                "condition {}={argument} is not supported and counts as not met",
                condition.test
            );
            false
        }
    }
}

fn is_yes(argument: &str) -> bool {
    matches!(argument, "yes" | "true" | "1" | "on" | "y" | "t")
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
    fn root_is_who_asks() {
        assert!(check(&["User=root", "User=@system", "Group=0", "User=!nobody"]));
    }

    #[test]
    fn an_unknown_test_counts_as_not_met() {
        assert!(!check(&["Moonphase=full"]));
    }
}
