//! The settings of a process' environment.

use super::{Applied, Fault, Outcome, cgroup, directories, exec_more};
use crate::model::{ExecContext, StdStream};
use crate::syntax::shown;
use crate::value::{boolean, integer, octal, resource_limit, split_words};

pub(super) fn apply(exec: &mut ExecContext, key: &str, value: &str) -> Outcome {
    if let Some(name) = key.strip_prefix("Limit").filter(|name| LIMITS.contains(name)) {
        let (soft, hard) = resource_limit(value)?;
        exec.limits.retain(|(known, _, _)| known != name);
        exec.limits.push((name.to_owned(), soft, hard));
        return Ok(Applied::Done);
    }
    match key {
        "User" => exec.user = non_empty(value),
        "Group" => exec.group = non_empty(value),
        "Environment" if value.is_empty() => exec.environment.clear(),
        "Environment" => environment(exec, value)?,
        "EnvironmentFile" if value.is_empty() => exec.environment_files.clear(),
        "EnvironmentFile" => {
            let (optional, path) = optional(value);
            exec.environment_files.push((absolute(path)?, optional));
        }
        "WorkingDirectory" => {
            let (missing_is_ok, path) = optional(value);
            exec.working_directory_optional = missing_is_ok;
            exec.working_directory = match path {
                "" => None,
                "~" => Some("~".to_owned()),
                path => Some(absolute(path)?),
            };
        }
        "RootDirectory" => exec.root_directory = non_empty(value).map(|path| absolute(&path)).transpose()?,
        "StandardInput" => {
            exec.stdin = stream(value, true)?;
            if value == "tty-fail" {
                return Ok(Applied::But(
                    "a terminal that another process has is taken from it all the same",
                ));
            }
        }
        "StandardOutput" => exec.stdout = stream(value, false)?,
        "StandardError" => exec.stderr = stream(value, false)?,
        "TTYPath" => exec.tty_path = absolute(value)?,
        "UMask" => exec.umask = octal(value)?,
        "Nice" => {
            exec.nice = Some(
                integer(value)
                    .ok()
                    .filter(|nice| (-20..=19).contains(nice))
                    .ok_or("expected -20 to 19")?,
            )
        }
        "OOMScoreAdjust" => {
            exec.oom_score_adjust = Some(
                integer(value)
                    .ok()
                    .filter(|score| (-1000..=1000).contains(score))
                    .ok_or("expected -1000 to 1000")?,
            );
        }
        "NoNewPrivileges" => exec.no_new_privileges = boolean(value)?,
        "IgnoreSIGPIPE" => exec.ignore_sigpipe = boolean(value)?,
        _ => return others(exec, key, value),
    }
    Ok(Applied::Done)
}

fn others(exec: &mut ExecContext, key: &str, value: &str) -> Outcome {
    type Apply = fn(&mut ExecContext, &str, &str) -> Outcome;
    let parts: [Apply; 3] = [directories::apply, exec_more::apply, |exec, key, value| {
        cgroup::apply(&mut exec.resources, key, value)
    }];
    for apply in parts {
        match apply(exec, key, value)? {
            Applied::Unknown => {}
            applied => return Ok(applied),
        }
    }
    Ok(Applied::Unknown)
}

/// The names of setrlimit(2) without RLIMIT_.
const LIMITS: [&str; 16] = [
    "CPU",
    "FSIZE",
    "DATA",
    "STACK",
    "CORE",
    "RSS",
    "NOFILE",
    "AS",
    "NPROC",
    "MEMLOCK",
    "LOCKS",
    "SIGPENDING",
    "MSGQUEUE",
    "NICE",
    "RTPRIO",
    "RTTIME",
];

fn non_empty(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn optional(value: &str) -> (bool, &str) {
    value
        .strip_prefix('-')
        .map_or((false, value), |rest| (true, rest))
}

fn absolute(path: &str) -> Result<String, String> {
    if path.starts_with('/') {
        Ok(path.to_owned())
    } else {
        Err(format!("{} is no absolute path", shown(path)))
    }
}

fn environment(exec: &mut ExecContext, value: &str) -> Result<(), Fault> {
    for word in split_words(value)? {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| Fault::at(&word, format!("{} is no NAME=value", shown(&word))))?;
        let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            return Err(Fault::at(name, format!("{} is no variable name", shown(name))));
        }
        // Earlier values of the same variable go when all is read.
        exec.environment.push((name.to_owned(), value.to_owned()));
    }
    Ok(())
}

fn stream(value: &str, input: bool) -> Result<StdStream, String> {
    let path = |prefix: &str| value.strip_prefix(prefix).map(absolute).transpose();
    if let Some(file) = path("file:")? {
        return Ok(StdStream::File(file));
    }
    if !input {
        if let Some(file) = path("append:")? {
            return Ok(StdStream::Append(file));
        }
        if let Some(file) = path("truncate:")? {
            return Ok(StdStream::Truncate(file));
        }
    }
    if let Some(name) = value.strip_prefix("fd:").or((value == "fd").then_some("")) {
        return Ok(StdStream::Fd(name.to_owned()));
    }
    match (value, input) {
        ("data", true) => Ok(StdStream::Data),
        ("null", _) => Ok(StdStream::Null),
        ("tty", _) | ("tty-force" | "tty-fail", true) => Ok(StdStream::Tty),
        ("socket", _) => Ok(StdStream::Socket),
        ("inherit", false) => Ok(StdStream::Inherit),
        // Who asks for syslog gets what the reference gives: a journal passes everything on to it.
        ("journal" | "syslog", false) => Ok(StdStream::Log),
        ("journal+console" | "syslog+console", false) => Ok(StdStream::LogAndConsole),
        ("kmsg", false) => Ok(StdStream::Kmsg),
        ("kmsg+console", false) => Ok(StdStream::KmsgAndConsole),
        (_, true) => Err(format!(
            "{} is no input; expected null, tty, socket, data, fd:NAME or file:PATH",
            shown(value)
        )),
        (_, false) => Err(format!(
            "{} is no output; expected inherit, null, journal, tty, socket, fd:NAME, file:, append: or truncate:PATH",
            shown(value)
        )),
    }
}
