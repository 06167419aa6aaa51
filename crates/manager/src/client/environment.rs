//! `SetEnvironment` and `UnsetEnvironment`: variables that every service starts with.

use softboot_control::api::{ApiError, Empty};

use crate::run::Manager;
use crate::tracked::Tracked;

/// Bytes of all names and values. An exec takes less than it would without them, and each service has a copy.
const MOST: usize = 64 << 10;

impl Manager {
    pub(super) fn set_environment(&mut self, client: u64, assignments: &[String]) {
        match parsed(assignments).and_then(|pairs| fits(&self.environment, &pairs).map(|()| pairs)) {
            Ok(pairs) => {
                for (name, value) in pairs {
                    self.environment.insert(name.to_owned(), value.to_owned());
                }
                self.reply(client, &Empty {});
            }
            Err(message) => self.reply_error(client, &ApiError::Failed { message }),
        }
    }

    pub(super) fn unset_environment(&mut self, client: u64, names: &[String]) {
        for word in names {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            let known = self.environment.get(name).map(String::as_str);
            if known.is_some() && (value.is_none() || known == value) {
                self.environment.remove(&name.to_owned());
            }
        }
        self.reply(client, &Empty {});
    }

    /// What a service that sets nothing starts with, by name.
    pub(super) fn environment_lines(&self) -> Vec<String> {
        let own = self.environment.iter();
        let mut lines: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        if self.environment.get("PATH").is_none() {
            lines.push(format!("PATH={}", crate::process::PATH));
        }
        lines.sort();
        lines
    }
}

/// All or nothing: a wrong word changes nothing.
fn parsed(assignments: &[String]) -> Result<Vec<(&str, &str)>, String> {
    let mut pairs = Vec::new();
    for word in assignments {
        let bad = word
            .chars()
            .any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t'));
        match word.split_once('=') {
            Some((name, value)) if is_name(name) && !bad => pairs.push((name, value)),
            _ => {
                return Err(format!(
                    "{word:?} is no assignment of a variable, such as NAME=VALUE"
                ));
            }
        }
    }
    Ok(pairs)
}

/// Letters, digits and `_`, and no digit first.
fn is_name(name: &str) -> bool {
    let letters = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    letters && !name.is_empty() && !name.starts_with(|letter: char| letter.is_ascii_digit())
}

fn fits(known: &Tracked<String, String>, more: &[(&str, &str)]) -> Result<(), String> {
    let known = known
        .iter()
        .map(|(name, value)| name.len().saturating_add(value.len()));
    let more = more
        .iter()
        .map(|(name, value)| name.len().saturating_add(value.len()));
    let bytes = known.chain(more).fold(0_usize, usize::saturating_add);
    match bytes <= MOST {
        true => Ok(()),
        false => Err(format!(
            "all variables together may have {MOST} bytes, and these have {bytes}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_have_a_name_and_may_have_any_value() {
        let parse = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let pairs = parsed(&words)?;
            let owned = pairs.into_iter().map(|(name, value)| format!("{name}:{value}"));
            Ok::<_, String>(owned.collect::<Vec<_>>())
        };
        assert_eq!(
            parse(&["A=", "_b1=x=y z"]),
            Ok(vec!["A:".to_owned(), "_b1:x=y z".to_owned()])
        );
        for wrong in ["A", "=x", "1A=x", "A B=x", "A=\u{1b}[2J", "\u{e4}=x"] {
            assert!(parse(&["GOOD=1", wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut known = Tracked::default();
        known.insert("A".to_owned(), "x".repeat(MOST - 10));
        assert!(fits(&known, &[("B", "12345678")]).is_ok());
        assert!(fits(&known, &[("B", "123456789")]).is_err());
    }
}
