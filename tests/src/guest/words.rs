//! What people do who know systemctl: its short words, and forgetting to have an edited file read again.

use super::check::Output;
use super::control;
use super::softctl::{softctl, softctl_as, softctl_with};
use super::units::UnitFile;
use super::verbs::prints;
use crate::error::{Context as _, Error};

const HINT: &str = "`softctl daemon-reload` reads them again";
const EDITED: &str = "edited.service";
const LEFT: &str = "left.service";
const DROP_IN: &str = "/etc/systemd/system/edited.service.d/override.conf";
const SHORT: &str = "short.service";

/// `main` is the main process of the survivor.
pub(super) fn used(output: &mut Output, main: i32) -> Result<(), Error> {
    prints(output, &["status", &main.to_string()], 0, "● survivor.service")?;
    prints(
        output,
        &["status", "-n", "0", "survivor"],
        0,
        "Soft-reboot: survives",
    )?;
    prints(output, &["status", "/no/such/mount"], 4, "no-such-mount.mount")?;
    prints(output, &["is-active", "no-such-unit"], 4, "inactive")?;
    let failed = softctl(&["--failed", "--no-legend", "--no-pager"])?;
    output.same(
        &(failed.code, failed.stdout.as_str()),
        &(0, ""),
        "without a verb units are listed, and nothing has failed",
    )?;
    for (ends, code) in [("true", 0), ("false", 1)] {
        let _unit = UnitFile::install(
            SHORT,
            &format!("[Service]\nExecStart=/bin/busybox sh -c 'sleep 0.3; {ends}'\n"),
        )?;
        prints(output, &["start", "--wait", SHORT], code, "")?;
        let active = control::Unit::get(SHORT)?.active().to_owned();
        output.check(
            ["inactive", "failed"].contains(&active.as_str()),
            format!("start --wait waits for the end ({active})"),
        )?;
        prints(output, &["reset-failed", SHORT], 0, "")?;
    }
    let _unit = UnitFile::install(SHORT, "[Service]\nType=oneshot\nExecStart=/bin/busybox false\n")?;
    prints(output, &["start", SHORT], 1, "failed (exit-code, exited 1)")?;
    prints(output, &["reset-failed", SHORT], 0, "")
}

/// What a service leaves behind goes when somebody asks, and nothing that a link leads to.
pub(super) fn left_behind(output: &mut Output) -> Result<(), Error> {
    let text = "[Service]\nType=oneshot\nStateDirectory=left\nCacheDirectory=left\n\
                ExecStart=/bin/busybox sh -c 'mkdir -p /var/lib/left/a/b; ln -s /etc /var/lib/left/a/link; \
                echo x > /var/cache/left/file'\n";
    let _unit = UnitFile::install(LEFT, text)?;
    let there = |path: &str| std::fs::exists(path).doing(format!("looking for {path}"));
    prints(output, &["start", LEFT], 0, "")?;
    prints(output, &["show", "-P", "CanClean", LEFT], 0, "state cache\n")?;
    prints(output, &["clean", LEFT], 0, "")?;
    output.same(
        &(there("/var/cache/left")?, there("/var/lib/left/a/b")?),
        &(false, true),
        "what comes again by itself is cleaned unless something else is asked for",
    )?;
    prints(
        output,
        &["clean", "--what=logs", LEFT],
        1,
        "nothing of this kind: logs",
    )?;
    prints(output, &["clean", "--what=everything", LEFT], 2, "everything")?;
    prints(output, &["--what=state,cache", "clean", LEFT], 0, "")?;
    output.same(
        &(there("/var/lib/left")?, there("/etc/passwd")?),
        &(false, true),
        "state goes when it is asked for, and what its links lead to stays",
    )?;
    prints(output, &["show", "-P", "CleanResult", LEFT], 0, "success")?;
    prints(output, &["start", LEFT], 0, "")?;
    // Nobody can remove what something is mounted on.
    let mount = "mount -t tmpfs left /var/lib/left/a";
    let ran = softctl(&["run", "--wait", "/bin/busybox", "sh", "-c", mount])?;
    output.same(&ran.code, &0, "something is mounted in it")?;
    prints(
        output,
        &["clean", "--what=state", LEFT],
        1,
        "not all could be removed",
    )?;
    prints(output, &["logs", LEFT], 0, "\"a\" is a mount point")?;
    prints(
        output,
        &["show", "-P", "ActiveState,Result,CleanResult", LEFT],
        0,
        "inactive\nsuccess\nexit-code",
    )?;
    prints(
        output,
        &["run", "--wait", "/bin/busybox", "umount", "/var/lib/left/a"],
        0,
        "",
    )?;
    prints(output, &["clean", "--what=all", LEFT], 0, "")
}

