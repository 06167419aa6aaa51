//! What the machine and its kernel are.

use std::fs;
use std::path::Path;

use softboot_unit::CapabilitySet;

use super::compare;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The kernel's release.
pub(super) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// `kernel >= 6.1`; softboot's own version by its name; a bare comparison is about the kernel.
pub(super) fn version(argument: &str) -> bool {
    let (subject, rest) = argument.split_once(char::is_whitespace).unwrap_or(("", argument));
    match subject {
        "kernel" => compare::version(&release(), rest),
        "softboot" => compare::version(env!("CARGO_PKG_VERSION"), rest),
        // Other programs' versions say nothing of this one.
        "systemd" | "glibc" => false,
        _ => compare::version(&release(), argument),
    }
}

/// The reference's names of architectures, by what uname(2) says.
pub(super) fn architecture(argument: &str) -> bool {
    if argument == "native" {
        return true;
    }
    let uname = rustix::system::uname();
    let machine = uname.machine().to_string_lossy();
    let name = match &*machine {
        "x86_64" => "x86-64",
        "i386" | "i486" | "i586" | "i686" => "x86",
        "aarch64" => "arm64",
        "aarch64_be" => "arm64-be",
        "armv6l" | "armv7l" | "armv8l" => "arm",
        "armv7b" | "armv8b" => "arm-be",
        "ppc64le" => "ppc64-le",
        "ppcle" => "ppc-le",
        other => other,
    };
    name == argument
}

pub(super) fn firmware(argument: &str) -> bool {
    let tree = Path::new("/sys/firmware/devicetree/base");
    let compatible = argument
        .strip_prefix("device-tree-compatible(")
        .and_then(|rest| rest.strip_suffix(')'));
    if let Some(wanted) = compatible {
        return read("/sys/firmware/devicetree/base/compatible")
            .split('\0')
            .any(|name| name == wanted);
    }
    let field = argument
        .strip_prefix("smbios-field(")
        .and_then(|rest| rest.strip_suffix(')'));
    if let Some(expression) = field {
        return smbios(expression);
    }
    match argument {
        "uefi" => Path::new("/sys/firmware/efi").exists(),
        "device-tree" => tree.exists(),
        _ => false,
    }
}

/// `field OP value`, of the fields below /sys/class/dmi/id.
fn smbios(expression: &str) -> bool {
    let end = expression.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    let Some((field, rest)) = end.and_then(|end| expression.split_at_checked(end)) else {
        return false;
    };
    let Ok(value) = fs::read_to_string(format!("/sys/class/dmi/id/{field}")) else {
        return false;
    };
    let rest = rest.trim().trim_matches('"');
    match rest.strip_prefix("$=") {
        Some(pattern) => super::glob::matches(pattern.trim(), value.trim()),
        None => compare::version(value.trim(), rest),
    }
}

pub(super) fn module_loaded(argument: &str) -> bool {
    let name = argument.replace('-', "_");
    !name.is_empty() && !name.contains('/') && Path::new("/sys/module").join(name).exists()
}

/// Security modules and their like, by the files they have.
pub(super) fn security(argument: &str) -> bool {
    match argument {
        "selinux" => Path::new("/sys/fs/selinux/enforce").exists(),
        "smack" => Path::new("/sys/fs/smackfs").exists(),
        "apparmor" => read("/sys/module/apparmor/parameters/enabled").starts_with('Y'),
        "ima" => Path::new("/sys/kernel/security/ima").exists(),
        "tomoyo" => Path::new("/sys/kernel/security/tomoyo/version").exists(),
        "audit" => Path::new("/proc/self/loginuid").exists(),
        "tpm2" => fs::read_dir("/sys/class/tpmrm").is_ok_and(|mut entries| entries.next().is_some()),
        // Four bytes of attributes, then the value (efivarfs).
        "uefi-secureboot" => {
            let variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
            fs::read(variable).is_ok_and(|bytes| bytes.get(4) == Some(&1))
        }
        _ => false,
    }
}

/// In the bounding set of PID 1.
pub(super) fn capability(argument: &str) -> bool {
    let status = read("/proc/self/status");
    let bounding = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    bounding
        .zip(CapabilitySet::number(argument))
        .is_some_and(|(set, number)| CapabilitySet(set).has(number))
}

/// A mains supply is online, or there is nothing that could be on battery.
pub(super) fn on_ac_power() -> bool {
    let (mut mains, mut online, mut battery) = (false, false, false);
    for supply in fs::read_dir("/sys/class/power_supply")
        .into_iter()
        .flatten()
        .flatten()
    {
        let value = |name: &str| fs::read_to_string(supply.path().join(name)).unwrap_or_default();
        match value("type").trim() {
            "Mains" => {
                mains = true;
                online |= value("online").trim() == "1";
            }
            "Battery" => battery |= value("scope").trim() != "Device",
            _ => {}
        }
    }
    if mains { online } else { !battery }
}

/// A flag of /proc/cpuinfo, in any case.
pub(super) fn cpu_feature(argument: &str) -> bool {
    let wanted = argument.to_ascii_lowercase();
    read("/proc/cpuinfo")
        .lines()
        .filter(|line| line.starts_with("flags") || line.starts_with("Features"))
        .filter_map(|line| line.split_once(':'))
        .any(|(_, flags)| flags.split_whitespace().any(|flag| flag == wanted))
}

/// Processors that PID 1 may use.
pub(super) fn cpus() -> u64 {
    std::thread::available_parallelism().map_or(1, |count| u64::try_from(count.get()).unwrap_or(u64::MAX))
}

/// Memory of the machine, in bytes.
pub(super) fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(u64::from(info.mem_unit.max(1)))
}

/// A size with a suffix K, M, G or T, to the base of 1024.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches(['B', 'b']);
    let (digits, factor) = match text.chars().last()?.to_ascii_uppercase() {
        'K' => (text.get(..text.len().checked_sub(1)?)?, 1 << 10),
        'M' => (text.get(..text.len().checked_sub(1)?)?, 1 << 20),
        'G' => (text.get(..text.len().checked_sub(1)?)?, 1 << 30),
        'T' => (text.get(..text.len().checked_sub(1)?)?, 1 << 40),
        _ => (text, 1_u64),
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(factor)
}

/// `v2`, or controllers that are all there.
pub(super) fn controllers(argument: &str) -> bool {
    match argument {
        "v2" => true,
        "v1" => false,
        list => {
            let there = read("/sys/fs/cgroup/cgroup.controllers");
            list.split_whitespace()
                .all(|wanted| there.split_whitespace().any(|controller| controller == wanted))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_what_it_is() {
        assert!(architecture("native") && !architecture("pdp-11"));
        assert!(version("kernel >= 2.6") && version(">=2.6") && !version("systemd >= 1"));
        assert!(!module_loaded("no-such-module") && !module_loaded("../class"));
        assert!(!cpu_feature("no-such-feature"));
        assert!(memory() > 1 << 20 && cpus() > 0);
        assert!(controllers("v2") && !controllers("v1") && !controllers("cpu no-such"));
        assert!(!firmware("steam") && !security("guard-dog"));
    }

    #[test]
    fn sizes_have_suffixes() {
        assert_eq!(bytes("512"), Some(512));
        assert_eq!(bytes("2K"), Some(2048));
        assert_eq!(bytes("1 GB"), Some(1 << 30));
        assert_eq!(bytes("x"), None);
        assert_eq!(bytes(""), None);
        assert_eq!(bytes("99999999999T"), None);
    }
}
