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

/// `lighttpd` means `lighttpd.service`, `/srv` means `srv.mount` and `/dev/sda` means `dev-sda.device`. What ends in a
/// type, and what is a pattern, stays as it is.
pub(crate) fn complete(name: &str) -> String {
    complete_as(name, "service")
}

/// The same for a verb whose units are of another type.
pub(crate) fn complete_as(name: &str, kind: &str) -> String {
    let typed = name
        .rsplit_once('.')
        .is_some_and(|(_, suffix)| TYPES.contains(&suffix));
    if name.starts_with('/') && !is_pattern(name) {
        let of_kernel = ["/dev/", "/sys/"].iter().any(|start| name.starts_with(start));
        let kind = if of_kernel { "device" } else { "mount" };
        format!("{}.{kind}", softboot_unit::escape::escape_path(name))
    } else if typed || is_pattern(name) {
        name.to_owned()
    } else {
        format!("{name}.{kind}")
    }
}

/// The type, as `-t` takes it; else a word about it.
pub(crate) fn check_type(kind: &str) -> Result<(), String> {
    if TYPES.contains(&kind) {
        return Ok(());
    }
    Err(format!(
        "{kind:?} is no type of units; there are: {}",
        TYPES.join(", ")
    ))
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
        assert_eq!(complete_as("rescue", "target"), "rescue.target");
        assert_eq!(complete_as("a.socket", "target"), "a.socket");
    }

    #[test]
    fn a_path_is_a_mount_point_or_a_device() {
        assert_eq!(complete("/srv/www"), "srv-www.mount");
        assert_eq!(complete("/"), "-.mount");
        assert_eq!(
            complete("/dev/disk/by-label/a b"),
            "dev-disk-by\\x2dlabel-a\\x20b.device"
        );
    }

    #[test]
    fn a_type_is_one_of_those_there_are() {
        assert_eq!(check_type("socket"), Ok(()));
        assert!(
            check_type("help")
                .unwrap_err()
                .contains("service, socket, target")
        );
    }
}
