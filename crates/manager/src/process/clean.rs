//! Removing the directories that a service leaves behind (semantics 8.2): what to remove, and the process that does it.

mod tree;

use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2, readlinkat, unlinkat};
use rustix::io::Errno;
use softboot_engine::{ExecList, Spawn};
use softboot_sys::spawn::{SpawnPlan, spawn};
use softboot_unit::{Cleanable, ServiceSection, UnitName};

use super::directories;
use super::refused::{Refused, code, refused};
use crate::handoff::command_line;
use crate::run::Manager;

/// The mode of the own program that removes.
pub(crate) const CLEAN: &str = "--clean";
/// Words for each thing to remove.
const WORDS: usize = 4;

/// One thing to remove.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    /// The root directory that it is in; links on the way to its place do not lead out of it.
    root: String,
    /// Its place there, such as /var/lib.
    base: &'static str,
    /// Its path below that. No link on the way is followed: the service may have made it.
    name: String,
    /// For a link beside a directory: what it must say to be removed.
    target: Option<String>,
}

fn items(service: &ServiceSection, what: &[Cleanable]) -> Vec<Item> {
    let exec = &service.exec;
    let own = exec.root_directory.clone().filter(|root| root != "/");
    let mut roots = vec![own.clone().unwrap_or_else(|| "/".to_owned())];
    if own.is_some() && service.root_directory_start_only {
        roots.push("/".to_owned());
    }
    let mut list = Vec::new();
    for root in &roots {
        let mut add = |base: &'static str, name: &str, target: Option<String>| {
            list.push(Item {
                root: root.clone(),
                base,
                name: name.to_owned(),
                target,
            });
        };
        for kind in what {
            let place = match kind {
                Cleanable::Runtime => {
                    for (link, name) in &exec.runtime_directory_links {
                        add("/run", link, Some(format!("/run/{name}")));
                    }
                    for name in &exec.runtime_directory {
                        add("/run", name, None);
                    }
                    continue;
                }
                Cleanable::State => 0,
                Cleanable::Cache => 1,
                Cleanable::Logs => 2,
                Cleanable::Configuration => 3,
                // The store is the manager's own.
                Cleanable::Fdstore => continue,
            };
            let (Some((_, base, _)), Some(of_kind)) = (
                directories::KINDS.get(place).copied(),
                directories::of(exec).get(place).copied(),
            ) else {
                continue;
            };
            for entry in &of_kind.entries {
                if let Some(link) = &entry.symlink {
                    add(base, link, Some(format!("{base}/{}", entry.name)));
                }
                add(base, &entry.name, None);
            }
        }
    }
    list
}

impl Manager {
    /// Starts the process that removes, in the unit's cgroup and with its log.
    pub(super) fn spawn_cleaner(
        &mut self,
        wish: &Spawn,
        name: &UnitName,
        service: &ServiceSection,
        survives: bool,
    ) -> Result<(), Refused> {
        let cgroup = self.service_cgroup(name, service, ExecList::Clean, survives)?;
        let log = self.log_pipe(wish.unit, name).map_err(refused(209))?;
        let list = items(service, &wish.clean);
        let mut words = vec![CLEAN];
        for item in &list {
            let target = item.target.as_deref().unwrap_or_default();
            words.extend([item.root.as_str(), item.base, item.name.as_str(), target]);
        }
        let own = crate::root::open_own_program().map_err(refused(code::EXEC))?;
        let (argv, env) = command_line(&words).map_err(refused(code::EXEC))?;
        let null = std::fs::File::options().read(true).open("/dev/null");
        let null = null.map_err(|error| Refused {
            error: format!("/dev/null: {error}"),
            code: code::EXEC,
        })?;
        let mut plan = SpawnPlan::new(
            c"".to_owned(),
            argv,
            env,
            [null.as_fd(), log.as_fd(), log.as_fd()],
        );
        plan.exec_fd = Some(own.as_fd());
        plan.cgroup = Some(cgroup.as_fd());
        let spawned = spawn(&plan).map_err(|error| Refused {
            error: error.to_string(),
            code: code::EXEC,
        })?;
        drop(plan);
        self.adopt_spawned(wish, name.clone(), spawned)
    }
}

