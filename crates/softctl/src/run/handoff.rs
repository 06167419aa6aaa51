//! Verbs that replace the manager, the userspace, or end both.

use std::collections::BTreeMap;

use serde_json::json;
use softboot_control::api::{ApiError, CheckReply, Empty, NextRoot, Request, RootPin};
use softboot_control::client::ClientError;

use super::session::Session;
use crate::cli::SoftReboot;
use crate::error::Error;
use crate::exit;
use crate::text::clean;
use crate::time::span;

pub(super) fn reexec(session: &mut Session, check: bool) -> Result<u8, Error> {
    let request = Request::Reexecute { check };
    if check {
        return ask(session, "taking over by re-exec", &request);
    }
    // The connection crosses the exec: the answer is the new program's first words.
    session.call::<Empty>("re-exec", &request)?;
    Ok(exit::OK)
}

pub(super) fn soft_reboot(session: &mut Session, options: &SoftReboot) -> Result<u8, Error> {
    let (wait, check, root) = (options.wait, options.check, options.root.clone());
    let request = Request::SoftReboot { wait, check, root };
    if check {
        return ask(session, "taking over by soft-reboot", &request);
    }
    session.call::<Empty>("soft-reboot", &request)?;
    session.out.note(if wait {
        "The next userspace has booted."
    } else {
        "The soft-reboot has begun."
    });
    Ok(exit::OK)
}

/// A reboot, or a soft-reboot where a next root is mounted (semantics 7.1).
pub(super) fn reboot(session: &mut Session, force: bool) -> Result<u8, Error> {
    if !force && !full_reboot_is_wanted() && next_root_is_mounted() {
        session
            .out
            .note("A next root is mounted at /run/nextroot: this is a soft-reboot.");
        let options = SoftReboot {
            wait: false,
            check: false,
            root: None,
        };
        return soft_reboot(session, &options);
    }
    end(session, "reboot", force, &Request::Reboot { force })
}

/// The reference's way to ask for a whole reboot all the same.
fn full_reboot_is_wanted() -> bool {
    std::env::var("SYSTEMCTL_SKIP_AUTO_SOFT_REBOOT")
        .is_ok_and(|value| matches!(value.as_str(), "1" | "yes" | "y" | "true" | "t" | "on"))
}

/// A mount point only: what any program may put below /run must not keep the machine from rebooting (trap 27).
fn next_root_is_mounted() -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    // PID 1's /run counts, and a survivor of a change of the root may have another one.
    ["/proc/1/root/run/nextroot", "/run/nextroot"]
        .into_iter()
        .find_map(|path| statx(CWD, path, flags, StatxFlags::BASIC_STATS).ok())
        .is_some_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Asks the next program whether it could take over.
fn ask(session: &mut Session, doing: &str, request: &Request) -> Result<u8, Error> {
    let answer = session.call::<CheckReply>(doing, request);
    if session.out.json() {
        let reasons = match &answer {
            Err(Error::Refused { error, .. }) => match &**error {
                ApiError::HandoffRefused { reasons, .. } => Some(reasons.clone()),
                _ => None,
            },
            Ok(_) => Some(Vec::new()),
            Err(_) => None,
        };
        if let Some(reasons) = reasons {
            let mut said = json!({ "possible": answer.is_ok(), "reasons": reasons });
            if let Ok(reply) = &answer
                && let Some(said) = said.as_object_mut()
            {
                if let Some(root) = &reply.root {
                    said.insert("root".to_owned(), json!(root));
                    said.insert("pins".to_owned(), json!(reply.pins));
                }
                if matches!(request, Request::SoftReboot { .. }) {
                    said.insert("units".to_owned(), json!(reply.units));
                }
                said.insert("last".to_owned(), json!(reply.last));
            }
            session.out.print_json(&said)?;
            return Ok(if answer.is_ok() { exit::OK } else { exit::FAILURE });
        }
    }
    let (reply, width) = (answer?, session.out.width());
    session.out.print(&describe(&reply, width))?;
    Ok(exit::OK)
}

