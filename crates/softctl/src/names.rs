//! Unit names as people type them.

/// Types of units (systemd.unit(5)).
const TYPES: [&str; 11] = [
    "service",
    "socket",
    "target",
    "device",
    "mount",
    "automount",
    "swap",
    "timer",
    "path",
    "slice",
    "scope",
];

/// `lighttpd` means `lighttpd.service`. What ends in a type, and what is a pattern, stays as it is.
pub(crate) fn complete(name: &str) -> String {
    let typed = name
        .rsplit_once('.')
        .is_some_and(|(_, suffix)| TYPES.contains(&suffix));
    if typed || is_pattern(name) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// Whether the name stands for several units.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// The type in a unit's name.
pub(crate) fn type_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, suffix)| suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_type_is_a_service() {
        assert_eq!(complete("lighttpd"), "lighttpd.service");
        assert_eq!(complete("lighttpd.socket"), "lighttpd.socket");
        assert_eq!(complete("getty@tty1"), "getty@tty1.service");
        assert_eq!(complete("php8.2-fpm"), "php8.2-fpm.service");
        assert_eq!(complete("light*"), "light*");
        assert_eq!(type_of(&complete("a.b")), "service");
    }
}
