//! `%` specifiers (semantics 5.5).

use std::collections::BTreeMap;

use crate::escape::{unescape, unescape_path};
use crate::name::UnitName;

/// What specifiers need to know of the system. What is empty expands to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specifiers {
    /// `%H`.
    pub host_name: String,
    /// `%m`.
    pub machine_id: String,
    /// `%b`.
    pub boot_id: String,
    /// `%v`.
    pub kernel_release: String,
    /// `%a`.
    pub architecture: String,
    /// `%u`, `%U`, `%g`, `%G`, `%h`, `%s` are of the manager: user name, uid, group name, gid, home, shell.
    pub manager: ManagerUser,
    /// os-release: `%o`, `%w`, `%W`, `%A`, `%B`, `%M`.
    pub os_release: BTreeMap<String, String>,
}

/// The user that the manager runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerUser {
    /// Name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Group name.
    pub group: String,
    /// Group number.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Shell.
    pub shell: String,
}

impl Default for Specifiers {
    /// A system manager about whose machine nothing is known.
    fn default() -> Specifiers {
        Specifiers {
            host_name: String::new(),
            machine_id: String::new(),
            boot_id: String::new(),
            kernel_release: String::new(),
            architecture: String::new(),
            manager: ManagerUser {
                name: "root".to_owned(),
                uid: 0,
                group: "root".to_owned(),
                gid: 0,
                home: "/root".to_owned(),
                shell: "/bin/sh".to_owned(),
            },
            os_release: BTreeMap::new(),
        }
    }
}

/// A name may have 255 bytes and a specifier has two, so a line could grow beyond all measure.
const MAX_EXPANDED: usize = 1 << 20;

/// Expands every specifier of `text` for the unit `name`. A `%` that starts none of the known ones is an error.
pub(crate) fn expand(
    text: &str,
    name: &UnitName,
    facts: &Specifiers,
    fragment: &str,
) -> Result<String, String> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        if out.len() > MAX_EXPANDED {
            return Err(format!(
                "the value is longer than {MAX_EXPANDED} bytes with its specifiers"
            ));
        }
        match characters.next() {
            Some('%') => out.push('%'),
            Some(letter) => match lookup(letter, name, facts, fragment) {
                Some(value) => out.push_str(&value),
                None => return Err(format!("%{letter} is no specifier (write %% for a percent sign)")),
            },
            None => return Err("a % at the end starts no specifier (write %% for a percent sign)".to_owned()),
        }
    }
    Ok(out)
}

