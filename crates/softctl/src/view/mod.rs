//! What is shown. Pure functions from the manager's answers to text.

pub(crate) mod boot_time;
pub(crate) mod dot;
pub(crate) mod events;
pub(crate) mod greyout;
pub(crate) mod lists;
pub(crate) mod logs;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod show;
pub(crate) mod snapshot;
pub(crate) mod sockets;
pub(crate) mod status;
pub(crate) mod system;
pub(crate) mod tree;
pub(crate) mod unit_files;

use crate::paint::{Paint, Tone};
use crate::text::clean;
use crate::time;

/// How to show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Characters in a line; `None`: as many as there are.
    pub(crate) width: Option<usize>,
    /// The colours.
    pub(crate) paint: Paint,
    /// The present.
    pub(crate) now: Now,
    /// Headings and totals of lists.
    pub(crate) legend: bool,
}

/// The same moment on two clocks, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Since 1970.
    pub(crate) realtime: u64,
    /// CLOCK_MONOTONIC.
    pub(crate) monotonic: u64,
}

impl Now {
    /// The present.
    pub(crate) fn read() -> Now {
        Now {
            realtime: time::realtime_now(),
            monotonic: time::monotonic_now(),
        }
    }

    /// When a moment of CLOCK_MONOTONIC was. Time that the machine was suspended since then is not known here.
    pub(crate) fn realtime_of(self, monotonic: u64) -> u64 {
        self.realtime
            .saturating_add(monotonic)
            .saturating_sub(self.monotonic)
    }
}

/// Plural for people: `1 unit`, `2 units`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A label and its value; further lines of the value are set below the first.
pub(crate) fn field(out: &mut String, label: &str, value: &str) {
    let mut lines = value.lines();
    let first = lines.next().unwrap_or("");
    out.push_str(&format!("{label:>LABEL$}: {first}\n"));
    for line in lines {
        out.push_str(&format!("{:indent$}{line}\n", "", indent = LABEL + 2));
    }
}

/// Mistakes in unit files, each with file and line; nothing where there are none.
pub(crate) fn problems(out: &mut String, texts: &[String], paint: Paint) {
    if !texts.is_empty() {
        let lines: String = texts.iter().map(|text| format!("  {}\n", clean(text))).collect();
        out.push_str(&format!("\n{}:\n{lines}", paint.tone(Tone::Notice, "Problems")));
    }
}

/// Width of labels; values begin two characters further.
pub(crate) const LABEL: usize = 12;

#[cfg(test)]
pub(crate) mod fixtures {
    //! What the golden tests show.

    use super::*;
    use softboot_control::api::{FdInfo, ListenInfo, LogLine, ProcessInfo, UnitDetail, UnitInfo, UnitReply};

    /// 2026-11-23 02:10:52 UTC, an hour after the kernel booted.
    pub(crate) const VIEW: View = View {
        width: Some(80),
        paint: Paint::OFF,
        now: Now {
            realtime: 1_795_399_852_000_000,
            monotonic: 3_600_000_000,
        },
        legend: true,
    };

    pub(crate) fn unit(name: &str, active: &str, sub: &str) -> UnitInfo {
        UnitInfo {
            name: name.to_owned(),
            description: format!("The {name}"),
            load: "loaded".to_owned(),
            active: active.to_owned(),
            sub: sub.to_owned(),
            changed_realtime_usec: VIEW.now.realtime - 312_000_000,
            ..UnitInfo::default()
        }
    }

    pub(crate) fn survivor() -> UnitReply {
        let fd = |name: &str, kind: &str, inode, cookie, path: &str| FdInfo {
            name: name.to_owned(),
            kind: kind.to_owned(),
            inode,
            cookie,
            path: path.to_owned(),
        };
        UnitReply {
            unit: UnitInfo {
                result: Some("success".to_owned()),
                main_pid: Some(412),
                stored_fds: 2,
                triggered_by: vec!["survivor.socket".to_owned()],
                status_text: Some("Serving 3 clients\x1b[2J".to_owned()),
                restarts: 1,
                survives: true,
                ..unit("survivor.service", "active", "running")
            },
            detail: UnitDetail {
                fragment: Some("/etc/systemd/system/survivor.service".to_owned()),
                drop_ins: vec!["/etc/systemd/system/survivor.service.d/a.conf".to_owned()],
                diagnostics: vec![
                    "/etc/systemd/system/survivor.service:7: unknown setting \"Typ\"".to_owned(),
                ],
                cgroup: Some("/system.slice/survivor.service".to_owned()),
                processes: vec![
                    ProcessInfo {
                        pid: 412,
                        command: "/usr/bin/survivor --serve".to_owned(),
                    },
                    ProcessInfo {
                        pid: 1413,
                        command: "worker".to_owned(),
                    },
                ],
                listen: vec![ListenInfo {
                    address: "0.0.0.0:80".to_owned(),
                    kind: "stream".to_owned(),
                    fd_name: "http".to_owned(),
                    cookie: Some(77),
                }],
                fds: vec![
                    fd("conn", "socket", 4711, Some(78), "socket:[4711]"),
                    fd("state", "memfd", 12, None, "/memfd:state (deleted)"),
                ],
                log_tail: vec![LogLine {
                    time_usec: VIEW.now.monotonic - 1_500_000,
                    text: "ready\x07".to_owned(),
                }],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_several_lines_keeps_its_column() {
        let mut out = String::new();
        field(&mut out, "Drop-In", "a\nb");
        assert_eq!(out, "     Drop-In: a\n              b\n");
    }

    #[test]
    fn a_monotonic_moment_has_a_date() {
        let now = Now {
            realtime: 1000,
            monotonic: 100,
        };
        assert_eq!(now.realtime_of(90), 990);
        assert_eq!(count(1, "job"), "1 job");
        assert_eq!(count(0, "job"), "0 jobs");
    }
}
