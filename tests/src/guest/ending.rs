//! Leaves behind what only the end of the machine takes apart: a mount in a mount on a mapped device on a loop device on a file
//! in a mount.

use std::process::Command;

use super::Options;
use super::check::Output;
use super::control;
use super::softctl::softctl;
use crate::error::{Context, Error};

/// What PID 1 says then.
pub(super) const FAREWELL: &[&str] = &[
    "the hardware watchdog resets the machine",
    "unmounted /run/stack/disk/memory",
    "unmounted /run/stack/disk",
    "removed dm-0",
    "unmounted /run/stack",
];

/// Who makes mapped devices.
pub(super) const PACKAGES: &[&str] = &["dmsetup"];

const STACK: &str = "set -e; mkdir /run/stack; mount -t tmpfs tmpfs /run/stack; \
     dd if=/dev/zero of=/run/stack/image bs=1M count=8 2>/dev/null; \
     loop=$(losetup -f); losetup $loop /run/stack/image; \
     dmsetup create --noudevsync box --table \"0 16384 linear $loop 0\"; mke2fs -F /dev/dm-0 >/dev/null; \
     mkdir /run/stack/disk; mount /dev/dm-0 /run/stack/disk; \
     mkdir /run/stack/disk/memory; mount -t tmpfs tmpfs /run/stack/disk/memory";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let ran = softctl(&["kexec"])?;
    output.same(
        &(ran.code, ran.stderr.contains("no kernel is loaded")),
        &(1, true),
        "without a kernel there is no kexec",
    )?;
    let status = Command::new("/bin/busybox")
        .args(["sh", "-c", STACK])
        .status()
        .doing("running a script")?;
    output.check(
        status.success(),
        "mounts are stacked on a mapped device on a loop device",
    )
}