fn lookup(letter: char, name: &UnitName, facts: &Specifiers, fragment: &str) -> Option<String> {
    let instance = name.instance().unwrap_or("");
    let last_part = || name.prefix().rsplit('-').next().unwrap_or("");
    let os = |key: &str| facts.os_release.get(key).cloned().unwrap_or_default();
    let plain = |text: &str| Some(text.to_owned());
    match letter {
        'n' => plain(name.as_str()),
        'N' => plain(name.stem()),
        'p' => plain(name.prefix()),
        'P' => unescape(name.prefix()),
        'i' => plain(instance),
        'I' => unescape(instance),
        'j' => plain(last_part()),
        'J' => unescape(last_part()),
        'f' => unescape_path(if instance.is_empty() {
            name.prefix()
        } else {
            instance
        }),
        'y' => plain(fragment),
        'Y' => plain(fragment.rsplit_once('/').map_or("", |(directory, _)| directory)),
        't' => plain("/run"),
        'S' => plain("/var/lib"),
        'C' => plain("/var/cache"),
        'L' => plain("/var/log"),
        'E' => plain("/etc"),
        'D' => plain("/usr/share"),
        'd' => Some(format!("/run/credentials/{name}")),
        'T' => plain("/tmp"),
        'V' => plain("/var/tmp"),
        'h' => plain(&facts.manager.home),
        's' => plain(&facts.manager.shell),
        'u' => plain(&facts.manager.name),
        'U' => Some(facts.manager.uid.to_string()),
        'g' => plain(&facts.manager.group),
        'G' => Some(facts.manager.gid.to_string()),
        'H' => plain(&facts.host_name),
        'l' => plain(facts.host_name.split('.').next().unwrap_or("")),
        'q' => plain(&facts.host_name),
        'm' => plain(&facts.machine_id),
        'b' => plain(&facts.boot_id),
        'v' => plain(&facts.kernel_release),
        'a' => plain(&facts.architecture),
        'o' => Some(os("ID")),
        'w' => Some(os("VERSION_ID")),
        'W' => Some(os("VARIANT_ID")),
        'A' => Some(os("IMAGE_VERSION")),
        'B' => Some(os("BUILD_ID")),
        'M' => Some(os("IMAGE_ID")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(text: &str) -> Result<String, String> {
        let name = UnitName::new("foo-bar@dev-sda\\x2d1.service").unwrap();
        let facts = Specifiers {
            host_name: "a.b.c".to_owned(),
            ..Specifiers::default()
        };
        expand(text, &name, &facts, "/etc/systemd/system/foo-bar@.service")
    }

    #[test]
    fn names_come_apart_as_semantics_5_5_says() {
        assert_eq!(go("%n"), Ok("foo-bar@dev-sda\\x2d1.service".to_owned()));
        assert_eq!(go("%p %i %j"), Ok("foo-bar dev-sda\\x2d1 bar".to_owned()));
        assert_eq!(go("%I"), Ok("dev/sda-1".to_owned()));
        assert_eq!(go("%f"), Ok("/dev/sda-1".to_owned()));
        assert_eq!(go("%l of %H"), Ok("a of a.b.c".to_owned()));
        assert_eq!(go("%Y"), Ok("/etc/systemd/system".to_owned()));
        assert_eq!(go("100%%"), Ok("100%".to_owned()));
    }

    /// Every row of the table.
    #[test]
    fn the_table_of_semantics_5_5() {
        let os = [
            ("ID", "debian"),
            ("VERSION_ID", "12"),
            ("VARIANT_ID", "cloud"),
            ("IMAGE_VERSION", "7"),
            ("BUILD_ID", "b8"),
            ("IMAGE_ID", "img"),
        ];
        let facts = Specifiers {
            host_name: "a.b.c".to_owned(),
            machine_id: "m1".to_owned(),
            boot_id: "b1".to_owned(),
            kernel_release: "6.1".to_owned(),
            architecture: "x86-64".to_owned(),
            manager: ManagerUser {
                name: "root".to_owned(),
                uid: 0,
                group: "wheel".to_owned(),
                gid: 10,
                home: "/root".to_owned(),
                shell: "/bin/sh".to_owned(),
            },
            os_release: os.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        };
        let name = UnitName::new("foo\\x2dx-bar\\x20y@dev-sda\\x2d1.service").unwrap();
        let fragment = "/etc/systemd/system/foo.service";
        for (specifier, value) in [
            ("%n", name.as_str()),
            ("%N", "foo\\x2dx-bar\\x20y@dev-sda\\x2d1"),
            ("%p", "foo\\x2dx-bar\\x20y"),
            ("%P", "foo-x/bar y"),
            ("%i", "dev-sda\\x2d1"),
            ("%I", "dev/sda-1"),
            ("%j", "bar\\x20y"),
            ("%J", "bar y"),
            ("%f", "/dev/sda-1"),
            ("%y", fragment),
            ("%Y", "/etc/systemd/system"),
            ("%t", "/run"),
            ("%S", "/var/lib"),
            ("%C", "/var/cache"),
            ("%L", "/var/log"),
            ("%E", "/etc"),
            ("%D", "/usr/share"),
            ("%T", "/tmp"),
            ("%V", "/var/tmp"),
            ("%h", "/root"),
            ("%s", "/bin/sh"),
            ("%u", "root"),
            ("%U", "0"),
            ("%g", "wheel"),
            ("%G", "10"),
            ("%H", "a.b.c"),
            ("%l", "a"),
            ("%m", "m1"),
            ("%b", "b1"),
            ("%v", "6.1"),
            ("%a", "x86-64"),
            ("%o", "debian"),
            ("%w", "12"),
            ("%W", "cloud"),
            ("%A", "7"),
            ("%B", "b8"),
            ("%M", "img"),
            ("%%", "%"),
        ] {
            let found = expand(specifier, &name, &facts, fragment);
            assert_eq!(found.as_deref(), Ok(value), "{specifier}");
        }
        let plain = UnitName::new("a-b.mount").unwrap();
        assert_eq!(expand("%f", &plain, &facts, fragment), Ok("/a/b".to_owned()));
        let credentials = expand("%d", &plain, &facts, fragment);
        assert_eq!(credentials, Ok("/run/credentials/a-b.mount".to_owned()));
    }

    #[test]
    fn what_is_no_specifier_is_an_error() {
        assert!(go("%!").unwrap_err().contains("%!"));
        assert!(go("50%").is_err());
    }
}
