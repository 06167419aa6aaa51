//! Words with quotes and escapes, and command lines (semantics 4.10).

use crate::model::ExecCommand;
use crate::syntax::shown;

/// Splits at white space; quotes group, backslash escapes as in C.
pub(crate) fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut current: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                current.get_or_insert_default();
            }
            (_, '\\') => {
                let word = current.get_or_insert_default();
                escape(&mut characters, word)?;
            }
            (None, space) if space.is_whitespace() => words.extend(current.take()),
            (_, other) => current.get_or_insert_default().push(other),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote is not closed in {}", shown(text)));
    }
    words.extend(current);
    Ok(words)
}

pub(super) fn escape(characters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    let Some(first) = characters.clone().next() else {
        return Err("a backslash at the end escapes nothing".to_owned());
    };
    if first == 'x' {
        characters.next();
        word.push(numbered(characters, 2, 16)?);
        return Ok(());
    }
    if ('0'..='7').contains(&first) {
        word.push(numbered(characters, 3, 8)?);
        return Ok(());
    }
    characters.next();
    let character = match first {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        's' => ' ',
        '\\' | '"' | '\'' | ';' | ' ' => first,
        unknown => {
            // An unknown escape keeps its backslash.
            word.push('\\');
            unknown
        }
    };
    word.push(character);
    Ok(())
}

/// A character by its number.
fn numbered(characters: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Result<char, String> {
    let digits: String = characters.by_ref().take(count).collect();
    u8::from_str_radix(&digits, radix)
        .ok()
        .filter(|byte| *byte != 0 && digits.len() == count)
        .map(char::from)
        .ok_or_else(|| format!("\\{digits} is no character"))
}

/// The commands of one line: prefixes, path, arguments; a word `;` separates.
pub(crate) fn commands(text: &str) -> Result<Vec<ExecCommand>, String> {
    // `\;` must stay a word of its own, so look for the separator before escapes are resolved.
    let mut lines: Vec<String> = vec![String::new()];
    for word in raw_words(text) {
        match word {
            ";" => lines.push(String::new()),
            other => {
                if let Some(line) = lines.last_mut() {
                    line.push(' ');
                    line.push_str(other);
                }
            }
        }
    }
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| command(line.trim()))
        .collect()
}

/// Words as they stand, quotes and escapes untouched.
fn raw_words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped) = (None, None, false);
    for (position, character) in text.char_indices() {
        let space = character.is_whitespace() && quote.is_none() && !escaped;
        if space {
            if let Some(from) = start.take() {
                words.extend(text.get(from..position));
            }
        } else {
            start.get_or_insert(position);
        }
        match (quote, character) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            _ => {}
        }
    }
    words.extend(start.and_then(|from| text.get(from..)));
    words
}

fn command(line: &str) -> Result<ExecCommand, String> {
    let mut command = ExecCommand {
        path: String::new(),
        argv: Vec::new(),
        ignore_failure: false,
        no_substitution: false,
        full_privileges: false,
        keep_user: false,
    };
    let mut own_name = false;
    let mut rest = line;
    let mut seen = String::new();
    while let Some(prefix) = rest.chars().next().filter(|c| "-@:+!|".contains(*c)) {
        // "!!" was a prefix of its own once and means nothing now (semantics 4.10).
        let most = if prefix == '!' { 2 } else { 1 };
        if seen.matches(prefix).count() >= most {
            return Err(format!("the prefix {prefix} stands twice before {}", shown(rest)));
        }
        seen.push(prefix);
        match prefix {
            '-' => command.ignore_failure = true,
            '@' => own_name = true,
            ':' => command.no_substitution = true,
            '+' => command.full_privileges = true,
            '!' => command.keep_user = !seen.contains("!!"),
            _ => return Err("the prefix | (run through the user's shell) is not supported".to_owned()),
        }
        rest = rest.get(1..).unwrap_or("");
    }
    if command.full_privileges && command.keep_user {
        return Err("the prefixes + and ! exclude each other".to_owned());
    }
    let mut words = split_words(rest)?.into_iter();
    command.path = words.next().ok_or("there is no program after the prefixes")?;
    if command.path.contains('/') && !command.path.starts_with('/') {
        return Err(format!(
            "the program {} is neither an absolute path nor a bare name",
            shown(&command.path)
        ));
    }
    if command.path.is_empty() || command.path.ends_with('/') {
        return Err(format!("{} is no program", shown(&command.path)));
    }
    command.argv = if own_name {
        let name = words
            .next()
            .ok_or("the prefix @ wants a second word: the process' name")?;
        [name].into_iter().chain(words).collect()
    } else {
        [command.path.clone()].into_iter().chain(words).collect()
    };
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_group_and_escapes_resolve() {
        assert_eq!(
            split_words(r#"a "b c" 'd"e' f\ g \x41\n \101 """#),
            Ok(vec![
                "a".to_owned(),
                "b c".to_owned(),
                "d\"e".to_owned(),
                "f g".to_owned(),
                "A\n".to_owned(),
                "A".to_owned(),
                String::new(),
            ])
        );
        for bad in ["\"open", "a\\", "\\x4", "\\x00", "\\000", "\\9x\\"] {
            assert!(split_words(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prefixes_say_how_to_run() {
        let parsed = commands("-@/bin/x name a b").unwrap();
        let [command] = &parsed[..] else {
            panic!("{parsed:?}")
        };
        assert!(command.ignore_failure);
        assert_eq!(
            (command.path.as_str(), command.argv.join(" ")),
            ("/bin/x", "name a b".to_owned())
        );
        assert!(commands("+!/bin/x").is_err() && commands("--/bin/x").is_err() && commands("-").is_err());
        assert!(commands("rel/x").unwrap_err().contains("absolute"));
        assert!(commands("bare arg").is_ok());
    }

    #[test]
    fn a_semicolon_separates_and_an_escaped_one_does_not() {
        let paths = |text| {
            commands(text)
                .unwrap()
                .into_iter()
                .map(|c| c.argv.join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(paths("/a 1 ; /b 2"), ["/a 1", "/b 2"]);
        assert_eq!(paths(r"/a \; /b"), ["/a ; /b"]);
        assert_eq!(paths("/a 'x ; y'"), ["/a x ; y"]);
        assert!(paths("").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_words_or_an_error(text in "\\PC{0,60}") {
            let _ = split_words(&text);
            let _ = commands(&text);
        }
    }
}
