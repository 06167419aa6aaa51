//! Whether a reply of HTTP is whole and right.

use crate::attempt::Outcome;

/// Looks at all that came before the server closed.
pub(super) fn judge(reply: &[u8]) -> Outcome {
    if reply.is_empty() {
        return Outcome::Eof;
    }
    let Some(end) = reply.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Outcome::ShortReply;
    };
    let (head, rest) = reply.split_at(end);
    let body = rest.len().saturating_sub(4);
    if head.splitn(3, |&byte| byte == b' ').nth(1) != Some(b"200") {
        return Outcome::Wrong;
    }
    let announced = String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse::<usize>());
    match announced {
        None if body == 0 => Outcome::ShortReply,
        None => Outcome::Good,
        Some(Err(_)) => Outcome::Wrong,
        Some(Ok(length)) if body < length => Outcome::ShortReply,
        Some(Ok(_)) => Outcome::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_needs_status_200_and_its_whole_body() {
        assert_eq!(judge(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nhello"), Outcome::Good);
        assert_eq!(
            judge(b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello"),
            Outcome::Good
        );
        assert_eq!(
            judge(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
            Outcome::ShortReply
        );
        assert_eq!(judge(b"HTTP/1.0 200 OK\r\n\r\n"), Outcome::ShortReply);
        assert_eq!(judge(b"HTTP/1.0 503 No\r\n\r\nhello"), Outcome::Wrong);
        assert_eq!(judge(b"HTTP/1.0 20"), Outcome::ShortReply);
        assert_eq!(judge(b""), Outcome::Eof);
    }
}
