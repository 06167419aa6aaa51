//! Escaping of arbitrary text and of paths into unit names (semantics 5.4; systemd-escape(1)).

/// `/` becomes `-`; other characters that a name cannot have, and a leading dot, become `\xNN`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if position == 0 => out.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => out.push(char::from(byte)),
            other => out.push_str(&format!("\\x{other:02x}")),
        }
    }
    out
}

/// The text that was escaped; `None` when it was not escaped text, or is not UTF-8.
pub fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '\\' {
            let digits = rest.strip_prefix("\\x")?.get(..2)?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = rest.get(4..)?;
            continue;
        }
        if first == '-' {
            out.push(b'/');
        } else {
            out.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
        }
        rest = rest.get(first.len_utf8()..)?;
    }
    String::from_utf8(out).ok()
}

/// A path: slashes at its ends and doubled ones are dropped, the root is `-`.
pub fn escape_path(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.is_empty() {
        "-".to_owned()
    } else {
        escape(&parts.join("/"))
    }
}

/// The path that was escaped, with its leading slash.
pub fn unescape_path(text: &str) -> Option<String> {
    if text == "-" {
        Some("/".to_owned())
    } else {
        unescape(text).map(|path| format!("/{path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_become_names_and_come_back() {
        assert_eq!(escape_path("/dev//sda 1/"), "dev-sda\\x201");
        assert_eq!(escape_path("/"), "-");
        assert_eq!(escape("a-b"), "a\\x2db");
        assert_eq!(escape(".x.y"), "\\x2ex.y");
        assert_eq!(unescape_path("dev-sda\\x201"), Some("/dev/sda 1".to_owned()));
        assert_eq!(unescape("a\\xzz"), None);
        assert_eq!(unescape("a\\x4"), None);
    }

    proptest! {
        #[test]
        fn escaping_loses_nothing(text in "\\PC{0,40}") {
            prop_assert_eq!(unescape(&escape(&text)), Some(text));
        }

        #[test]
        fn any_text_is_unescaped_or_refused(text in "\\PC{0,40}") {
            let _ = unescape(&text);
        }
    }
}
