//! `[Service]`.

use super::unit::{from_word, zero_is_never};
use super::{Applied, Fault, Outcome, RawService, cgroup, exec, service_more};
use crate::model::{Amount, Delegate, ExecCommand, KillMode, KillSettings, ServiceType};
use crate::name::{UnitKind, UnitName};
use crate::value::{boolean, commands, exit_statuses, integer, signal, split_words, time};

pub(super) fn apply(raw: &mut RawService, key: &str, value: &str) -> Outcome {
    if let Some(list) = exec_list(raw, key) {
        return exec_commands(list, value);
    }
    if let Some(outcome) = kill(&mut raw.section.kill, key, value) {
        return outcome;
    }
    let service = &mut raw.section;
    match key {
        "Type" => {
            raw.service_type = Some(from_word(
                value,
                "service type; expected simple, exec, oneshot, notify, notify-reload, forking, dbus or idle",
            )?);
            if raw.service_type == Some(ServiceType::Dbus) {
                return Ok(Applied::But(
                    "a start is refused, because nobody watches names on the bus yet; use notify, exec or simple",
                ));
            }
        }
        "Restart" => {
            service.restart = from_word(
                value,
                "restart policy; expected no, always, on-success, on-failure, on-abnormal, on-abort or on-watchdog",
            )?
        }
        "RestartSec" => service.restart_delay = time(value)?,
        "RemainAfterExit" => service.remain_after_exit = boolean(value)?,
        "TimeoutSec" => {
            let span = zero_is_never(time(value)?);
            raw.timeout_start = Some(span);
            service.timeout_stop = span;
        }
        "TimeoutStartSec" => raw.timeout_start = Some(zero_is_never(time(value)?)),
        "TimeoutStopSec" => service.timeout_stop = zero_is_never(time(value)?),
        "RuntimeMaxSec" => service.runtime_max = zero_is_never(time(value)?),
        "WatchdogSec" => service.watchdog = time(value)?,
        "NotifyAccess" => {
            raw.notify_access = Some(from_word(value, "access; expected none, main, exec or all")?)
        }
        "FileDescriptorStoreMax" => service.fd_store_max = integer(value)?,
        "FileDescriptorStorePreserve" => {
            service.fd_store_preserve = match boolean(value) {
                Ok(true) => crate::model::FdStorePreserve::Yes,
                Ok(false) => crate::model::FdStorePreserve::No,
                Err(_) => from_word(value, "lifetime; expected no, restart, yes or on-success")?,
            }
        }
        "NonBlocking" => service.non_blocking = boolean(value)?,
        "Sockets" => {
            for word in split_words(value)? {
                match UnitName::new(&word) {
                    Ok(name) if name.kind() == UnitKind::Socket => service.sockets.push(name),
                    _ => return Err(Fault::at(&word, format!("{word:?} is no socket unit"))),
                }
            }
        }
        "RestartPreventExitStatus" if value.is_empty() => {
            service.restart_prevent_codes.clear();
            service.restart_settings.prevent_signals.clear();
        }
        "RestartForceExitStatus" if value.is_empty() => {
            service.restart_force_codes.clear();
            service.restart_settings.force_signals.clear();
        }
        "SuccessExitStatus" if value.is_empty() => {
            service.success_exit_codes.clear();
            service.success_signals.clear();
        }
        "SuccessExitStatus" => {
            let (codes, signals) = exit_statuses(value)?;
            service.success_exit_codes.extend(codes);
            service.success_signals.extend(signals);
        }
        "RestartPreventExitStatus" => {
            let (codes, signals) = exit_statuses(value)?;
            service.restart_prevent_codes.extend(codes);
            service.restart_settings.prevent_signals.extend(signals);
        }
        "RestartForceExitStatus" => {
            let (codes, signals) = exit_statuses(value)?;
            service.restart_force_codes.extend(codes);
            service.restart_settings.force_signals.extend(signals);
        }
        "PIDFile" => service.pid_file = (!value.is_empty()).then(|| value.to_owned()),
        "BusName" => {
            service.bus_name = (!value.is_empty()).then(|| value.to_owned());
            if service.bus_name.is_some() {
                return Ok(Applied::But(
                    "nobody watches names on the bus yet; without Type= it means Type=dbus, and a start is refused",
                ));
            }
        }
        "Slice" => raw.slice = Some(slice_name(value)?),
        "Delegate" => {
            let applied = cgroup::apply(&mut service.exec.resources, key, value)?;
            service.delegate = service.exec.resources.delegate != Delegate::No;
            return Ok(applied);
        }
        "MemoryMax" => {
            cgroup::apply(&mut service.exec.resources, key, value)?;
            service.memory_max = plain_limit(service.exec.resources.memory_max);
        }
        "TasksMax" => {
            cgroup::apply(&mut service.exec.resources, key, value)?;
            service.tasks_max = plain_limit(service.exec.resources.tasks_max);
        }
        _ => {
            return match service_more::apply(service, key, value)? {
                Applied::Unknown => exec::apply(&mut service.exec, key, value),
                applied => Ok(applied),
            };
        }
    }
    Ok(Applied::Done)
}

