//! Netlink families and message queues (semantics 1.3).

use crate::model::Address;
use crate::syntax::shown;
use crate::value::did_you_mean;

/// Protocols of netlink(7) with their numbers.
const FAMILIES: [(&str, u32); 15] = [
    ("route", 0),
    ("firewall", 3),
    ("inet-diag", 4),
    ("nflog", 5),
    ("xfrm", 6),
    ("selinux", 7),
    ("iscsi", 8),
    ("audit", 9),
    ("fib-lookup", 10),
    ("connector", 11),
    ("netfilter", 12),
    ("ip6-fw", 13),
    ("dnrtmsg", 14),
    ("kobject-uevent", 15),
    ("generic", 16),
];

/// `FAMILY [GROUP]`, each a name or number.
pub(crate) fn netlink(text: &str) -> Result<Address, String> {
    let mut words = text.split_whitespace();
    let word = words.next().unwrap_or_default();
    let known = FAMILIES
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, number)| *number);
    let family = known.or_else(|| word.parse().ok()).ok_or_else(|| {
        let hint = did_you_mean(word, FAMILIES.iter().map(|(name, _)| *name));
        format!("{} is no netlink family{hint}", shown(word))
    })?;
    let group = match words.next() {
        None => 0,
        Some(number) => number
            .parse()
            .map_err(|_| format!("{} is no netlink group", shown(number)))?,
    };
    match words.next() {
        None => Ok(Address::Netlink { family, group }),
        Some(extra) => Err(format!(
            "{} is one word too many; expected FAMILY GROUP",
            shown(extra)
        )),
    }
}

/// `/name`, as mq_open(3) has it.
pub(crate) fn message_queue(text: &str) -> Result<Address, String> {
    match text.strip_prefix('/') {
        Some(name)
            if (1..=255).contains(&name.len()) && !name.contains('/') && name != "." && name != ".." =>
        {
            Ok(Address::Path(text.to_owned()))
        }
        _ => Err(format!(
            "{} is no queue name: a slash and a name without slashes",
            shown(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_names_or_numbers() {
        assert_eq!(
            netlink("kobject-uevent 1"),
            Ok(Address::Netlink { family: 15, group: 1 })
        );
        assert_eq!(netlink("9"), Ok(Address::Netlink { family: 9, group: 0 }));
        assert!(netlink("rote").unwrap_err().contains("did you mean route?"));
        assert!(netlink("route x").is_err() && netlink("route 1 2").is_err() && netlink("").is_err());
    }

    #[test]
    fn queues_have_one_slash() {
        assert!(message_queue("/q").is_ok());
        for bad in ["q", "/", "/a/b", "/..", ""] {
            assert!(message_queue(bad).is_err(), "{bad}");
        }
    }
}
