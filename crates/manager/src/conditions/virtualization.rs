//! Containers and virtual machines.

use std::fs;

/// Fields of /sys/class/dmi/id in the order in which they are looked at.
const FIELDS: [&str; 4] = ["product_name", "sys_vendor", "board_vendor", "bios_vendor"];
/// What they begin with, and the name that it has.
const VENDORS: [(&str, &str); 15] = [
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("Google Compute Engine", "google"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Microsoft Corporation", "microsoft"),
];

pub(super) fn test(argument: &str, container: bool) -> bool {
    let manager = if container {
        std::env::var("container").ok()
    } else {
        None
    };
    let vm = if container { None } else { machine() };
    decide(argument, container, manager.as_deref(), vm)
}

/// `container` and `vm` are kinds; other words name one. In a container nothing is said of the machine below.
fn decide(argument: &str, container: bool, manager: Option<&str>, vm: Option<&str>) -> bool {
    match argument {
        "yes" | "true" | "1" | "on" => container || vm.is_some(),
        "no" | "false" | "0" | "off" => !container && vm.is_none(),
        "container" => container,
        "vm" => vm.is_some(),
        // Users that are not the host's are a matter of the container manager.
        "private-users" => container && maps_users(),
        other => manager == Some(other) || vm == Some(other),
    }
}

fn maps_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
}

/// The virtual machine this is, if it is one.
fn machine() -> Option<&'static str> {
    for field in FIELDS {
        let text = fs::read_to_string(format!("/sys/class/dmi/id/{field}")).unwrap_or_default();
        let found = VENDORS.iter().find(|(begin, _)| text.starts_with(begin));
        if let Some((_, name)) = found {
            return Some(name);
        }
    }
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let hypervisor = info
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_whitespace().any(|flag| flag == "hypervisor"));
    hypervisor.then_some("vm-other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_names_are_told_apart() {
        let container = |word| decide(word, true, Some("lxc"), None);
        assert!(container("yes") && container("container") && container("lxc"));
        assert!(!container("no") && !container("vm") && !container("docker"));
        let vm = |word| decide(word, false, None, Some("qemu"));
        assert!(vm("yes") && vm("vm") && vm("qemu"));
        assert!(!vm("container") && !vm("kvm"));
        let metal = |word| decide(word, false, None, None);
        assert!(metal("no") && !metal("yes") && !metal("vm"));
    }
}
