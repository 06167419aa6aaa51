//! `[Unit]`.

use super::{Applied, Fault, Outcome, RawUnit};
use crate::model::{
    Condition, ConditionKind, Dependency, DependencyKind, EmergencyAction, JobMode, Origin, Usec,
};
use crate::name::UnitName;
use crate::value::{boolean, did_you_mean, integer, simple_path, split_words, time};

/// Settings that name units, with what they mean.
const DEPENDENCIES: [(&str, DependencyKind); 20] = [
    ("Wants", DependencyKind::Wants),
    ("Requires", DependencyKind::Requires),
    ("Requisite", DependencyKind::Requisite),
    ("BindsTo", DependencyKind::BindsTo),
    ("BindTo", DependencyKind::BindsTo),
    ("PartOf", DependencyKind::PartOf),
    ("Upholds", DependencyKind::Upholds),
    ("Conflicts", DependencyKind::Conflicts),
    ("Before", DependencyKind::Before),
    ("After", DependencyKind::After),
    ("OnFailure", DependencyKind::OnFailure),
    ("OnSuccess", DependencyKind::OnSuccess),
    ("PropagatesReloadTo", DependencyKind::PropagatesReloadTo),
    ("PropagateReloadTo", DependencyKind::PropagatesReloadTo),
    ("PropagatesStopTo", DependencyKind::PropagatesStopTo),
    ("ReloadPropagatedFrom", DependencyKind::ReloadPropagatedFrom),
    ("PropagateReloadFrom", DependencyKind::ReloadPropagatedFrom),
    ("StopPropagatedFrom", DependencyKind::StopPropagatedFrom),
    ("RequiresOverridable", DependencyKind::Requires),
    ("RequisiteOverridable", DependencyKind::Requisite),
];

