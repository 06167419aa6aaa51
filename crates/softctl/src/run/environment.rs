//! `show-environment` and the verbs that change what it shows.

use softboot_control::api::{PropertiesReply, Request};

use super::plain;
use super::session::Session;
use crate::error::Error;
use crate::exit;
use crate::text::clean_line;

pub(super) fn show(session: &mut Session) -> Result<u8, Error> {
    let request = Request::GetProperties { name: None };
    let reply: PropertiesReply = session.call("looking at the environment", &request)?;
    let lines: Vec<String> = match reply.properties.get("Environment") {
        Some(lines) => serde_json::from_value(lines.clone()).unwrap_or_default(),
        None => {
            session
                .out
                .complain("the environment may hold secrets, so only root sees it");
            return Ok(exit::REFUSED);
        }
    };
    session.out.show(&lines, |_| {
        let lines = lines.iter().map(|line| format!("{}\n", quoted(line)));
        lines.collect::<String>()
    })?;
    Ok(exit::OK)
}

/// As a shell reads it: `NAME=VALUE`, or `NAME=$'VALUE'` where the value has letters that mean something to it.
fn quoted(line: &str) -> String {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,=".contains(&byte);
    if value.bytes().all(plain) {
        return clean_line(line);
    }
    let mut text = format!("{name}=$'");
    for letter in value.chars() {
        match letter {
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\'' | '\\' => text.extend(['\\', letter]),
            letter => text.push(letter),
        }
    }
    text.push('\'');
    clean_line(&text)
}

pub(super) fn set(session: &mut Session, assignments: Vec<String>) -> Result<u8, Error> {
    plain(
        session,
        "set-environment",
        &Request::SetEnvironment { assignments },
    )
}

pub(super) fn unset(session: &mut Session, names: Vec<String>) -> Result<u8, Error> {
    plain(session, "unset-environment", &Request::UnsetEnvironment { names })
}

/// A variable that is not set here is reported, and the others are set.
pub(super) fn import(session: &mut Session, names: &[String]) -> Result<u8, Error> {
    let mut code = exit::OK;
    let mut assignments = Vec::new();
    for name in names {
        // std panics at names that no variable can have.
        let possible = !name.is_empty() && !name.contains(['=', '\0']);
        match possible.then(|| std::env::var(name)) {
            Some(Ok(value)) => assignments.push(format!("{name}={value}")),
            _ => {
                session
                    .out
                    .complain(&format!("{name:?} is not set here, or is no text"));
                code = exit::FAILURE;
            }
        }
    }
    let set = set(session, assignments)?;
    Ok(if code == exit::OK { set } else { code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_is_shown() {
        assert_eq!(quoted("PATH=/bin:/usr/bin"), "PATH=/bin:/usr/bin");
        assert_eq!(quoted("A="), "A=");
        assert_eq!(quoted("A=it's \\ a\nline"), "A=$'it\\'s \\\\ a\\nline'");
    }
}