/// Variables that every service starts with, through a re-exec; the unit's own settings win.
pub(super) fn surroundings(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(
        SHORT,
        "[Service]\nType=oneshot\nEnvironment=OWN=unit\nExecStart=/bin/busybox sh -c 'echo [$FLAVOUR] [$OWN]'\n",
    )?;
    prints(
        output,
        &["set-environment", "FLAVOUR=salt and pepper", "OWN=all"],
        0,
        "",
    )?;
    prints(output, &["set-environment", "GOOD=1", "1BAD=2"], 1, "1BAD=2")?;
    prints(
        output,
        &["show-environment"],
        0,
        "FLAVOUR=$'salt and pepper'\nOWN=all\nPATH=/",
    )?;
    control::reexec()?;
    prints(output, &["start", SHORT], 0, "")?;
    prints(output, &["logs", SHORT], 0, "[salt and pepper] [unit]")?;
    prints(output, &["unset-environment", "OWN=other", "FLAVOUR"], 0, "")?;
    let left = softctl(&["show-environment"])?.stdout;
    output.check(
        left.starts_with("OWN=all\nPATH="),
        format!("a variable is taken away by its name, or by its name and value ({left})"),
    )?;
    prints(output, &["unset-environment", "OWN"], 0, "")?;
    let nobody = softctl_as(super::verbs::NOBODY, &["show-environment"])?;
    output.same(&nobody.code, &4, "nobody may not see the environment")
}

/// Who edits a file and forgets to have it read again is told.
pub(super) fn edited(output: &mut Output) -> Result<(), Error> {
    let _unit = UnitFile::install(EDITED, "[Service]\nExecStart=/bin/busybox sleep 1000\n")?;
    prints(output, &["show", "-P", "NeedDaemonReload", EDITED], 0, "no")?;
    let _changed = UnitFile::write(EDITED, "[Service]\nExecStart=/bin/busybox sleep 1001\n")?;
    prints(output, &["start", EDITED], 0, HINT)?;
    prints(output, &["status", EDITED], 0, HINT)?;
    prints(output, &["show", "-P", "NeedDaemonReload", EDITED], 0, "yes")?;
    prints(output, &["daemon-reload"], 0, "")?;
    prints(output, &["show", "-P", "NeedDaemonReload", EDITED], 0, "no")?;
    let ran = softctl(&["restart", EDITED])?;
    output.same(
        &(ran.code, ran.stderr.as_str()),
        &(0, ""),
        "after a reload nothing is said any more",
    )?;
    by_an_editor(output)?;
    prints(output, &["stop", EDITED], 0, "")?;
    linked(output)
}

/// What `softctl edit` writes counts at once, and `revert` takes it back.
fn by_an_editor(output: &mut Output) -> Result<(), Error> {
    let editor = "/bin/busybox sed -i 2a[Service]\\nNice=3";
    let ran = softctl_with(&[("SYSTEMD_EDITOR", editor)], &["edit", EDITED])?;
    output.check(
        ran.code == 0 && ran.stderr.contains(DROP_IN),
        format!("edit writes a drop-in ({})", ran.stderr.trim()),
    )?;
    prints(output, &["show", "-P", "NeedDaemonReload", EDITED], 0, "no")?;
    prints(output, &["cat", EDITED], 0, "Nice=3")?;
    let ran = softctl_with(
        &[("EDITOR", "/bin/busybox false")],
        &["edit", "--drop-in=x", EDITED],
    )?;
    output.same(&ran.code, &1, "an editor that fails changes nothing")?;
    prints(output, &["revert", EDITED], 0, DROP_IN)?;
    prints(output, &["show", "-P", "DropInPaths", EDITED], 0, "\n")
}

/// Links beside those of `[Install]`, and what a boot starts.
fn linked(output: &mut Output) -> Result<(), Error> {
    let before = softctl(&["get-default"])?;
    output.same(
        &before.code,
        &0,
        format!("a boot starts {}", before.stdout.trim()),
    )?;
    prints(
        output,
        &["add-wants", "multi-user", EDITED],
        0,
        "multi-user.target.wants",
    )?;
    prints(
        output,
        &["list-dependencies", "--reverse", EDITED],
        0,
        "multi-user.target",
    )?;
    prints(output, &["disable", EDITED], 0, "Removed")?;
    prints(output, &["set-default", "no-such"], 5, "no-such.target")?;
    prints(output, &["mask", EDITED], 0, "/dev/null")?;
    prints(output, &["revert", EDITED], 0, "Removed /etc/systemd/system/")?;
    prints(output, &["preset", EDITED], 2, "presets are not read")
}
