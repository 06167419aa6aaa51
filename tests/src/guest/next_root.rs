//! Soft-reboots into other roots: what is in them is what runs afterwards, who survives goes on, and a root that cannot
//! work is refused before anything stops.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use super::census::Census;
use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::net::{ECHO, HTTP, ask_for_page, connect, echo, is_page, read_page};
use super::programs::{number, report, survivor_after};
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, processes};
use crate::error::{Context, Error};

/// A unit that says which root it is of.
const MARKER: &str = "marker.service";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    connect(ECHO).and_then(|mut client| echo(&mut client, "wake\n"))?;
    survivor_after(0)?;
    bad_roots(output)?;

    // On the root itself, and a link to it: the case of an update that was unpacked beside what runs.
    make_root("/srv/next", "by link")?;
    in_root("ln -s /srv/next /run/nextroot")?;
    check(output, "by link")?;
    in_root(
        "mkdir -p /run/used /run/unused && mount -t tmpfs tmpfs /run/used && mount -t tmpfs tmpfs /run/unused && \
         echo kept > /run/used/file",
    )?;
    let _mount = UnitFile::install(
        "run-kept.mount",
        "[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=tmpfs\nWhere=/run/kept\nType=tmpfs\n",
    )?;
    control::start("run-kept.mount")?;
    in_root("echo kept > /run/kept/file")?;
    let mut used = fs::File::options()
        .append(true)
        .open("/proc/1/root/run/used/file")
        .doing("opening a file below /run")?;
    switch(output, "by link", control::soft_reboot)?;
    writeln!(used, "and written").doing("writing to a file below /run")?;
    let mounts = fs::read_to_string("/proc/1/mountinfo").doing("reading the mount table")?;
    output.same(
        &(mounts.contains(" /run/used "), mounts.contains(" /run/unused ")),
        &(true, false),
        "a mount below /run that is in use goes along, one that is not does not",
    )?;
    let text = fs::read_to_string("/proc/1/root/run/used/file").doing("reading a file below /run")?;
    output.same(
        &text.as_str(),
        &"kept\nand written\n",
        "and is the same file system",
    )?;
    drop(used);
    output.same(
        &(
            Unit::get("run-kept.mount")?.sub(),
            fs::read_to_string("/proc/1/root/run/kept/file")
                .unwrap_or_default()
                .as_str(),
        ),
        &("mounted", "kept\n"),
        "so does one whose mount unit stays up",
    )?;
    output.check(
        fs::symlink_metadata("/proc/1/root/run/nextroot").is_err(),
        "the link is gone: it was followed",
    )?;
    switch(output, "by link", control::soft_reboot)?;
    output.check(true, "without a next root the root stays")?;

    fails_late(output)?;
    in_root("mkdir /run/nextroot && mount -t tmpfs -o size=400m tmpfs /run/nextroot")?;
    make_root("/run/nextroot", "by mount")?;
    switch(output, "by link", || {
        let ran = softctl(&["soft-reboot", "--wait", ""])?;
        output_of(ran.code, &ran.stderr)
    })?;
    output.check(true, "an empty name means the root there is")?;
    switch(output, "by mount", || {
        let ran = softctl(&["reboot"])?;
        output_of(ran.code, &ran.stderr)
    })?;
    output.check(true, "a reboot with a mount at /run/nextroot is a soft-reboot")?;
    in_root("rmdir /run/nextroot")?;
    output.check(true, "nothing is mounted there any more")?;

    make_root("/run/other", "by path")?;
    switch(output, "by path", || {
        let ran = softctl(&["soft-reboot", "/run/other"])?;
        output_of(ran.code, &ran.stderr)
    })?;
    if std::path::Path::new("/dev/loop-control").exists() {
        image(output)?;
    }
    Ok(())
}

fn output_of(code: i32, stderr: &str) -> Result<(), Error> {
    if code == 0 {
        return Ok(());
    }
    Err(Error::Check(format!("softctl: exit code {code}: {stderr}")))
}

/// A disk image, in a file.
fn image(output: &mut Output) -> Result<(), Error> {
    in_root(
        "mkdir -p /run/images/m && dd if=/dev/zero of=/run/images/disk bs=1M count=0 seek=200 2>/dev/null && \
         mke2fs -F /run/images/disk >/dev/null && mount -o loop /run/images/disk /run/images/m",
    )?;
    make_root("/run/images/m", "by image")?;
    in_root("umount /run/images/m && ln -s images/disk /run/nextroot")?;
    check(output, "by image")?;
    wait_for("the loop device to be free again", || {
        Ok(loops()?.is_empty().then_some(()))
    })?;
    output.check(true, "asking leaves no loop device behind")?;
    in_root("mount -o loop /run/images/disk /run/images/m")?;
    let ran = softctl(&["soft-reboot"])?;
    output.same(
        &(ran.code, ran.stderr.contains("in use through")),
        &(1, true),
        "an image that somebody writes to is not mounted twice",
    )?;
    in_root("umount /run/images/m")?;
    switch(output, "by image", control::soft_reboot)?;
    output.same(&loops()?.len(), &1, "the image is on one loop device")?;
    switch(output, "by image", || {
        let ran = softctl(&["soft-reboot", "--wait", "/run/images/disk"])?;
        output_of(ran.code, &ran.stderr)
    })?;
    output.same(&loops()?.len(), &1, "and still, when it is named again")
}

