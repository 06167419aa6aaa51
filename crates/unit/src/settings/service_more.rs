//! `[Service]`: delays, failure modes and descriptors (semantics 3.11, 4.2, 4.7, 4.8).

use super::unit::{from_word, zero_is_never};
use super::{Applied, Fault, Outcome};
use crate::model::{OpenFile, ServiceSection};
use crate::syntax::shown;
use crate::value::{boolean, integer, signal, time};

pub(super) fn apply(service: &mut ServiceSection, key: &str, value: &str) -> Outcome {
    match key {
        "RestartSteps" => service.restart_settings.steps = integer(value)?,
        "RestartMaxDelaySec" => service.restart_settings.max_delay = time(value)?,
        "RestartRandomizedDelaySec" => service.restart_settings.randomized_delay = time(value)?,
        "RestartMode" => {
            service.restart_settings.mode =
                from_word(value, "restart mode; expected normal, direct or debug")?
        }
        "ExitType" => service.exit_type = from_word(value, "exit type; expected main or cgroup")?,
        "TimeoutAbortSec" => {
            service.timeout_abort = match value {
                "" => None,
                value => Some(zero_is_never(time(value)?)),
            }
        }
        "TimeoutCleanSec" => service.timeout_clean = zero_is_never(time(value)?),
        "TimeoutStartFailureMode" => {
            service.timeout_start_failure_mode = from_word(value, "mode; expected terminate, abort or kill")?
        }
        "TimeoutStopFailureMode" => {
            service.timeout_stop_failure_mode = from_word(value, "mode; expected terminate, abort or kill")?
        }
        "RuntimeRandomizedExtraSec" => service.runtime_randomized_extra = time(value)?,
        "OOMPolicy" => {
            service.oom_policy = match value {
                "" => None,
                value => Some(from_word(value, "policy; expected continue, stop or kill")?),
            }
        }
        "OpenFile" if value.is_empty() => service.open_files.clear(),
        "OpenFile" => service.open_files.push(open_file(value)?),
        "GuessMainPID" => service.guess_main_pid = boolean(value)?,
        "ReloadSignal" => service.reload_signal = signal(value)?,
        "RootDirectoryStartOnly" => service.root_directory_start_only = boolean(value)?,
        "USBFunctionDescriptors" | "USBFunctionStrings" => {
            return Err(Fault::refused("USB functions are not supported"));
        }
        _ => return Ok(Applied::Unknown),
    }
    Ok(Applied::Done)
}

/// `PATH[:NAME[:OPTION,OPTION]]`; the name is by default the path's last part.
fn open_file(value: &str) -> Result<OpenFile, Fault> {
    let mut parts = value.splitn(3, ':');
    let path = parts.next().unwrap_or_default();
    if !path.starts_with('/') {
        return Err(Fault::at(path, format!("{} is no absolute path", shown(path))));
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = parts.next().filter(|name| !name.is_empty()).unwrap_or(last);
    if name.len() > 255 || !name.bytes().all(|b| (32..127).contains(&b)) {
        return Err(Fault::at(
            name,
            format!("{} is no descriptor name: printable ASCII", shown(name)),
        ));
    }
    let mut file = OpenFile {
        path: path.to_owned(),
        name: name.to_owned(),
        read_only: false,
        append: false,
        truncate: false,
        graceful: false,
    };
    for option in parts
        .next()
        .unwrap_or_default()
        .split(',')
        .filter(|option| !option.is_empty())
    {
        match option {
            "read-only" => file.read_only = true,
            "append" => file.append = true,
            "truncate" => file.truncate = true,
            "graceful" => file.graceful = true,
            _ => {
                let message =
                    format!("{option:?} is no option; expected read-only, append, truncate or graceful");
                return Err(Fault::at(option, message));
            }
        }
    }
    if [file.read_only, file.append, file.truncate]
        .into_iter()
        .filter(|set| *set)
        .count()
        > 1
    {
        return Err(Fault::from("read-only, append and truncate exclude each other"));
    }
    Ok(file)
}
