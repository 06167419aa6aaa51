//! Verbs that replace the manager, the userspace, or end both.

use serde_json::json;
use softboot_control::api::{ApiError, CheckReply, Empty, Request};
use softboot_control::client::ClientError;

use super::session::Session;
use crate::cli::SoftReboot;
use crate::error::Error;
use crate::exit;
use crate::text::clean;

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
            if let Ok(CheckReply {
                root: Some(root),
                pins,
            }) = &answer
                && let Some(said) = said.as_object_mut()
            {
                said.insert("root".to_owned(), json!(root));
                said.insert("pins".to_owned(), json!(pins));
            }
            session.out.print_json(&said)?;
            return Ok(if answer.is_ok() { exit::OK } else { exit::FAILURE });
        }
    }
    session.out.print(&describe(&answer?))?;
    Ok(exit::OK)
}

/// What a handoff that can work would do with the root.
fn describe(reply: &CheckReply) -> String {
    let Some(root) = &reply.root else {
        return "softbootd on disk can take over.\n".to_owned();
    };
    let mut text = format!(
        "{} of the next root can take over.\nNext root: {} {} ({})\n",
        clean(&root.program),
        clean(&root.source),
        clean(&root.path),
        clean(&root.os)
    );
    if !reply.pins.is_empty() {
        text.push_str("The old root stays in memory as long as survivors use it:\n");
    }
    for pin in &reply.pins {
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
    use softboot_control::api::{NextRoot, RootPin};

    #[test]
    fn a_check_names_the_root_and_what_keeps_the_old_one() {
        assert_eq!(
            describe(&CheckReply::default()),
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
        };
        assert_eq!(
            describe(&reply),
            "/sbin/init of the next root can take over.\nNext root: mount /run/nextroot (X 2)\n\
             The old root stays in memory as long as survivors use it:\n  a.service (7): open file /x\n  \
             a.service: open file /x\n"
        );
    }
}
