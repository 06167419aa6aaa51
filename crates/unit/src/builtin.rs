//! Units without which nothing works, for systems that have no file of theirs (semantics 5.1, 7.2).
//!
//! They are texts in the unit language, read by the same code as files. Files, masks and drop-ins take precedence.

use crate::name::UnitName;

/// Names that stand for another unit where no file says otherwise.
pub(crate) fn alias(name: &UnitName) -> Option<UnitName> {
    let target = match name.as_str() {
        "default.target" => "multi-user.target",
        "ctrl-alt-del.target" => "reboot.target",
        _ => return None,
    };
    UnitName::new(target).ok()
}

/// The text of a built-in unit.
pub(crate) fn text(name: &UnitName) -> Option<String> {
    let plain = |text: &str| Some(text.to_owned());
    match name.as_str() {
        "sysinit.target" => plain(
            "[Unit]\nDescription=System initialisation\nWants=local-fs.target swap.target\n\
             After=local-fs.target swap.target emergency.target\nConflicts=emergency.target\n",
        ),
        "basic.target" => plain(
            "[Unit]\nDescription=Basic system\nRequires=sysinit.target\n\
             Wants=sockets.target timers.target paths.target slices.target\n\
             After=sysinit.target sockets.target paths.target slices.target\n",
        ),
        "multi-user.target" => plain(
            "[Unit]\nDescription=Multi-user system\nRequires=basic.target\nAfter=basic.target\n\
             Conflicts=rescue.target\nAfter=rescue.target\nAllowIsolate=yes\n",
        ),
        "graphical.target" => plain(
            "[Unit]\nDescription=Graphical interface\nRequires=multi-user.target\nAfter=multi-user.target\n\
             Conflicts=rescue.target\nAfter=rescue.target\nAllowIsolate=yes\n",
        ),
        "rescue.target" => plain(
            "[Unit]\nDescription=Rescue mode\nRequires=sysinit.target\nAfter=sysinit.target\nAllowIsolate=yes\n",
        ),
        "emergency.target" => plain("[Unit]\nDescription=Emergency mode\nAllowIsolate=yes\n"),
        "sockets.target" => described("Sockets"),
        "timers.target" => described("Timers"),
        "paths.target" => described("Watched paths"),
        "slices.target" => described("Slices"),
        "swap.target" => described("Swaps"),
        "network.target" => described("Network"),
        "remote-fs-pre.target" => {
            plain("[Unit]\nDescription=Before remote file systems\nRefuseManualStart=yes\n")
        }
        "remote-fs.target" => plain("[Unit]\nDescription=Remote file systems\nAfter=remote-fs-pre.target\n"),
        "network-online.target" => plain("[Unit]\nDescription=Network is online\nAfter=network.target\n"),
        "local-fs-pre.target" => {
            plain("[Unit]\nDescription=Before local file systems\nRefuseManualStart=yes\n")
        }
        "local-fs.target" => plain(
            "[Unit]\nDescription=Local file systems\nDefaultDependencies=no\nConflicts=shutdown.target\n\
             After=local-fs-pre.target\n",
        ),
        "sigpwr.target" => described("Power failure"),
        "kbrequest.target" => described("Keyboard request"),
        "shutdown.target" => {
            plain("[Unit]\nDescription=Shutdown\nDefaultDependencies=no\nRefuseManualStart=yes\n")
        }
        "umount.target" => plain(
            "[Unit]\nDescription=Unmount of all file systems\nDefaultDependencies=no\nRefuseManualStart=yes\n",
        ),
        "final.target" => plain(
            "[Unit]\nDescription=Late shutdown services\nDefaultDependencies=no\nRefuseManualStart=yes\n\
             After=shutdown.target umount.target\n",
        ),
        "system.slice" => {
            plain("[Unit]\nDescription=System services\nDefaultDependencies=no\nBefore=slices.target\n")
        }
        "-.slice" => plain(
            "[Unit]\nDescription=Root slice\nDefaultDependencies=no\nRefuseManualStart=yes\nRefuseManualStop=yes\n",
        ),
        other => ends(other).or_else(|| slice(other)).or_else(|| device(other)),
    }
}

fn described(what: &str) -> Option<String> {
    Some(format!("[Unit]\nDescription={what}\n"))
}

/// Any slice exists when it is named. It has no process of its own, so nothing has to stop it; if something did, it would
/// take the survivors in it along (semantics 7.9).
fn slice(name: &str) -> Option<String> {
    name.strip_suffix(".slice").map(|stem| {
        format!(
            "[Unit]\nDescription=Slice {}\nDefaultDependencies=no\n",
            stem.replace('%', "%%")
        )
    })
}

/// Any device may appear; a job waits for it as long as the reference's DefaultDeviceTimeoutSec.
fn device(name: &str) -> Option<String> {
    name.strip_suffix(".device").map(|_| {
        format!(
            "[Unit]\nDescription={}\nJobRunningTimeoutSec=90s\n",
            name.replace('%', "%%")
        )
    })
}

/// The targets and services that end things.
fn ends(name: &str) -> Option<String> {
    const ENDS: [(&str, &str); 6] = [
        ("soft-reboot", "Soft reboot of userspace"),
        ("reboot", "Reboot"),
        ("poweroff", "Power off"),
        ("halt", "Halt"),
        ("kexec", "Reboot by kexec"),
        ("exit", "Exit"),
    ];
    let (end, what) = ENDS
        .iter()
        .find(|(end, _)| name == format!("{end}.target") || name == format!("systemd-{end}.service"))?;
    if name.ends_with(".target") {
        return Some(format!(
            "[Unit]\nDescription={what}\nDefaultDependencies=no\nRequires=systemd-{end}.service\n\
             After=systemd-{end}.service\nAllowIsolate=yes\nJobTimeoutSec=30min\nJobTimeoutAction={end}-force\n"
        ));
    }
    Some(format!(
        "[Unit]\nDescription={what}\nDefaultDependencies=no\nRequires=shutdown.target umount.target final.target\n\
         After=shutdown.target umount.target final.target\nSuccessAction={end}-force\n"
    ))
}
