//! `status UNIT`.

use softboot_control::api::{ListenInfo, ProcessInfo, UnitDetail, UnitInfo, UnitReply};

use super::{LABEL, View, field, lists, logs, problems};
use crate::paint::{Tone, dot, tone_of_active, tone_of_load};
use crate::text::{Cut, clean, truncate};
use crate::time::{ago, timestamp};

/// What the unit's files say by now, where it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Files {
    /// Whether it is enabled; empty for a unit without a file.
    pub(crate) state: &'static str,
    /// They have changed since softbootd has read them.
    pub(crate) changed: bool,
}

/// Everything about a unit.
pub(crate) fn status(reply: &UnitReply, files: Files, view: View) -> String {
    let UnitReply { unit, detail } = reply;
    let mut out = head(unit, view);
    field(&mut out, "Loaded", &loaded(unit, detail, files, view));
    if !detail.drop_ins.is_empty() {
        field(&mut out, "Drop-In", &lines(&detail.drop_ins));
    }
    field(&mut out, "Active", &active(unit, view));
    if let Some(job) = &unit.job {
        field(&mut out, "Job", &format!("{} ({})", clean(&job.kind), job.id));
    }
    for (label, units) in [("Triggered by", &unit.triggered_by), ("Triggers", &unit.triggers)] {
        if !units.is_empty() {
            field(&mut out, label, &lines(units));
        }
    }
    process(&mut out, unit);
    if unit.survives {
        field(&mut out, "Soft-reboot", "survives, its processes keep running");
    }
    sockets(&mut out, unit, detail);
    store(&mut out, unit, detail, view);
    let tree = tree(&detail.processes, view);
    match &detail.cgroup {
        Some(cgroup) => field(&mut out, "CGroup", &format!("{}\n{tree}", clean(cgroup))),
        None if !tree.is_empty() => field(&mut out, "Processes", &tree),
        None => {}
    }
    problems(&mut out, &detail.diagnostics, view.paint);
    if !detail.log_tail.is_empty() {
        let lines = logs::lines(&detail.log_tail, view.now);
        out.push('\n');
        for line in lines.lines() {
            let line = view
                .width
                .map_or_else(|| line.to_owned(), |width| truncate(line, width, Cut::End));
            out.push_str(&format!("{line}\n"));
        }
    }
    if files.changed {
        let note = format!("\n{}\n", files_have_changed(&clean(&unit.name)));
        out.push_str(&view.paint.tone(Tone::Notice, &note));
    }
    out
}

/// For people who edit a file and forget that softbootd does not look at it by itself.
pub(crate) fn files_have_changed(unit: &str) -> String {
    format!(
        "The files of {unit} have changed since they were read; `softctl daemon-reload` reads them again."
    )
}

fn head(unit: &UnitInfo, view: View) -> String {
    let dot = view.paint.tone(tone_of_active(&unit.active), dot(&unit.active));
    let name = view.paint.tone(Tone::Bold, &clean(&unit.name));
    let description = clean(&unit.description);
    if description.is_empty() || description == unit.name {
        format!("{dot} {name}\n")
    } else {
        format!("{dot} {name} - {description}\n")
    }
}

fn loaded(unit: &UnitInfo, detail: &UnitDetail, files: Files, view: View) -> String {
    let load = view.paint.tone(tone_of_load(&unit.load), &clean(&unit.load));
    match &detail.fragment {
        Some(file) if files.state.is_empty() => format!("{load} ({})", clean(file)),
        Some(file) => format!("{load} ({}; {})", clean(file), files.state),
        None => load,
    }
}

/// `active (running) since …; 5min ago`, with the result where it is not the usual one.
fn active(unit: &UnitInfo, view: View) -> String {
    let result = match unit.result.as_deref() {
        None | Some("" | "success") => String::new(),
        Some(result) => format!(", result: {}", clean(result)),
    };
    let state = format!("{} ({}{result})", clean(&unit.active), clean(&unit.sub));
    let state = view.paint.tone(tone_of_active(&unit.active), &state);
    if unit.changed_realtime_usec == 0 {
        return state;
    }
    let changed = unit.changed_realtime_usec;
    format!(
        "{state} since {}; {}",
        timestamp(changed),
        ago(changed, view.now.realtime)
    )
}

fn process(out: &mut String, unit: &UnitInfo) {
    match (unit.main_pid, &unit.main_status) {
        (Some(pid), _) => field(out, "Main PID", &pid.to_string()),
        (None, Some(status)) => field(out, "Main process", &clean(status)),
        (None, None) => {}
    }
    if let Some(pid) = unit.control_pid {
        field(out, "Control PID", &pid.to_string());
    }
    if unit.restarts > 0 {
        field(out, "Restarts", &unit.restarts.to_string());
    }
    if let Some(text) = unit.status_text.as_deref().filter(|text| !text.is_empty()) {
        field(out, "Status", &format!("\"{}\"", clean(text)));
    }
}

fn sockets(out: &mut String, unit: &UnitInfo, detail: &UnitDetail) {
    if !detail.listen.is_empty() {
        field(
            out,
            "Listen",
            &detail.listen.iter().map(port).collect::<Vec<_>>().join("\n"),
        );
    }
    if unit.accepted > 0 || unit.refused > 0 || unit.connections > 0 {
        let counts = format!(
            "{} accepted, {} open, {} refused",
            unit.accepted, unit.connections, unit.refused
        );
        field(out, "Connections", &counts);
    }
}

fn port(port: &ListenInfo) -> String {
    let cookie = port
        .cookie
        .map_or_else(String::new, |cookie| format!(", cookie {cookie}"));
    format!(
        "{} ({}, fd name \"{}\"{cookie})",
        clean(&port.address),
        clean(&port.kind),
        clean(&port.fd_name)
    )
}

