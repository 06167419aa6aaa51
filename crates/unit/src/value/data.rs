//! Paths, text with escapes, base64.

use crate::syntax::shown;

/// An absolute path without doubled and trailing slashes; `None` when it is not absolute or has `..`.
pub(crate) fn simple_path(text: &str) -> Option<String> {
    if !text.starts_with('/') || text.contains('\0') {
        return None;
    }
    let parts: Vec<&str> = text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    (!parts.contains(&"..")).then(|| format!("/{}", parts.join("/")))
}

/// Text with escapes as in C; spaces and quotes stay as they are.
pub(crate) fn unescape_text(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            super::words::escape(&mut characters, &mut out)?;
        } else {
            out.push(character);
        }
    }
    Ok(out)
}

/// Base64 of RFC 4648; white space may stand anywhere.
pub(crate) fn base64(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{} is no base64", shown(text));
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(4) {
        return Err(wrong());
    }
    let padding = digits.iter().rev().take_while(|byte| **byte == b'=').count();
    let mut out = Vec::with_capacity(digits.len());
    let significant = digits.len().saturating_sub(padding);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for digit in digits.iter().take(significant) {
        bits = bits << 6 | sextet(*digit).ok_or_else(wrong)?;
        count = count.saturating_add(6);
        if count >= 8 {
            count = count.saturating_sub(8);
            out.push(u8::try_from(bits >> count & 0xff).unwrap_or(0));
            bits &= (1 << count) - 1;
        }
    }
    // Bits left over must be none: two texts for one value would be two.
    if padding > 2 || bits != 0 {
        return Err(wrong());
    }
    Ok(out)
}

fn sextet(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit.checked_sub(b'A')?,
        b'a'..=b'z' => digit.checked_sub(b'a')?.checked_add(26)?,
        b'0'..=b'9' => digit.checked_sub(b'0')?.checked_add(52)?,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, data) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9v Ym\nFy", "foobar"),
        ] {
            assert_eq!(base64(text), Ok(data.as_bytes().to_vec()), "{text}");
        }
        for bad in ["Z", "Zg=", "Zh==", "=Zm9", "Zm9v====", "Zm-v"] {
            assert!(base64(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_are_simplified_and_never_climb() {
        assert_eq!(simple_path("//a/./b//"), Some("/a/b".to_owned()));
        assert_eq!(simple_path("/"), Some("/".to_owned()));
        assert_eq!(simple_path("/a/../b"), None);
        assert_eq!(simple_path("a"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_data_or_an_error(text in "\\PC{0,40}") {
            let _ = base64(&text);
            let _ = unescape_text(&text);
            let _ = simple_path(&text);
        }
    }
}
