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
    fn what_is_not_rust_is_said_to_be() {
        assert_eq!(of("fn f( {"), None);
    }
}
