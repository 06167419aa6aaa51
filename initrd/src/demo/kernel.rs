//! Kernel modules for the guest's virtual hardware.

use super::Error;
use crate::image::Image;
use crate::modules::{LOAD_ORDER, ModuleTree};
use crate::packages::KernelPackage;

/// Without these there is no event channel and no network. Those that are part of the kernel need no file.
pub const REQUIRED_MODULES: [&str; 3] = ["virtio_pci", "virtio_console", "virtio_net"];

/// Taken where the kernel has them: entropy at boot, sharing a directory of the host (Debian's cloud kernel has
/// virtiofs, but no 9p), disk images as a next root, mapped devices, and a watchdog.
pub const OPTIONAL_MODULES: [&str; 8] = [
    "virtio_rng",
    "virtiofs",
    "9p",
    "9pnet_virtio",
    "loop",
    "dm_mod",
    "squashfs",
    "softdog",
];

/// Adds the modules with all they depend on, and the list to load them by.
pub(super) fn modules(
    image: &mut Image,
    kernel: Option<&KernelPackage>,
    wanted: &[String],
) -> Result<(), Error> {
    let Some(kernel) = kernel else {
        return if wanted.is_empty() {
            Ok(())
        } else {
            Err(Error::NoKernel(wanted.to_vec()))
        };
    };
    let tree = ModuleTree::open(&kernel.modules_dir)?;
    let mut list: Vec<(&str, &str)> = REQUIRED_MODULES
        .iter()
        .map(|&name| (name, "the virtual machine"))
        .collect();
    list.extend(wanted.iter().map(|name| (name.as_str(), "the modules asked for")));
    for name in OPTIONAL_MODULES {
        if tree.has(name) {
            list.push((name, "the virtual machine, optional"));
        } else {
            image.note(format!(
                "optional module {name} left out: kernel {} has none",
                kernel.version
            ));
        }
    }
    let closure = tree.closure(list)?;
    for name in &closure.builtin {
        image.note(format!("module {name} is built into kernel {}", kernel.version));
    }
    for module in &closure.modules {
        image.add_file(
            &module.guest_path,
            0o644,
            module.data.as_slice(),
            &module.wanted_by,
        )?;
    }
    image.add_file(
        LOAD_ORDER,
        0o644,
        closure.load_order().into_bytes(),
        "order to load the modules in",
    )?;
    Ok(())
}
