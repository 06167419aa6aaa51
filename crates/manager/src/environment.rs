//! The environment of a service's process (semantics 1.1, 4.5).

use softboot_engine::{ExitStatus, ServiceResult, Spawn};
use softboot_unit::{ExecContext, ServiceSection, signal_name};

use crate::paths;
use crate::users::User;

/// What the environment is made of, beside the unit's own settings.
pub(crate) struct Facts<'a> {
    pub(crate) spawn: &'a Spawn,
    pub(crate) service: &'a ServiceSection,
    pub(crate) invocation: &'a str,
    pub(crate) user: Option<&'a User>,
    pub(crate) fd_names: &'a [String],
    pub(crate) remote: Option<&'a Remote>,
}

/// Who is on the other side of an accepted connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Remote {
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) cookie: Option<u64>,
}

/// All variables but LISTEN_PID and LISTEN_PIDFDID, which only the child can know. Later entries win.
pub(crate) fn build(facts: &Facts<'_>) -> Result<Vec<(String, String)>, String> {
    let Facts { spawn, service, .. } = facts;
    let mut env = Environment::default();
    env.set("PATH", crate::process::PATH);
    env.set("INVOCATION_ID", facts.invocation);
    if let Some(user) = facts.user {
        env.set("USER", &user.name);
        env.set("LOGNAME", &user.name);
        env.set("HOME", &user.home);
        env.set("SHELL", &user.shell);
    }
    if service.exec.stdin == softboot_unit::StdStream::Tty {
        env.set("TERM", "linux");
    }
    if !service.exec.runtime_directory.is_empty() {
        let list: Vec<String> = service
            .exec
            .runtime_directory
            .iter()
            .map(|name| format!("/run/{name}"))
            .collect();
        env.set("RUNTIME_DIRECTORY", &list.join(":"));
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
    }
    if !facts.fd_names.is_empty() {
        env.set("LISTEN_FDS", &facts.fd_names.len().to_string());
        env.set("LISTEN_FDNAMES", &facts.fd_names.join(":"));
    }
    result(&mut env, spawn);
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
    let (code, value) = match status {
        ExitStatus::Exited(code) => ("exited", code.to_string()),
        ExitStatus::Signaled(signal) => ("killed", signal_name(signal)),
        ExitStatus::Dumped(signal) => ("dumped", signal_name(signal)),
    };
    env.set("EXIT_CODE", code);
    env.set("EXIT_STATUS", &value);
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

fn own_settings(env: &mut Environment, exec: &ExecContext) -> Result<(), String> {
    for (path, optional) in &exec.environment_files {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                for (name, value) in text.lines().filter_map(assignment) {
                    env.set(name, value);
                }
            }
            Err(error) if *optional && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("environment file {path}: {error}")),
        }
    }
    for (name, value) in &exec.environment {
        env.set(name, value);
    }
    Ok(())
}

/// `NAME=value`, with matching quotes around the value taken off.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    let value = value.trim();
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    Some((name.trim(), unquoted))
}

#[derive(Default)]
struct Environment(Vec<(String, String)>);

impl Environment {
    fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
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
    fn an_environment_file_has_comments_and_quotes() {
        assert_eq!(assignment("A=b c "), Some(("A", "b c")));
        assert_eq!(assignment("A=\"b c\""), Some(("A", "b c")));
        assert_eq!(assignment("A='b"), Some(("A", "'b")));
        assert_eq!(assignment("# A=b"), None);
        assert_eq!(assignment("nonsense"), None);
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