/// The process. What it says is in the unit's log.
pub(crate) fn clean_main() -> ExitCode {
    let words: Vec<String> = std::env::args()
        .skip_while(|word| word != CLEAN)
        .skip(1)
        .collect();
    let mut code = ExitCode::SUCCESS;
    for item in words.chunks(WORDS) {
        let [root, base, name, target] = item else {
            return ExitCode::from(2);
        };
        let target = Some(target.as_str()).filter(|target| !target.is_empty());
        if let Err(error) = remove(root, base, name, target) {
            // Nobody is left to tell when this fails too.
            let _ = writeln!(std::io::stderr(), "{base}/{name} cannot be removed: {error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// What is gone already is no error.
fn remove(root: &str, base: &str, name: &str, target: Option<&str>) -> Result<(), String> {
    match remove_below(root, base, name, target) {
        Ok(()) => Ok(()),
        Err(tree::Failure {
            errno: Errno::NOENT, ..
        }) => Ok(()),
        Err(failure) => Err(failure.to_string()),
    }
}

fn remove_below(root: &str, base: &str, name: &str, target: Option<&str>) -> Result<(), tree::Failure> {
    let place = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, place, Mode::empty())?;
    let base = openat2(&root, base, place, Mode::empty(), ResolveFlags::IN_ROOT)?;
    let (parent, last) = match name.rsplit_once('/') {
        None => (base, name),
        Some((parent, last)) => (inside(&base, parent)?, last),
    };
    if let Some(target) = target {
        let said = match readlinkat(&parent, last, Vec::new()) {
            // It is no link, so it is not ours.
            Err(Errno::INVAL) => return Ok(()),
            other => other?,
        };
        if said.as_bytes() == target.as_bytes() {
            unlinkat(&parent, last, rustix::fs::AtFlags::empty())?;
        }
        return Ok(());
    }
    tree::remove(&parent, last)
}

fn inside(base: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let place = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(base, path, place, Mode::empty(), resolve)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use softboot_unit::ExecDirectory;

    use super::*;

    #[test]
    fn what_is_removed_is_what_was_made() {
        let mut service = ServiceSection::default();
        service.exec.state_directory.entries.push(ExecDirectory {
            name: "a/b".to_owned(),
            symlink: Some("c".to_owned()),
            read_only: false,
        });
        service.exec.runtime_directory.push("a".to_owned());
        let of = |service: &ServiceSection, what: &[Cleanable]| -> Vec<String> {
            let text = |item: Item| {
                let target = item
                    .target
                    .map(|target| format!(" -> {target}"))
                    .unwrap_or_default();
                format!("{}:{}/{}{target}", item.root, item.base, item.name)
            };
            items(service, what).into_iter().map(text).collect()
        };
        assert_eq!(
            of(&service, &Cleanable::ALL),
            ["/:/run/a", "/:/var/lib/c -> /var/lib/a/b", "/:/var/lib/a/b"]
        );
        assert!(of(&service, &[Cleanable::Logs, Cleanable::Fdstore]).is_empty());
        service.exec.root_directory = Some("/srv/root".to_owned());
        assert_eq!(of(&service, &[Cleanable::Runtime]), ["/srv/root:/run/a"]);
        service.root_directory_start_only = true;
        assert_eq!(
            of(&service, &[Cleanable::Runtime]),
            ["/srv/root:/run/a", "/:/run/a"]
        );
    }

    #[test]
    fn no_link_leads_out_of_the_place() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for directory in ["var/lib/a/deep", "outside/deep", "real"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        fs::write(at("outside/deep/file"), "").unwrap();
        symlink(at("outside"), at("var/lib/a/link")).unwrap();
        symlink(at("outside"), at("var/lib/evil")).unwrap();
        symlink("/real", at("var/cache")).unwrap();
        let root_text = root.path().to_str().unwrap();
        let remove = |base: &str, name: &str, target| remove(root_text, base, name, target);
        // A directory on the way that is a link by now is an error, not a way.
        assert!(remove("/var/lib", "evil/deep", None).is_err());
        assert_eq!(remove("/var/lib", "a", None), Ok(()));
        assert!(!at("var/lib/a").exists() && at("outside/deep/file").exists());
        assert_eq!(remove("/var/lib", "a", None), Ok(()), "gone already");
        assert_eq!(remove("/var/lib", "evil", None), Ok(()), "the link itself goes");
        assert!(at("outside/deep/file").exists());
        fs::write(at("real/kept"), "").unwrap();
        // Links of an administrator lead where they would in that root.
        assert_eq!(remove("/var/cache", "kept", None), Ok(()));
        assert!(!at("real/kept").exists());
        symlink("/run/other", at("var/lib/x")).unwrap();
        assert_eq!(remove("/var/lib", "x", Some("/run/mine")), Ok(()));
        assert!(at("var/lib/x").is_symlink(), "a link to something else stays");
        assert_eq!(remove("/var/lib", "x", Some("/run/other")), Ok(()));
        assert!(!at("var/lib/x").is_symlink());
    }
}
