//! Variables in command lines, substituted when the process is started (semantics 4.10).

use std::collections::HashMap;

use crate::model::ExecCommand;

/// The arguments: `$VAR` as a whole word becomes as many words as its value has, `${VAR}` is replaced where it stands,
/// `$$` is a dollar sign. `argv[0]` stays as it is. What is not set is empty.
pub fn expand(command: &ExecCommand, env: &[(String, String)]) -> Vec<String> {
    let mut arguments = command.argv.iter();
    let mut out: Vec<String> = arguments.next().cloned().into_iter().collect();
    if command.no_substitution {
        out.extend(arguments.cloned());
        return out;
    }
    let known: HashMap<&str, &str> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let value = |name: &str| known.get(name).copied().unwrap_or("");
    for word in arguments {
        match word.strip_prefix('$').filter(|name| is_name(name)) {
            Some(name) => out.extend(value(name).split_whitespace().map(str::to_owned)),
            None => out.push(inside(word, &value)),
        }
    }
    out
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn inside<'v>(word: &str, value: &impl Fn(&str) -> &'v str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('{').and_then(|text| text.split_once('}'))
            && is_name(name)
        {
            out.push_str(value(name));
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(words: &[&str], no_substitution: bool) -> Vec<String> {
        let command = ExecCommand {
            path: "/bin/x".to_owned(),
            argv: words.iter().map(|word| (*word).to_owned()).collect(),
            ignore_failure: false,
            no_substitution,
            full_privileges: false,
            keep_user: false,
        };
        let env = [
            ("A".to_owned(), "one two".to_owned()),
            ("B".to_owned(), "b".to_owned()),
        ];
        expand(&command, &env)
    }

    #[test]
    fn whole_words_split_and_braces_do_not() {
        assert_eq!(
            go(&["$A", "$A", "${A}", "x${B}y", "$NONE", "${NONE}"], false),
            ["$A", "one", "two", "one two", "xby", ""]
        );
    }

    #[test]
    fn a_doubled_dollar_is_a_dollar() {
        assert_eq!(
            go(&["x", "$$B", "a$", "$1", "${", "$B$B"], false),
            ["x", "$B", "a$", "$1", "${", "$B$B"]
        );
    }

    #[test]
    fn the_colon_prefix_leaves_everything() {
        assert_eq!(go(&["x", "$A", "$$"], true), ["x", "$A", "$$"]);
    }
}
