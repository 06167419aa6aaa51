//! What a unit's processes see through a mount table of their own: in another root the directories, credentials and the
//! socket that the unit has outside, at the same paths (systemd.exec(5), "Paths" and "Sandboxing"); and directories with
//! `:ro`, which they may not write to.
//!
//! Everything is made outside first, as for a unit without a root of its own. The child puts it in place.

use std::path::Path;

use softboot_sys::spawn::{Appearance, Need, Preparation, Step, Task};
use softboot_unit::{ExecContext, UnitName};

use super::refused::{Refused, c_string, path_text};
use super::{credentials, directories};

#[derive(Default)]
pub(super) struct View {
    pub(super) appearances: Vec<Appearance>,
    /// Links to the directories, in the new root.
    pub(super) inside: Vec<Preparation>,
}

/// Nothing at all for most units: their processes have PID 1's mount table.
pub(super) fn of(
    unit: &UnitName,
    exec: &ExecContext,
    other_root: bool,
    notify_socket: Option<&Path>,
) -> Result<View, Refused> {
    let mut view = View::default();
    for name in &exec.runtime_directory {
        let read_only = exec.runtime_directory_read_only.contains(name);
        if other_root || read_only {
            view.appearances.push(directory("/run", name, read_only)?);
        }
    }
    if other_root {
        for (link, name) in &exec.runtime_directory_links {
            view.inside
                .push(self::link(Step::Appearance, "/run", link, name)?);
        }
    }
    for ((_, base, step), kind) in directories::KINDS.into_iter().zip(directories::of(exec)) {
        for entry in &kind.entries {
            if other_root || entry.read_only {
                view.appearances
                    .push(directory(base, &entry.name, entry.read_only)?);
            }
            if let (true, Some(link)) = (other_root, &entry.symlink) {
                view.inside.push(self::link(step, base, link, &entry.name)?);
            }
        }
    }
    if !other_root {
        return Ok(view);
    }
    if credentials::any(exec) {
        let place = path_text(&credentials::directory(unit))?;
        view.appearances.push(Appearance {
            read_only: true,
            data_only: true,
            // What stops a unit whose start failed early has none.
            need: Need::IfThere,
            ..directory("/", place.trim_start_matches('/'), true)?
        });
    }
    if let Some(socket) = notify_socket {
        let place = path_text(socket)?;
        view.appearances.push(Appearance {
            // A root that has no place for it may have no use for it.
            need: Need::IfPossible,
            ..directory("/", place.trim_start_matches('/'), false)?
        });
    }
    Ok(view)
}

fn directory(base: &str, name: &str, read_only: bool) -> Result<Appearance, Refused> {
    let names = |path: &str| {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts
            .map(|part| c_string(part.to_owned()))
            .collect::<Result<Vec<_>, _>>()
    };
    let mut target = names(base)?;
    target.extend(names(name)?);
    Ok(Appearance {
        step: Step::Appearance,
        base: c_string(base.to_owned())?,
        parts: names(name)?,
        target,
        read_only,
        data_only: false,
        need: Need::Must,
    })
}

fn link(step: Step, base: &str, link: &str, name: &str) -> Result<Preparation, Refused> {
    Ok(Preparation {
        step,
        task: Task::Link {
            target: c_string(format!("{base}/{name}"))?,
            path: c_string(format!("{base}/{link}"))?,
        },
    })
}

#[cfg(test)]
mod tests {
    use softboot_unit::{Credential, CredentialSource, ExecDirectories, ExecDirectory};

    use super::*;

    fn exec() -> ExecContext {
        let entry = |name: &str, symlink: Option<&str>, read_only| ExecDirectory {
            name: name.to_owned(),
            symlink: symlink.map(str::to_owned),
            read_only,
        };
        ExecContext {
            runtime_directory: vec!["a/b".to_owned(), "c".to_owned()],
            runtime_directory_links: vec![("d".to_owned(), "c".to_owned())],
            runtime_directory_read_only: vec!["c".to_owned()],
            state_directory: ExecDirectories {
                entries: vec![entry("s", Some("t"), false), entry("u", None, true)],
                ..ExecDirectories::default()
            },
            set_credentials: vec![Credential {
                id: "x".to_owned(),
                source: CredentialSource::Text("x".to_owned()),
            }],
            ..ExecContext::default()
        }
    }

    /// Where each thing is and appears, with `=` if it can be written to.
    fn shown(exec: &ExecContext, other_root: bool) -> (Vec<String>, usize) {
        let unit = UnitName::new("a.service").unwrap();
        let view = of(&unit, exec, other_root, Some(Path::new("/run/systemd/notify"))).unwrap();
        let text = |names: &[std::ffi::CString]| {
            let names: Vec<_> = names.iter().map(|name| name.to_str().unwrap()).collect();
            names.join("/")
        };
        let one = |shown: &Appearance| {
            let base = shown.base.to_str().unwrap();
            let source = format!("{}/{}", base.trim_end_matches('/'), text(&shown.parts));
            assert_eq!(source, format!("/{}", text(&shown.target)), "it is where it was");
            format!("{source}{}", if shown.read_only { "" } else { "=" })
        };
        (view.appearances.iter().map(one).collect(), view.inside.len())
    }

    #[test]
    fn another_root_shows_all_that_the_unit_has_outside() {
        let all = [
            "/run/a/b=",
            "/run/c",
            "/var/lib/s=",
            "/var/lib/u",
            "/run/credentials/a.service",
            "/run/systemd/notify=",
        ];
        assert_eq!(shown(&exec(), true), (all.map(str::to_owned).to_vec(), 2));
    }

    #[test]
    fn without_one_only_what_is_read_only_needs_a_mount() {
        let some = ["/run/c", "/var/lib/u"].map(str::to_owned).to_vec();
        assert_eq!(shown(&exec(), false), (some, 0));
        assert_eq!(shown(&ExecContext::default(), false), (Vec::new(), 0));
    }
}
