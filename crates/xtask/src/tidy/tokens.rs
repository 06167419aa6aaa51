//! Rust source as a flat list of tokens, so that no rule is fooled by strings and comments.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// From 1.
    pub(super) line: usize,
    /// An identifier, one character of punctuation, a literal as written, or a bracket.
    pub(super) text: String,
}

/// The tokens of a file; doc comments become attributes, other comments vanish.
/// None if it is not Rust.
pub(super) fn of(source: &str) -> Option<Vec<Token>> {
    let stream: TokenStream = source.parse().ok()?;
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    Some(tokens)
}

/// The source with its string and other literals blanked out; comments stay, of whatever kind.
pub(super) fn without_literals(source: &str) -> String {
    let mut bytes = source.as_bytes().to_vec();
    let stream: TokenStream = source.parse().unwrap_or_default();
    blank(stream, source, &mut bytes);
    String::from_utf8(bytes).unwrap_or_default()
}

fn blank(stream: TokenStream, source: &str, bytes: &mut [u8]) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => blank(group.stream(), source, bytes),
            TokenTree::Literal(literal) => {
                let range = literal.span().byte_range();
                // The text of a doc comment is a literal, too, that stands where the comment does.
                let comment = source
                    .get(range.clone())
                    .is_some_and(|text| text.starts_with('/'));
                if !comment && let Some(bytes) = bytes.get_mut(range) {
                    bytes
                        .iter_mut()
                        .filter(|byte| **byte != b'\n')
                        .for_each(|byte| *byte = b' ');
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                let end = group.span_close().end().line;
                tokens.push(token(line, open));
                flatten(group.stream(), tokens);
                tokens.push(token(end, close));
            }
            other => tokens.push(token(line, other.to_string())),
        }
    }
}

fn token(line: usize, text: impl Into<String>) -> Token {
    Token {
        line,
        text: text.into(),
    }
}

/// The lines at which this sequence of tokens begins.
pub(super) fn lines_of(tokens: &[Token], sequence: &[&str]) -> Vec<usize> {
    tokens
        .windows(sequence.len())
        .filter(|window| {
            window
                .iter()
                .zip(sequence)
                .all(|(token, wanted)| token.text == *wanted)
        })
        .filter_map(|window| window.first().map(|token| token.line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_no_code() {
        let source = "// word\n/* word /* word */ */\nfn f() { \"word\"; r#\"word\"#; b\"word\"; '\\''; }\n";
        assert_eq!(lines_of(&of(source).unwrap(), &["word"]), [0; 0]);
    }

    #[test]
    fn a_sequence_is_found_at_its_line_however_it_is_spaced() {
        let source = "fn f() {\n  a\n  ! ( true ) ;\n  m!{ a!(true) }\n}\n";
        let tokens = of(source).unwrap();
        assert_eq!(lines_of(&tokens, &["a", "!", "(", "true", ")"]), [2, 4]);
    }

    #[test]
    fn blanking_literals_keeps_comments_and_lines() {
        let source = "/// doc\nfn f() { \"a\nö\"; } // end\n//! inner\n";
        let expected = "/// doc\nfn f() {   \n   ; } // end\n//! inner\n";
        assert_eq!(without_literals(source), expected);
    }

    #[test]
    fn what_is_not_rust_is_said_to_be() {
        assert_eq!(of("fn f( {"), None);
    }
}
