//! The environment of a service's process (semantics 1.1, 4.5).

use std::io::ErrorKind;

use softboot_engine::{ExitStatus, ServiceResult, Spawn};
use softboot_unit::{ExecContext, ServiceSection, UnitName, signal_name};

use crate::environment_file;
use crate::paths;
use crate::process::{credentials, directories};
use crate::tracked::Tracked;
use crate::users::User;

/// What the environment is made of, beside the unit's own settings.
pub(crate) struct Facts<'a> {
    /// What an administrator wants in every service.
    pub(crate) common: &'a Tracked<String, String>,
    pub(crate) unit: &'a UnitName,
    pub(crate) spawn: &'a Spawn,
    /// The number of the main process' pidfd, where the kernel gives them numbers (pidfs).
    pub(crate) main_pidfd_id: Option<u64>,
    pub(crate) service: &'a ServiceSection,
    pub(crate) invocation: &'a str,
    pub(crate) user: Option<&'a User>,
    /// Which stream goes to the journal.
    pub(crate) journal_stream: Option<String>,
    pub(crate) fd_names: &'a [String],
    pub(crate) remote: Option<&'a Remote>,
    /// The run of the service that `spawn.monitored` is about.
    pub(crate) monitored_invocation: Option<&'a str>,
}

/// Who is on the other side of an accepted connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Remote {
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) cookie: Option<u64>,
}

/// All variables but those that only the child can know (`softboot_sys::spawn`). Later entries win.
pub(crate) fn build(facts: &Facts<'_>) -> Result<Vec<(String, String)>, String> {
    let Facts { spawn, service, .. } = facts;
    let mut env = Environment::default();
    env.set("PATH", crate::process::PATH);
    for (name, value) in facts.common.iter() {
        env.set(name, value);
    }
    env.set("INVOCATION_ID", facts.invocation);
    let login = service.exec.set_login_environment;
    let root = (login == Some(true) && facts.user.is_none()).then(|| crate::users::user("root"));
    let root = root.transpose()?;
    if let Some(user) = facts.user.or(root.as_ref()).filter(|_| login != Some(false)) {
        env.set("USER", &user.name);
        env.set("LOGNAME", &user.name);
        env.set("HOME", &user.home);
        env.set("SHELL", &user.shell);
    }
    if service.exec.stdin == softboot_unit::StdStream::Tty {
        env.set("TERM", "linux");
    }
    env.set_some("JOURNAL_STREAM", facts.journal_stream.clone());
    directories(&mut env, &service.exec);
    if credentials::any(&service.exec) {
        env.set_some(
            "CREDENTIALS_DIRECTORY",
            credentials::directory(facts.unit).to_str().map(str::to_owned),
        );
    }
    if spawn.notify_socket {
        env.set("NOTIFY_SOCKET", paths::NOTIFY_SOCKET);
        if service.fd_store_max > 0 {
            env.set("FDSTORE", &service.fd_store_max.to_string());
        }
    }
    if let Some(interval) = spawn.watchdog {
        env.set("WATCHDOG_USEC", &interval.0.to_string());
    }
    if let Some(pid) = spawn.main_pid {
        env.set("MAINPID", &pid.to_string());
        env.set_some("MAINPIDFDID", facts.main_pidfd_id.map(|id| id.to_string()));
    }
    env.set_some("PIDFILE", service.pid_file.clone());
    if !facts.fd_names.is_empty() {
        env.set("LISTEN_FDS", &facts.fd_names.len().to_string());
        env.set("LISTEN_FDNAMES", &facts.fd_names.join(":"));
    }
    result(&mut env, spawn);
    monitored(&mut env, facts);
    if let Some(remote) = facts.remote {
        env.set_some("REMOTE_ADDR", remote.address.clone());
        env.set_some("REMOTE_PORT", remote.port.map(|port| port.to_string()));
        env.set_some("SO_COOKIE", remote.cookie.map(|cookie| cookie.to_string()));
    }
    own_settings(&mut env, &service.exec)?;
    Ok(env.0)
}

fn result(env: &mut Environment, spawn: &Spawn) {
    let Some(result) = spawn.result else { return };
    env.set("SERVICE_RESULT", result_word(result));
    let Some(status) = spawn.main_status else { return };
    let (code, value) = exit_words(status);
    env.set("EXIT_CODE", code);
    env.set("EXIT_STATUS", &value);
}

/// How the service ended that started this one by OnFailure= or OnSuccess=.
fn monitored(env: &mut Environment, facts: &Facts<'_>) {
    let Some(monitored) = &facts.spawn.monitored else {
        return;
    };
    env.set("MONITOR_SERVICE_RESULT", result_word(monitored.result));
    if let Some(status) = monitored.main_status {
        let (code, value) = exit_words(status);
        env.set("MONITOR_EXIT_CODE", code);
        env.set("MONITOR_EXIT_STATUS", &value);
    }
    env.set_some(
        "MONITOR_INVOCATION_ID",
        facts.monitored_invocation.map(str::to_owned),
    );
    env.set("MONITOR_UNIT", monitored.unit.as_str());
}

