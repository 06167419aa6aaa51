//! `status` without a unit.

use softboot_control::api::{JobInfo, ManagerInfo, UnitInfo};

use super::{View, count, field, problems};
use crate::paint::Tone;
use crate::text::clean;
use crate::time::span;

/// The system in short. `failed`: the units that failed. `mistakes`: what is wrong with files that cannot be used.
pub(crate) fn system(
    info: &ManagerInfo,
    failed: &[UnitInfo],
    jobs: &[JobInfo],
    mistakes: &[String],
    view: View,
) -> String {
    let (sign, tone) = match info.state.as_str() {
        "running" => ("●", Tone::Good),
        "degraded" => ("×", Tone::Bad),
        _ => ("●", Tone::Notice),
    };
    let host = if info.hostname.is_empty() {
        "(no host name)".to_owned()
    } else {
        clean(&info.hostname)
    };
    let mut out = format!(
        "{} {}\n",
        view.paint.tone(tone, sign),
        view.paint.tone(Tone::Bold, &host)
    );
    field(&mut out, "State", &view.paint.tone(tone, &clean(&info.state)));
    field(
        &mut out,
        "Version",
        &format!("softbootd {} (PID {})", clean(&info.version), info.pid),
    );
    let container = if info.container { ", in a container" } else { "" };
    field(&mut out, "Kernel", &format!("{}{container}", clean(&info.kernel)));
    field(&mut out, "Uptime", &uptime(info, view));
    let reexecs = count(usize::try_from(info.reexecs).unwrap_or(usize::MAX), "re-exec");
    let last = info.taken_over.as_ref().map_or_else(String::new, |taken| {
        format!("; the last {} took {}", clean(&taken.kind), span(taken.took_usec))
    });
    field(
        &mut out,
        "Soft-reboots",
        &format!("{}, and {reexecs} in this userspace{last}", info.soft_reboots),
    );
    if info.crashes > 0 {
        let crashes = if info.crashes == 1 {
            "1 crash".to_owned()
        } else {
            format!("{} crashes", info.crashes)
        };
        let mode = if info.safe_mode {
            "; safe mode: only what somebody asks for is started (daemon-reexec ends it)"
        } else {
            ""
        };
        let text = format!("{crashes} of softbootd, which went on{mode}");
        field(&mut out, "Crashes", &view.paint.tone(Tone::Bad, &text));
    }
    field(&mut out, "Units", &units(info, failed, view));
    field(&mut out, "Jobs", &job_lines(info, jobs));
    problems(&mut out, mistakes, view.paint);
    out
}

/// This userspace's, which a soft-reboot begins anew; the kernel's is uptime(1)'s.
fn uptime(info: &ManagerInfo, view: View) -> String {
    let up = view.now.monotonic.saturating_sub(info.started_usec);
    // Whole seconds: it is a figure to look at, not to measure with.
    let up = if up < 60_000_000 {
        format!("{}s", up / 1_000_000)
    } else {
        span(up)
    };
    match info.boot_finished_usec {
        Some(finished) => format!(
            "{up}, booted in {}",
            span(finished.saturating_sub(info.started_usec))
        ),
        None => format!("{up}, boot not complete"),
    }
}

fn units(info: &ManagerInfo, failed: &[UnitInfo], view: View) -> String {
    let number = format!("{} failed", info.failed);
    let number = if info.failed > 0 {
        view.paint.tone(Tone::Bad, &number)
    } else {
        number
    };
    let mut text = format!("{} known, {number}", info.units);
    for unit in failed {
        let result = unit
            .result
            .as_deref()
            .map_or_else(String::new, |result| format!(" ({})", clean(result)));
        let sign = view.paint.tone(Tone::Bad, "×");
        text.push_str(&format!("\n{sign} {}{result}", clean(&unit.name)));
    }
    text
}

fn job_lines(info: &ManagerInfo, jobs: &[JobInfo]) -> String {
    /// More are seen with list-jobs.
    const SHOWN: usize = 10;
    let mut text = info.jobs.to_string();
    for job in jobs.iter().take(SHOWN) {
        text.push_str(&format!(
            "\n{} {} {} ({})",
            job.id,
            clean(&job.unit),
            clean(&job.kind),
            clean(&job.state)
        ));
    }
    if jobs.len() > SHOWN {
        text.push_str(&format!("\n… and {} more", jobs.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use softboot_control::api::TakingOver;

    use super::super::fixtures::{VIEW, unit};
    use super::*;

    #[test]
    fn the_system_in_short() {
        let info = ManagerInfo {
            version: "0.1.0".to_owned(),
            pid: 1,
            state: "degraded".to_owned(),
            soft_reboots: 2,
            reexecs: 1,
            crashes: 0,
            safe_mode: false,
            units: 45,
            failed: 1,
            jobs: 1,
            kernel: "6.12.0".to_owned(),
            hostname: "box".to_owned(),
            started_usec: 3_000_000_000,
            boot_finished_usec: Some(3_000_850_000),
            container: false,
            taken_over: Some(TakingOver {
                kind: "soft-reboot".to_owned(),
                took_usec: 8_100,
                ..TakingOver::default()
            }),
        };
        let mut bad = unit("a.service", "failed", "failed");
        bad.result = Some("exit-code".to_owned());
        let job = JobInfo {
            id: 9,
            unit: "b.service".to_owned(),
            kind: "start".to_owned(),
            state: "running".to_owned(),
            ..JobInfo::default()
        };
        assert_eq!(
            system(
                &info,
                &[bad],
                &[job],
                &["/etc/c.service:4: no command\x1b".to_owned()],
                VIEW
            ),
            "× box\n\
             \x20      State: degraded\n\
             \x20    Version: softbootd 0.1.0 (PID 1)\n\
             \x20     Kernel: 6.12.0\n\
             \x20     Uptime: 10min, booted in 850ms\n\
             Soft-reboots: 2, and 1 re-exec in this userspace; the last soft-reboot took 8ms\n\
             \x20      Units: 45 known, 1 failed\n\
             \x20             × a.service (exit-code)\n\
             \x20       Jobs: 1\n\
             \x20             9 b.service start (running)\n\
             \n\
             Problems:\n\
             \x20 /etc/c.service:4: no command\\x1b\n"
        );
    }

    #[test]
    fn a_boot_that_goes_on_is_said() {
        let info = ManagerInfo {
            started_usec: VIEW.now.monotonic - 2_500_000,
            ..ManagerInfo::default()
        };
        assert!(system(&info, &[], &[], &[], VIEW).contains("Uptime: 2s, boot not complete\n"));
    }
}