/// The limit as a number; a share of the machine is not one.
fn plain_limit(amount: Option<Amount>) -> Option<u64> {
    match amount {
        Some(Amount::Absolute(number)) => Some(number),
        _ => None,
    }
}

pub(super) fn slice_name(value: &str) -> Result<UnitName, Fault> {
    match UnitName::new(value) {
        Ok(name) if name.kind() == UnitKind::Slice => Ok(name),
        _ => Err(Fault::at(value, format!("{value:?} is no slice unit"))),
    }
}

fn exec_list<'r>(raw: &'r mut RawService, key: &str) -> Option<&'r mut Vec<ExecCommand>> {
    let service = &mut raw.section;
    match key {
        "ExecCondition" => Some(&mut service.exec_condition),
        "ExecStartPre" => Some(&mut service.exec_start_pre),
        "ExecStart" => Some(&mut service.exec_start),
        "ExecStartPost" => Some(&mut service.exec_start_post),
        "ExecReload" => Some(&mut service.exec_reload),
        "ExecStop" => Some(&mut service.exec_stop),
        "ExecStopPost" => Some(&mut service.exec_stop_post),
        "ExecReloadPost" => Some(&mut service.exec_reload_post),
        _ => None,
    }
}

pub(super) fn exec_commands(list: &mut Vec<ExecCommand>, value: &str) -> Outcome {
    if value.is_empty() {
        list.clear();
    } else {
        list.extend(commands(value)?);
        if prefixes(value).contains("!!") {
            return Ok(Applied::But(
                "the prefix !! has no meaning any more (semantics 4.10); leave it out, or write ! to keep root's rights",
            ));
        }
    }
    Ok(Applied::Done)
}

/// What stands before the program of the first command.
fn prefixes(value: &str) -> &str {
    let end = value.find(|c| !"-@:+!|".contains(c)).unwrap_or(value.len());
    value.get(..end).unwrap_or("")
}

pub(super) fn kill(kill: &mut KillSettings, key: &str, value: &str) -> Option<Outcome> {
    let outcome = (|| {
        match key {
            "KillMode" => {
                kill.mode =
                    from_word::<KillMode>(value, "kill mode; expected control-group, mixed, process or none")?
            }
            "KillSignal" => kill.signal = signal(value)?,
            "RestartKillSignal" => kill.restart_signal = Some(signal(value)?),
            "FinalKillSignal" => kill.final_signal = signal(value)?,
            "SendSIGHUP" => kill.send_sighup = boolean(value)?,
            "SendSIGKILL" => kill.send_sigkill = boolean(value)?,
            "WatchdogSignal" => kill.watchdog_signal = signal(value)?,
            _ => return Ok(Applied::Unknown),
        }
        Ok(Applied::Done)
    })();
    match outcome {
        Ok(Applied::Unknown) => None,
        other => Some(other),
    }
}