fn loops() -> Result<Vec<String>, Error> {
    let devices = fs::read_dir("/sys/block").doing("reading /sys/block")?.flatten();
    Ok(devices
        .filter(|entry| entry.path().join("loop/backing_file").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

/// A switch that has worked in the rehearsal and does not when it counts.
fn fails_late(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(
        "blocker.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/busybox true\n\
         ExecStop=/bin/busybox touch /run/softboot/next-root\n",
    )?;
    control::start("blocker.service")?;
    make_root("/srv/other", "by nobody")?;
    in_root("ln -s /srv/other /run/nextroot")?;
    switch(output, "by link", || {
        let ran = softctl(&["soft-reboot", "--wait"])?;
        output_of(ran.code, &ran.stderr)
    })?;
    output.check(
        true,
        "a switch that fails late leaves the old root, and the boot goes on in it",
    )?;
    output.check(
        fs::symlink_metadata("/proc/1/root/run/nextroot").is_ok(),
        "and the link, which was not followed",
    )?;
    in_root("rm -r /run/softboot/next-root /run/nextroot /srv/other")
}

/// Each next root that cannot work, with a word of the reason.
fn bad_roots(output: &mut Output) -> Result<(), Error> {
    let (_, reboots) = control::status()?;
    let page = Unit::get("lighttpd.socket")?.active().to_owned();
    let survivor = Unit::get("survivor.service")?.main_pid();
    softctl(&["soft-reboot", "--check"])?;
    let before = Census::take()?;
    let base = "/srv/bad";
    let good = "mkdir -p /srv/bad/etc /srv/bad/usr/lib/softboot /srv/bad/usr/lib/systemd/system && \
                echo NAME=x > /srv/bad/etc/os-release && cp /usr/lib/softboot/softbootd /srv/bad/usr/lib/softboot/ && \
                cp /usr/lib/systemd/system/lighttpd.socket /srv/bad/usr/lib/systemd/system/";
    let program = "/srv/bad/usr/lib/softboot/softbootd";
    let units = format!("{base}/etc/systemd/system");
    let cases: [(&str, String, &str); 12] = [
        (
            "a link to nowhere",
            "ln -s /nowhere /run/nextroot".to_owned(),
            "which is not there",
        ),
        (
            "a device that is no disk",
            "ln -s /dev/null /run/nextroot".to_owned(),
            "neither a directory nor",
        ),
        (
            "a file that is no image",
            "echo text > /run/nextroot".to_owned(),
            "/run/nextroot",
        ),
        (
            "no operating system",
            format!("{good} && rm {base}/etc/os-release"),
            "no operating system",
        ),
        ("no softbootd", format!("{good} && rm {program}"), "no softbootd"),
        (
            "a softbootd that may not be executed",
            format!("{good} && chmod 644 {program}"),
            "not executable",
        ),
        (
            "a softbootd of another machine",
            format!("{good} && printf '\\167\\000' | dd of={program} bs=1 seek=18 conv=notrunc 2>/dev/null"),
            "another machine",
        ),
        (
            "no units",
            format!("{good} && rm -r {base}/usr/lib/systemd"),
            "no unit file",
        ),
        (
            "a default.target that is masked",
            format!("{good} && mkdir -p {units} && ln -s /dev/null {units}/default.target"),
            "transaction cannot be built",
        ),
        (
            "a default.target that needs what is not there",
            format!(
                "{good} && mkdir -p {units} && \
                 printf '[Unit]\\nAllowIsolate=yes\\nRequires=absent.service\\n' > {units}/default.target"
            ),
            "absent.service",
        ),
        (
            "a boot in a circle",
            format!(
                "{good} && mkdir -p {units} && \
                 printf '[Unit]\\nRequires=a.service b.service\\n' > {units}/default.target && \
                 printf '[Unit]\\nAfter=b.service\\n[Service]\\nExecStart=/a\\n' > {units}/a.service && \
                 printf '[Unit]\\nAfter=a.service\\n[Service]\\nExecStart=/b\\n' > {units}/b.service"
            ),
            "a.service",
        ),
        (
            "another program in the place of softbootd",
            format!("{good} && cp /bin/busybox {program}"),
            "without an answer",
        ),
    ];
    for (what, make, reason) in cases {
        in_root(&make)?;
        if !make.contains("/run/nextroot") {
            in_root("ln -s /srv/bad /run/nextroot")?;
        }
        let ran = softctl(&["soft-reboot"])?;
        in_root("rm -rf /run/nextroot /srv/bad")?;
        output.same(
            &(ran.code, ran.stderr.contains(reason)),
            &(1, true),
            format!("{what}: refused ({})", ran.stderr.trim()),
        )?;
    }
    output.same(
        &(
            control::status()?.1,
            Unit::get("lighttpd.socket")?.active(),
            Unit::get("survivor.service")?.main_pid(),
        ),
        &(reboots, page.as_str(), survivor),
        "and nothing has changed",
    )?;
    let unchanged = wait_for("what was there for a moment to be gone", || {
        Ok(Census::take()?.grown_since(&before).is_empty().then_some(()))
    });
    if unchanged.is_err() {
        let grown = Census::take()?.grown_since(&before);
        output.same(&grown, &Vec::new(), "no mount or descriptor is left over")?;
    }
    output.check(true, "no mount or descriptor is left over")
}

/// What softctl says beforehand.
fn check(output: &mut Output, os: &str) -> Result<(), Error> {
    let (_, reboots) = control::status()?;
    let ran = softctl(&["soft-reboot", "--check"])?;
    output.same(
        &(
            ran.code,
            ran.stdout.contains(os),
            ran.stdout.contains("survivor.service"),
        ),
        &(0, true, true),
        format!(
            "--check names the next root and what pins the old one:\n{}{}",
            ran.stdout, ran.stderr
        ),
    )?;
    output.same(&control::status()?.1, &reboots, "and does nothing")
}

/// One change, with all that must hold.
fn switch(output: &mut Output, os: &str, go: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let survivor = Unit::get("survivor.service")?.main_pid();
    let told = report("survivor")?;
    let (_, before) = control::status()?;
    let mut client = connect(ECHO)?;
    echo(&mut client, "before\n")?;
    go()?;
    settle(os)?;
    output.same(
        &control::status()?.1,
        &(before + 1),
        format!("a soft-reboot into the root {os}"),
    )?;
    let staged = fs::read_to_string("/proc/1/root/run/systemd/propagate/.os-release-stage/os-release")
        .doing("reading the staged os-release")?;
    output.check(
        staged.contains(os),
        "containers are shown the new root's os-release",
    )?;
    let marker = Unit::get(MARKER)?;
    output.same(
        &marker.active(),
        &"active",
        "a unit that only the next root has is up",
    )?;
    echo(&mut client, "after\n")?;
    output.check(true, "a connection in an fd store goes on")?;
    output.same(
        &Unit::get("survivor.service")?.main_pid(),
        &survivor,
        "the survivor is the same process",
    )?;
    let later = survivor_after(number(&told, "/now_usec").saturating_add(500_000))?;
    for link in ["pair", "echo"] {
        output.same(
            &number(&later, &format!("/{link}/drops")),
            &0,
            format!("its {link} connection has not dropped"),
        )?;
    }
    let mut stream = connect(HTTP)?;
    ask_for_page(&mut stream)?;
    output.check(is_page(&read_page(&mut stream)?), "the page is served")?;
    let zombie = processes::all()?.into_iter().find(|process| process.state == 'Z');
    output.same(&zombie, &None, "no helper is left unreaped")
}

/// Waits until the boot in this root is done.
pub(super) fn settle(os: &str) -> Result<(), Error> {
    wait_for(format!("the root {os}"), || {
        let text = fs::read_to_string("/proc/1/root/etc/os-release").doing("reading os-release")?;
        Ok(text.contains(os).then_some(()))
    })?;
    wait_for("the end of the boot", || {
        Ok((Unit::get(MARKER)?.active() == "active").then_some(()))
    })?;
    control::wait_running().map(drop)
}

/// A copy of the system, with another name and one unit more.
pub(super) fn make_root(at: &str, name: &str) -> Result<(), Error> {
    in_root(&format!(
        "set -e; mkdir -p {at}; cp -a /bin /sbin /lib /lib64 /etc /usr /var {at}; \
         rm -f {at}/etc/os-release; echo 'PRETTY_NAME=\"{name}\"' > {at}/etc/os-release; \
         mkdir -p {at}/etc/systemd/system/multi-user.target.wants; \
         printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/busybox grep \"{name}\" \
         /etc/os-release\\n' > {at}/etc/systemd/system/{MARKER}; \
         ln -sf ../{MARKER} {at}/etc/systemd/system/multi-user.target.wants/{MARKER}"
    ))
}

/// Runs a script where PID 1 is: a survivor may still have an older root.
pub(super) fn in_root(script: &str) -> Result<(), Error> {
    let ran = Command::new("/bin/busybox")
        .args(["chroot", "/proc/1/root", "/bin/busybox", "sh", "-c", script])
        .output()
        .doing("running a script")?;
    if ran.status.success() {
        return Ok(());
    }
    Err(Error::Check(format!(
        "{script}: {}: {}",
        ran.status,
        String::from_utf8_lossy(&ran.stderr)
    )))
}
