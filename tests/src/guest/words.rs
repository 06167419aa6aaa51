//! What people do who know systemctl: its short words, and forgetting to have an edited file read again.

use super::check::Output;
use super::control;
use super::softctl::softctl;
use super::units::UnitFile;
use super::verbs::prints;
use crate::error::Error;

const HINT: &str = "`softctl daemon-reload` reads them again";
const EDITED: &str = "edited.service";
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
    prints(output, &["stop", EDITED], 0, "")
}