/// What a handoff that can work would do.
fn describe(reply: &CheckReply, width: usize) -> String {
    let mut text = match &reply.root {
        Some(root) => describe_root(root, &reply.pins),
        None => "softbootd on disk can take over.\n".to_owned(),
    };
    let heading = |fate: &str, starts: bool| match (fate, starts) {
        ("survives", _) => Some("Run on"),
        ("stays", _) => Some("Stay as they are"),
        ("stops", true) => Some("Stop, and start again"),
        ("stops", false) => Some("Stop"),
        ("killed", true) => Some("Are killed, as nothing stops them, and start again"),
        ("killed", false) => Some("Are killed, as nothing stops them"),
        _ => None,
    };
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for unit in &reply.units {
        if let Some(heading) = heading(&unit.fate, unit.starts) {
            groups.entry(heading).or_default().push(clean(&unit.unit));
        }
    }
    for (heading, units) in groups {
        text.push_str(&format!("{heading} ({}):\n", units.len()));
        text.push_str(&paragraph(&units, width));
    }
    if let Some(last) = &reply.last {
        let took = span(last.took_usec);
        text.push_str(&format!(
            "The last one kept clients of softbootd waiting for {took}.\n"
        ));
    }
    text
}

/// Names, as many as fit on a line.
fn paragraph(names: &[String], width: usize) -> String {
    let mut text = String::new();
    let mut column = 0;
    for name in names {
        if column > 0 && column + 1 + name.len() > width {
            text.push('\n');
            column = 0;
        }
        text.push_str(if column == 0 { "  " } else { " " });
        column += name.len() + if column == 0 { 2 } else { 1 };
        text.push_str(name);
    }
    text.push('\n');
    text
}

fn describe_root(root: &NextRoot, pins: &[RootPin]) -> String {
    let mut text = format!(
        "{} of the next root can take over.\nNext root: {} {} ({})\n",
        clean(&root.program),
        clean(&root.source),
        clean(&root.path),
        clean(&root.os)
    );
    if !pins.is_empty() {
        text.push_str("The old root stays in memory as long as survivors use it:\n");
    }
    for pin in pins {
        let whose = match pin.pid {
            Some(pid) => format!("{} ({pid})", clean(&pin.unit)),
            None => clean(&pin.unit),
        };
        text.push_str(&format!("  {whose}: {}\n", clean(&pin.what)));
    }
    text
}

/// Ends the system. The answer comes before the end begins; with `force` the end may be faster than the answer.
pub(super) fn end(session: &mut Session, what: &str, force: bool, request: &Request) -> Result<u8, Error> {
    match session.call::<Empty>(what, request) {
        Ok(Empty {}) => {}
        Err(Error::Connection(ClientError::Closed)) if force => {}
        Err(error) => return Err(error),
    }
    session.out.note(&format!("{what} has begun."));
    Ok(exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use softboot_control::api::{TakingOver, UnitFate};

    #[test]
    fn a_check_names_the_root_and_what_keeps_the_old_one() {
        assert_eq!(
            describe(&CheckReply::default(), 80),
            "softbootd on disk can take over.\n"
        );
        let pin = |pid| RootPin {
            unit: "a.service".to_owned(),
            pid,
            what: "open file /x".to_owned(),
        };
        let reply = CheckReply {
            root: Some(NextRoot {
                path: "/run/nextroot".to_owned(),
                source: "mount".to_owned(),
                os: "X 2".to_owned(),
                program: "/sbin/init".to_owned(),
            }),
            pins: vec![pin(Some(7)), pin(None)],
            ..CheckReply::default()
        };
        assert_eq!(
            describe(&reply, 80),
            "/sbin/init of the next root can take over.\nNext root: mount /run/nextroot (X 2)\n\
             The old root stays in memory as long as survivors use it:\n  a.service (7): open file /x\n  \
             a.service: open file /x\n"
        );
    }
    #[test]
    fn a_check_says_what_becomes_of_each_unit_and_how_long_the_last_one_took() {
        let unit = |unit: &str, fate: &str, starts| UnitFate {
            unit: unit.to_owned(),
            fate: fate.to_owned(),
            starts,
        };
        let reply = CheckReply {
            units: vec![
                unit("a-long-name.service", "stops", true),
                unit("b.service", "survives", false),
                unit("c.socket", "stays", false),
                unit("d-with-a-name.service", "stops", true),
                unit("e.service", "killed", false),
                unit("f.service", "of another version", false),
            ],
            last: Some(TakingOver {
                took_usec: 8_100,
                ..TakingOver::default()
            }),
            ..CheckReply::default()
        };
        assert_eq!(
            describe(&reply, 40),
            "softbootd on disk can take over.\n\
             Are killed, as nothing stops them (1):\n  e.service\n\
             Run on (1):\n  b.service\n\
             Stay as they are (1):\n  c.socket\n\
             Stop, and start again (2):\n  a-long-name.service\n  d-with-a-name.service\n\
             The last one kept clients of softbootd waiting for 8ms.\n"
        );
    }
}