fn store(out: &mut String, unit: &UnitInfo, detail: &UnitDetail, view: View) {
    if detail.fds.is_empty() {
        if unit.stored_fds > 0 {
            field(out, "FD store", &unit.stored_fds.to_string());
        }
        return;
    }
    let table = lists::fds(
        &detail.fds,
        View {
            width: value_width(view),
            ..view
        },
    );
    field(out, "FD store", &format!("{}\n{table}", detail.fds.len()));
}

/// Processes in the manager's order, cut to the line.
fn tree(processes: &[ProcessInfo], view: View) -> String {
    let digits = processes
        .iter()
        .map(|process| process.pid.to_string().len())
        .max()
        .unwrap_or(0);
    let last = processes.len().saturating_sub(1);
    let mut text = String::new();
    for (position, process) in processes.iter().enumerate() {
        let branch = if position == last { "└─" } else { "├─" };
        let line = format!("{branch}{:>digits$} {}", process.pid, clean(&process.command));
        let line = value_width(view).map_or_else(|| line.clone(), |width| truncate(&line, width, Cut::End));
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn value_width(view: View) -> Option<usize> {
    view.width.map(|width| width.saturating_sub(LABEL + 2))
}

fn lines(texts: &[String]) -> String {
    texts
        .iter()
        .map(|text| clean(text))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{VIEW, survivor, unit};
    use super::*;
    use crate::paint::Paint;

    const GOLDEN: &str = "\
● survivor.service - The survivor.service
      Loaded: loaded (/etc/systemd/system/survivor.service)
     Drop-In: /etc/systemd/system/survivor.service.d/a.conf
      Active: active (running) since 2026-11-23 02:05:40 UTC; 5min 12s ago
Triggered by: survivor.socket
    Main PID: 412
    Restarts: 1
      Status: \"Serving 3 clients\\x1b[2J\"
 Soft-reboot: survives, its processes keep running
      Listen: 0.0.0.0:80 (stream, fd name \"http\", cookie 77)
    FD store: 2
              NAME   KIND    INODE  COOKIE  PATH
              conn   socket  4711   78      socket:[4711]
              state  memfd   12     -       /memfd:state (deleted)
      CGroup: /system.slice/survivor.service
              ├─ 412 /usr/bin/survivor --serve
              └─1413 worker

Problems:
  /etc/systemd/system/survivor.service:7: unknown setting \"Typ\"

2026-11-23 02:10:50.500 ready\\x07
";

    #[test]
    fn everything_about_a_unit() {
        assert_eq!(status(&survivor(), Files::default(), VIEW), GOLDEN);
    }

    #[test]
    fn files_say_whether_they_are_enabled_and_have_changed() {
        let files = Files {
            state: "enabled",
            changed: true,
        };
        let text = status(&survivor(), files, VIEW);
        assert!(text.contains("Loaded: loaded (/etc/systemd/system/survivor.service; enabled)\n"));
        assert!(
            text.ends_with("`softctl daemon-reload` reads them again.\n"),
            "{text}"
        );
    }

    #[test]
    fn a_long_line_of_the_log_is_cut_to_the_terminal_only() {
        let mut reply = survivor();
        reply.detail.log_tail[0].text = "x".repeat(500);
        let last = |view| {
            let text = status(&reply, Files::default(), view);
            text.lines().last().unwrap_or_default().chars().count()
        };
        assert_eq!(last(VIEW), 80);
        assert!(last(View { width: None, ..VIEW }) > 500);
    }

    #[test]
    fn a_failed_unit_says_why() {
        let mut reply = UnitReply {
            unit: unit("a.service", "failed", "failed"),
            ..UnitReply::default()
        };
        reply.unit.result = Some("exit-code".to_owned());
        reply.unit.main_status = Some("exited 3".to_owned());
        assert_eq!(
            status(&reply, Files::default(), VIEW),
            "× a.service - The a.service\n\
             \x20     Loaded: loaded\n\
             \x20     Active: failed (failed, result: exit-code) since 2026-11-23 02:05:40 UTC; 5min 12s ago\n\
             Main process: exited 3\n"
        );
    }

    #[test]
    fn nothing_from_the_manager_reaches_the_terminal_raw() {
        let evil = "\x1b]0;x\x07\u{9b}m\u{202e}".to_owned();
        let mut reply = survivor();
        reply.unit.description = evil.clone();
        reply.unit.sub = evil.clone();
        reply.unit.result = Some(evil.clone());
        reply.unit.triggers = vec![evil.clone()];
        reply.detail.cgroup = Some(evil.clone());
        reply.detail.fragment = Some(evil.clone());
        reply.detail.diagnostics = vec![evil.clone()];
        reply.detail.processes = vec![ProcessInfo {
            pid: 1,
            command: evil.clone(),
        }];
        reply.detail.listen = vec![ListenInfo {
            address: evil.clone(),
            ..ListenInfo::default()
        }];
        if let Some(fd) = reply.detail.fds.first_mut() {
            fd.path = evil.clone();
        }
        let text = status(&reply, Files::default(), VIEW);
        assert!(
            !text
                .chars()
                .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{text:?}"
        );
    }

    #[test]
    fn colours_change_no_text() {
        let paint = Paint::choose(true, None, None);
        let mut plain = status(&survivor(), Files::default(), View { paint, ..VIEW });
        assert!(plain.contains("\x1b[1;32m●\x1b[0m"));
        while let Some((before, after)) = plain.split_once('\x1b') {
            plain = format!("{before}{}", after.split_once('m').unwrap().1);
        }
        assert_eq!(plain, GOLDEN);
    }
}