pub(super) fn apply(raw: &mut RawUnit, key: &str, value: &str) -> Outcome {
    if let Some((_, kind)) = DEPENDENCIES.iter().find(|(known, _)| *known == key) {
        return dependency(raw, *kind, value);
    }
    if let Some(test) = key.strip_prefix("Condition") {
        return condition(&mut raw.section.conditions, test, value);
    }
    if let Some(test) = key.strip_prefix("Assert") {
        return condition(&mut raw.section.asserts, test, value);
    }
    let unit = &mut raw.section;
    match key {
        "Description" => unit.description = value.to_owned(),
        "Documentation" if value.is_empty() => unit.documentation.clear(),
        "Documentation" => unit
            .documentation
            .extend(value.split_whitespace().map(str::to_owned)),
        "DefaultDependencies" => {
            unit.default_dependencies = boolean(value)?;
            raw.written.default_dependencies = true;
        }
        "AllowIsolate" => unit.allow_isolate = boolean(value)?,
        "IgnoreOnIsolate" => {
            unit.ignore_on_isolate = boolean(value)?;
            raw.written.ignore_on_isolate = true;
        }
        "RefuseManualStart" => unit.refuse_manual_start = boolean(value)?,
        "RefuseManualStop" => unit.refuse_manual_stop = boolean(value)?,
        "StopWhenUnneeded" => unit.stop_when_unneeded = boolean(value)?,
        "SurviveFinalKillSignal" => {
            unit.survive_final_kill_signal = boolean(value)?;
            raw.written.survive_final_kill_signal = true;
        }
        "SurviveSoftReboot" => unit.survive_soft_reboot = Some(boolean(value)?),
        "StartLimitIntervalSec" | "StartLimitInterval" => unit.start_limit.interval = time(value)?,
        "StartLimitBurst" => unit.start_limit.burst = integer(value)?,
        "JobTimeoutSec" => unit.job_timeout = zero_is_never(time(value)?),
        "JobRunningTimeoutSec" => unit.job_running_timeout = zero_is_never(time(value)?),
        "JobTimeoutAction" => unit.job_timeout_action = action(value)?,
        "StartLimitAction" => unit.start_limit_action = action(value)?,
        "SuccessAction" => unit.success_action = action(value)?,
        "FailureAction" => unit.failure_action = action(value)?,
        "OnFailureJobMode" => unit.on_failure_job_mode = job_mode(value)?,
        "OnSuccessJobMode" => unit.on_success_job_mode = job_mode(value)?,
        "RequiresMountsFor" => paths(&mut unit.requires_mounts_for, value)?,
        "WantsMountsFor" => paths(&mut unit.wants_mounts_for, value)?,
        "JoinsNamespaceOf" => {
            for word in split_words(value)? {
                let name = UnitName::new(&word).map_err(|error| Fault::at(&word, error.to_string()))?;
                unit.joins_namespace_of.push(name);
            }
        }
        "CollectMode" => {
            unit.collect_mode = from_word(value, "collect mode; expected inactive or inactive-or-failed")?
        }
        "SourcePath" => unit.source_path = some(value),
        "RebootArgument" => unit.reboot_argument = some(value),
        "JobTimeoutRebootArgument" => unit.job_timeout_reboot_argument = some(value),
        "SuccessActionExitStatus" => unit.success_action_exit_status = exit_status(value)?,
        "FailureActionExitStatus" => unit.failure_action_exit_status = exit_status(value)?,
        _ => return Ok(Applied::Unknown),
    }
    Ok(Applied::Done)
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn exit_status(value: &str) -> Result<Option<u8>, String> {
    match value {
        "" => Ok(None),
        value => integer(value).map(Some),
    }
}

fn paths(list: &mut Vec<String>, value: &str) -> Result<(), Fault> {
    // They are dependencies, which an empty value does not take back.
    for word in split_words(value)? {
        let path = simple_path(&word).ok_or_else(|| {
            Fault::at(
                &word,
                format!("{} is no absolute path", crate::syntax::shown(&word)),
            )
        })?;
        list.push(path);
    }
    Ok(())
}

pub(super) fn zero_is_never(span: Usec) -> Usec {
    if span == Usec::ZERO { Usec::INFINITY } else { span }
}

fn dependency(raw: &mut RawUnit, kind: DependencyKind, value: &str) -> Outcome {
    // An empty value resets nothing here: the reference keeps dependencies, too.
    let mut first_wrong = None;
    for word in split_words(value)? {
        match UnitName::new(&word) {
            Ok(on) => raw.dependencies.push(Dependency {
                kind,
                on,
                origin: Origin::File,
            }),
            Err(error) => {
                first_wrong.get_or_insert_with(|| Fault::at(&word, error.to_string()));
            }
        }
    }
    first_wrong.map_or(Ok(Applied::Done), Err)
}

fn condition(list: &mut Vec<Condition>, test: &str, value: &str) -> Outcome {
    let Ok(kind) = test.parse::<ConditionKind>() else {
        return Ok(Applied::Unknown);
    };
    if value.is_empty() {
        list.clear();
        return Ok(Applied::Done);
    }
    let (trigger, rest) = value
        .strip_prefix('|')
        .map_or((false, value), |rest| (true, rest.trim_start()));
    let (negate, argument) = rest
        .strip_prefix('!')
        .map_or((false, rest), |rest| (true, rest.trim_start()));
    if kind.takes_path() && !argument.starts_with('/') {
        return Err(Fault::at(
            argument,
            format!("{} is no absolute path", crate::syntax::shown(argument)),
        ));
    }
    if kind.takes_boolean() {
        boolean(argument).map_err(|reason| Fault::at(argument, reason))?;
    }
    list.push(Condition {
        test: test.to_owned(),
        argument: argument.to_owned(),
        trigger,
        negate,
    });
    Ok(Applied::Done)
}

/// The value that serialises as `word`: the model's words are the setting's words.
pub(super) fn from_word<T: serde::de::DeserializeOwned>(word: &str, what: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|_| {
        // The sentence names the choices, so the hint can come from them.
        let choices = what.rsplit("expected ").next().unwrap_or_default();
        let words = choices.split([' ', ',']).filter(|choice| !choice.is_empty());
        let hint = did_you_mean(word, words);
        format!("{} is no {what}{hint}", crate::syntax::shown(word))
    })
}

fn action(value: &str) -> Result<EmergencyAction, String> {
    from_word(
        value,
        "action; expected none, reboot, poweroff, soft-reboot, exit, halt, kexec or one of them with -force",
    )
}

fn job_mode(value: &str) -> Result<JobMode, String> {
    from_word(
        value,
        "job mode; expected fail, replace, replace-irreversibly, isolate, flush or ignore-dependencies",
    )
}
