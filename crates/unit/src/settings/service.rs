//! `[Service]`.

use super::unit::{from_word, zero_is_never};
use super::{Applied, Outcome, RawService, exec};
use crate::model::{ExecCommand, KillMode};
use crate::name::{UnitKind, UnitName};
use crate::value::{boolean, commands, exit_statuses, integer, signal, size, split_words, time};

pub(super) fn apply(raw: &mut RawService, key: &str, value: &str) -> Outcome {
    if let Some(list) = exec_list(raw, key) {
        return exec_commands(list, value);
    }
    if let Some(outcome) = kill(raw, key, value) {
        return outcome;
    }
    let service = &mut raw.section;
    match key {
        "Type" => {
            raw.service_type = Some(from_word(
                value,
                "service type; expected simple, exec, oneshot, notify, notify-reload, forking, dbus or idle",
            )?)
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
                    _ => return Err(format!("{word:?} is no socket unit")),
                }
            }
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
        "RestartPreventExitStatus" => service.restart_prevent_codes.extend(exit_statuses(value)?.0),
        "RestartForceExitStatus" => service.restart_force_codes.extend(exit_statuses(value)?.0),
        "PIDFile" => service.pid_file = (!value.is_empty()).then(|| value.to_owned()),
        "BusName" => service.bus_name = (!value.is_empty()).then(|| value.to_owned()),
        "Slice" => {
            raw.slice = match UnitName::new(value) {
                Ok(name) if name.kind() == UnitKind::Slice => Some(name),
                _ => return Err(format!("{value:?} is no slice unit")),
            }
        }
        "Delegate" => service.delegate = boolean(value).unwrap_or(true),
        "MemoryMax" => service.memory_max = size(value)?,
        "TasksMax" => {
            service.tasks_max = if value == "infinity" {
                None
            } else {
                Some(integer(value)?)
            }
        }
        _ => return exec::apply(&mut service.exec, key, value),
    }
    Ok(Applied::Done)
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
        _ => None,
    }
}

fn exec_commands(list: &mut Vec<ExecCommand>, value: &str) -> Outcome {
    if value.is_empty() {
        list.clear();
    } else {
        list.extend(commands(value)?);
    }
    Ok(Applied::Done)
}

fn kill(raw: &mut RawService, key: &str, value: &str) -> Option<Outcome> {
    let kill = &mut raw.section.kill;
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
