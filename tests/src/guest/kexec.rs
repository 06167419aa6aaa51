//! Into another kernel without the firmware. Run twice: before, where all that is wrong is refused, and in the kernel that
//! the machine went into.

use std::fs;
use std::process::Command;

use super::Options;
use super::check::{Output, wait_for};
use super::control;
use super::softctl::{softctl, softctl_as};
use super::units::UnitFile;
use crate::error::{Context, Error};

/// Where the virtual machine has a kernel to go into.
pub const NEXT_KERNEL: &str = "/usr/lib/softboot/next/vmlinuz";
/// And its initial RAM file system.
pub const NEXT_INITRD: &str = "/usr/lib/softboot/next/initrd";

/// A word that only the second kernel's command line has.
const WORD: &str = "softboot-test.second";
/// How the machine goes there.
pub(super) const GO: &str = "softctl kexec --kernel /usr/lib/softboot/next/vmlinuz \
     --initrd /usr/lib/softboot/next/initrd --cmdline \"$(cat /proc/cmdline) softboot-test.second\"";

/// What the console says before the second kernel begins.
pub(super) const FAREWELL: &[&str] = &[
    "the witness of the kexec stops",
    "ending: Kexec",
    "the hardware watchdog resets the machine",
    "unmounted /run/kexec-mount",
    "kexec_core: Starting new kernel",
];

const WITNESS: &str = "[Service]\nExecStart=/bin/busybox sleep 100000\n\
     ExecStop=/bin/busybox sh -c 'echo the witness of the kexec stops > /dev/kmsg'\n";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let line = fs::read_to_string("/proc/cmdline").doing("reading the kernel's command line")?;
    if line.split_whitespace().any(|word| word == WORD) {
        return after(output, &line);
    }
    refused(output)?;
    load_only(output)?;
    let unit = UnitFile::install("kexec-witness.service", WITNESS)?;
    let ran = softctl(&["start", "kexec-witness.service"])?;
    output.same(&ran.code, &0, "a service runs that says when it stops")?;
    // Its file has to be there when it stops, long after this.
    std::mem::forget(unit);
    fs::create_dir("/run/kexec-mount").doing("making a mount point")?;
    let status = Command::new("/bin/busybox")
        .args(["mount", "-t", "tmpfs", "tmpfs", "/run/kexec-mount"])
        .status()
        .doing("mounting")?;
    output.check(status.success(), "a file system is mounted")
}

/// Nothing here is loaded, and nothing stops.
fn refused(output: &mut Output) -> Result<(), Error> {
    let ran = softctl(&["kexec"])?;
    output.same(
        &(ran.code, ran.stderr.contains("no kernel is loaded")),
        &(1, true),
        "without a kernel there is no kexec",
    )?;
    for (what, words, said) in [
        (
            "a kernel that is not there",
            &["--kernel", "/nowhere/vmlinuz"][..],
            "/nowhere/vmlinuz",
        ),
        (
            "an initrd that is not there",
            &["--kernel", NEXT_KERNEL, "--initrd", "/nowhere/initrd"],
            "/nowhere/initrd",
        ),
        (
            "a file that is no kernel",
            &["--kernel", "/etc/passwd"],
            "no image of a kernel",
        ),
        ("a directory", &["--kernel", "/usr"], "not a regular file"),
    ] {
        let ran = softctl(&[&["kexec", "--reuse-cmdline"], words].concat())?;
        output.same(
            &(ran.code, ran.stderr.contains(said)),
            &(1, true),
            format!("{what} is refused with the reason"),
        )?;
    }
    let long = format!("--cmdline={}", "x".repeat(5000));
    let ran = softctl(&["kexec", "--kernel", NEXT_KERNEL, &long])?;
    output.same(
        &(ran.code, ran.stderr.contains("command line of 5000 bytes")),
        &(1, true),
        "a command line that is too long is refused with the reason",
    )?;
    let ran = softctl_as(
        1000,
        &["kexec", "--kernel", NEXT_KERNEL, "--reuse-cmdline", "-ff"],
    )?;
    output.same(
        &(ran.code, ran.stderr.contains("only root")),
        &(4, true),
        "nobody but root loads one",
    )?;
    output.same(&loaded()?, &"0".to_owned(), "no kernel is loaded after all that")?;
    let state = softctl(&["is-system-running"])?.stdout;
    output.same(&state.trim(), &"running", "and the system runs as before")
}

fn load_only(output: &mut Output) -> Result<(), Error> {
    let words = [
        "kexec",
        "--load-only",
        "--kernel",
        NEXT_KERNEL,
        "--initrd",
        NEXT_INITRD,
        "--reuse-cmdline",
    ];
    let ran = softctl(&words)?;
    output.same(
        &(ran.code, loaded()?.as_str()),
        &(0, "1"),
        "with --load-only the kernel is loaded",
    )?;
    let state = softctl(&["is-system-running"])?.stdout;
    output.same(&state.trim(), &"running", "and nothing else happens")
}

fn after(output: &mut Output, line: &str) -> Result<(), Error> {
    output.check(
        line.trim_end().ends_with(WORD),
        "the kernel has the command line that it was given",
    )?;
    output.same(
        &loaded()?,
        &"0".to_owned(),
        "no kernel is loaded for another kexec",
    )?;
    output.check(
        !fs::exists(NEXT_KERNEL).doing("looking for the kernel")?,
        "the root is that of the initrd that it was given",
    )?;
    output.same(&control::status()?.1, &0, "it is a boot, and no soft-reboot")?;
    wait_for("the page", || {
        let ran = softctl(&["is-active", "lighttpd.socket"])?;
        Ok((ran.code == 0).then_some(()))
    })?;
    output.check(true, "services run there")
}

fn loaded() -> Result<String, Error> {
    let text = fs::read_to_string("/sys/kernel/kexec_loaded").doing("reading /sys/kernel/kexec_loaded")?;
    Ok(text.trim().to_owned())
}
