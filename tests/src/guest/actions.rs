//! Soft-reboots that nobody asks for by the verb: by what units say is to be done when they end (semantics 7.1, 2.10), by
//! the target, and by systemd's own interface.

use serde_json::json;

use super::Options;
use super::check::{Output, wait_for};
use super::control::{self, call};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::Error;

const TRUE: &str = "[Service]\nType=oneshot\nExecStart=/bin/busybox true\n";
const FALSE: &str = "[Service]\nType=oneshot\nExecStart=/bin/busybox false\n";
const SLEEP: &str = "[Service]\nType=oneshot\nExecStart=/bin/busybox sleep 100000\n";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    for (settings, service, what) in [
        ("SuccessAction=soft-reboot", TRUE, "a success"),
        ("FailureAction=soft-reboot", FALSE, "a failure"),
        ("SuccessAction=soft-reboot-force", TRUE, "a success, at once"),
        ("FailureAction=soft-reboot-force", FALSE, "a failure, at once"),
        (
            "JobTimeoutSec=1\nJobTimeoutAction=soft-reboot\nWants=dev-never.device\nAfter=dev-never.device",
            SLEEP,
            "a job that takes too long",
        ),
        (
            "StartLimitBurst=1\nStartLimitIntervalSec=600\nStartLimitAction=soft-reboot",
            FALSE,
            "a start too many",
        ),
    ] {
        let _unit = UnitFile::install("acts.service", &format!("[Unit]\n{settings}\n{service}"))?;
        let tries = if settings.contains("StartLimit") { 2 } else { 1 };
        one(output, what, || {
            (0..tries).try_for_each(|_| {
                softctl(&["start", "--no-block", "acts.service"])?;
                // Two starts of one job are one.
                wait_for("the start to be over, or the system to end", || {
                    let (state, _) = control::status()?;
                    let unit = control::Unit::get("acts.service")?;
                    let over = unit.active() == "failed" || state != "running" || tries == 1;
                    Ok(over.then_some(()))
                })
            })
        })?;
    }
    one(output, "a start of soft-reboot.target", || {
        let ran = softctl(&["start", "--no-block", "soft-reboot.target"])?;
        output_is_empty(&ran.stderr)
    })?;
    one(output, "systemd's own interface, with a root", || {
        control::call_of("io.systemd.Manager", "SoftReboot", json!({ "root": "/" })).map(drop)
    })?;
    one(output, "our own with an empty root, which stays", || {
        call("SoftReboot", json!({ "root": "", "wait": true })).map(drop)
    })
}

fn output_is_empty(text: &str) -> Result<(), Error> {
    match text.is_empty() {
        true => Ok(()),
        false => Err(Error::Check(format!("softctl says {text:?}"))),
    }
}

/// Exactly one soft-reboot follows, and the next userspace is complete.
fn one(output: &mut Output, what: &str, begin: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let (_, before) = control::status()?;
    begin()?;
    wait_for(format!("the soft-reboot that {what} brings"), || {
        let (state, count) = control::status()?;
        Ok((count > before && state == "running").then_some(()))
    })?;
    let (_, after) = control::status()?;
    output.same(&after, &(before + 1), format!("one soft-reboot by {what}"))?;
    let cycles = call("Greyout", json!({}))?;
    let kind = cycles
        .pointer("/cycles/0/kind")
        .and_then(serde_json::Value::as_str);
    output.same(&kind, &Some("soft-reboot"), "and softbootd knows what it cost")
}
