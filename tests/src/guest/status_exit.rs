//! Scenario 1: the client's exit status is the truth.

use std::process::Command;

use super::check::Output;
use super::{Options, control};
use crate::error::{Context, Error};

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let status = Command::new("softctl")
        .arg("status")
        .output()
        .doing("running softctl status")?;
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    output.same(&status.status.code(), &Some(0), "softctl status exits 0")?;
    output.check(
        text.contains("running"),
        "softctl status says that the system is running",
    )?;
    // Semantics 8.2: no such unit is 5 for a request, 4 for a question about its state.
    for (verb, code) in [("start", 5), ("status", 4)] {
        let asked = Command::new("softctl")
            .args([verb, "no-such-thing.service"])
            .output();
        let asked = asked.doing("running softctl")?;
        output.same(
            &asked.status.code(),
            &Some(code),
            format!("softctl {verb} of an unknown unit exits {code}"),
        )?;
    }
    Ok(())
}