/// How a process ended, and with what: a number, or the name of a signal.
fn exit_words(status: ExitStatus) -> (&'static str, String) {
    match status {
        ExitStatus::Exited(code) => ("exited", code.to_string()),
        ExitStatus::Signaled(signal) => ("killed", signal_name(signal)),
        ExitStatus::Dumped(signal) => ("dumped", signal_name(signal)),
    }
}

/// The reference's word for a service's result.
pub(crate) fn result_word(result: ServiceResult) -> &'static str {
    match result {
        ServiceResult::Success => "success",
        ServiceResult::Resources => "resources",
        ServiceResult::Protocol => "protocol",
        ServiceResult::Timeout => "timeout",
        ServiceResult::ExitCode => "exit-code",
        ServiceResult::Signal => "signal",
        ServiceResult::CoreDump => "core-dump",
        ServiceResult::Watchdog => "watchdog",
        ServiceResult::StartLimitHit => "start-limit-hit",
        ServiceResult::OomKill => "oom-kill",
        ServiceResult::ExecCondition => "exec-condition",
    }
}

/// In the reference's order: what is passed on from PID 1, the unit's own, its files; what is taken away comes last.
fn own_settings(env: &mut Environment, exec: &ExecContext) -> Result<(), String> {
    for name in &exec.pass_environment {
        // What is no UTF-8 could not be written in a unit either.
        env.set_some(name, std::env::var(name).ok());
    }
    for (name, value) in &exec.environment {
        env.set(name, value);
    }
    for (path, optional) in &exec.environment_files {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                for (name, value) in environment_file::parse(&text) {
                    env.set(&name, &value);
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound && path.contains(['*', '?', '[']) => {
                return Err(format!(
                    "environment file {path}: patterns are not supported; name each file"
                ));
            }
            Err(error) if *optional && error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(format!("environment file {path}: {error}")),
        }
    }
    for unwanted in &exec.unset_environment {
        env.unset(unwanted);
    }
    Ok(())
}

/// The directories of each kind, as paths in their order.
fn directories(env: &mut Environment, exec: &ExecContext) {
    let paths = |base: &str, names: Vec<&str>| {
        let list: Vec<String> = names.iter().map(|name| format!("{base}/{name}")).collect();
        (!list.is_empty()).then(|| list.join(":"))
    };
    let runtime = exec.runtime_directory.iter().map(String::as_str).collect();
    env.set_some("RUNTIME_DIRECTORY", paths("/run", runtime));
    for ((variable, base, _), of_kind) in directories::KINDS.into_iter().zip(directories::of(exec)) {
        let names = of_kind.entries.iter().map(|entry| entry.name.as_str()).collect();
        env.set_some(variable, paths(base, names));
    }
}

#[derive(Default)]
struct Environment(Vec<(String, String)>);

impl Environment {
    fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// `NAME`, or `NAME=value` with exactly this value.
    fn unset(&mut self, unwanted: &str) {
        self.0.retain(|(name, value)| match unwanted.split_once('=') {
            Some((unwanted, old)) => name != unwanted || value != old,
            None => name != unwanted,
        });
    }

    fn set_some(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.set(name, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_after_the_units_own_and_what_is_taken_away_last() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "A=file\nC=gone\nD=kept\n").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let exec = ExecContext {
            pass_environment: vec!["CARGO_PKG_NAME".to_owned(), "NO_SUCH_VARIABLE".to_owned()],
            environment: vec![pair("A", "unit"), pair("B", "unit")],
            environment_files: vec![
                (file.path().to_str().unwrap().to_owned(), false),
                ("/no/such/file".to_owned(), true),
            ],
            unset_environment: vec!["C".to_owned(), "D=other".to_owned()],
            ..ExecContext::default()
        };
        let mut env = Environment::default();
        own_settings(&mut env, &exec).unwrap();
        assert_eq!(
            env.0,
            [
                pair("CARGO_PKG_NAME", "softboot-manager"),
                pair("B", "unit"),
                pair("A", "file"),
                pair("D", "kept")
            ]
        );
    }

    #[test]
    fn a_pattern_of_environment_files_is_refused_even_when_it_is_optional() {
        let exec = ExecContext {
            environment_files: vec![("/no/such/*.conf".to_owned(), true)],
            ..ExecContext::default()
        };
        let error = own_settings(&mut Environment::default(), &exec).unwrap_err();
        assert!(error.contains("patterns are not supported"), "{error}");
    }

    #[test]
    fn a_later_assignment_wins() {
        let mut env = Environment::default();
        env.set("A", "1");
        env.set("B", "2");
        env.set("A", "3");
        assert_eq!(
            env.0,
            [("B".to_owned(), "2".to_owned()), ("A".to_owned(), "3".to_owned())]
        );
    }
}
