//! The grammar of `EnvironmentFile=` (systemd.exec(5)), which is a shell's without what a shell would run.
//!
//! `#` and `;` begin a comment line. A value in single quotes is taken as it is, newlines included; in double quotes a
//! backslash takes the special meaning from `"`, `\`, `` ` `` and `$`, and joins lines; without quotes it does so with
//! every character, and white space at the end is not part of the value. Parts in quotes follow each other directly.

use std::iter::Peekable;
use std::str::Chars;

/// The assignments in their order. A line that is none is left out, as the reference does.
pub(crate) fn parse(text: &str) -> Vec<(String, String)> {
    let mut rest = text.chars().peekable();
    let mut found = Vec::new();
    while rest.peek().is_some() {
        found.extend(line(&mut rest));
    }
    found
}

fn line(rest: &mut Peekable<Chars<'_>>) -> Option<(String, String)> {
    while rest.next_if(|next| next.is_whitespace()).is_some() {}
    let comment = matches!(rest.peek(), Some('#' | ';'));
    let mut name = String::new();
    loop {
        match rest.next() {
            None | Some('\n') => return None,
            Some('=') if !comment => break,
            Some(next) => name.push(next),
        }
    }
    let value = value(rest);
    let name = name.trim_end();
    is_name(name).then(|| (name.to_owned(), value))
}

fn is_name(name: &str) -> bool {
    let good = |next: char| next.is_ascii_alphanumeric() || next == '_';
    !name.is_empty() && name.chars().all(good) && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn value(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut value = String::new();
    loop {
        while rest.next_if(|next| matches!(next, ' ' | '\t' | '\r')).is_some() {}
        match rest.peek() {
            Some('\'') => {
                rest.next();
                value.extend(rest.by_ref().take_while(|next| *next != '\''));
            }
            Some('"') => {
                rest.next();
                double_quoted(rest, &mut value);
            }
            Some('\n') => {
                rest.next();
                return value;
            }
            None => return value,
            Some(_) => {
                bare(rest, &mut value);
                return value;
            }
        }
    }
}

fn double_quoted(rest: &mut Peekable<Chars<'_>>, value: &mut String) {
    while let Some(next) = rest.next() {
        match next {
            '"' => return,
            '\\' => match rest.next() {
                Some(special @ ('"' | '\\' | '`' | '$')) => value.push(special),
                Some('\n') | None => {}
                Some(other) => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
}

/// To the end of the line; white space before it counts only where a backslash stands before it.
fn bare(rest: &mut Peekable<Chars<'_>>, value: &mut String) {
    let mut end = value.len();
    for_each_escaped(rest, |next, escaped| {
        value.push(next);
        if escaped || !next.is_whitespace() {
            end = value.len();
        }
    });
    value.truncate(end);
}

fn for_each_escaped(rest: &mut Peekable<Chars<'_>>, mut with: impl FnMut(char, bool)) {
    while let Some(next) = rest.next() {
        match next {
            '\n' => return,
            '\\' => match rest.next() {
                Some('\n') | None => {}
                Some(other) => with(other, true),
            },
            other => with(other, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        match parse(text).as_slice() {
            [(name, value)] if name == "A" => value.clone(),
            other => panic!("{text:?} is {other:?}"),
        }
    }

    #[test]
    fn quotes_escapes_and_continuations_are_a_shells() {
        for (text, value) in [
            ("A=b c  ", "b c"),
            ("  A =  b", "b"),
            ("A=", ""),
            ("A=\"b c\" ", "b c"),
            ("A='b \\n \"c\"'", "b \\n \"c\""),
            ("A='b", "b"),
            ("A=\"a\\\"b\\\\c\\$d\\`e\\nf\"", "a\"b\\c$d`e\\nf"),
            ("A=\"one \\\ntwo\"", "one two"),
            ("A='one\ntwo'", "one\ntwo"),
            ("A=one\\\n two", "one two"),
            ("A=one\\ \\n\\\\ ", "one n\\"),
            ("A=b\\  ", "b "),
            ("A='b'\"c\"d", "bcd"),
            ("A=b'c'", "b'c'"),
            ("A=b # c", "b # c"),
            ("A=b=c\r\n", "b=c"),
        ] {
            assert_eq!(one(text), value, "{text:?}");
        }
    }

    #[test]
    fn comments_and_what_is_no_assignment_are_left_out() {
        let text = "# A=1\n  ; A=2 \\\nB=3\nnonsense\n1A=4\nA B=5\n\n=6\nC=7";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parse(text), [pair("B", "3"), pair("C", "7")]);
    }

    #[test]
    fn any_text_has_an_end() {
        for text in ["", "\\", "A=\\", "A=\"", "A='", "A=\"\\", "=", "\n\n", "A"] {
            parse(text);
        }
    }
}
