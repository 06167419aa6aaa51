//! What the probe runs on.

use std::fs;

use rustix::system::uname;

use crate::record::Machine;

/// The id of this boot of the kernel, empty if it is not to be had.
pub(super) fn boot_id() -> String {
    line("/proc/sys/kernel/random/boot_id")
}

pub(super) fn machine() -> Machine {
    let system = uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let parts = [
        system.sysname(),
        system.release(),
        system.version(),
        system.machine(),
    ];
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, |cpus| cpus.get() as u64);
    Machine {
        kernel: parts.map(part).join(" "),
        cpu: field(&info, "model name").unwrap_or_default().to_owned(),
        cpus,
        memory: field(&memory, "MemTotal")
            .and_then(|text| text.split(' ').next()?.parse().ok())
            .unwrap_or(0),
        virtualization: virtualization(&info),
    }
}

fn virtualization(info: &str) -> String {
    let container = line("/run/systemd/container");
    let mut all = Vec::new();
    if !container.is_empty() {
        all.push(format!("container {container}"));
    }
    if field(info, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")) {
        let product = line("/sys/class/dmi/id/product_name");
        all.push(if product.is_empty() {
            "hypervisor".to_owned()
        } else {
            format!("hypervisor, {product}")
        });
    }
    all.join("; ")
}

/// The value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_the_first_of_its_name() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2:1\nmodel name\t: Other\n";
        assert_eq!(field(text, "model name"), Some("Some CPU @ 2:1"));
        assert_eq!(field(text, "flags"), None);
    }
}
