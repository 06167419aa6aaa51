//! Sockets that a soft-reboot leaves open, because the next userspace would open the same.
//!
//! | who | looks at |
//! |---|---|
//! | the verifying child | the definitions of both userspaces ([`softboot_unit::stays_open`]), and that the next boot wants the socket |
//! | the manager | where its nodes are: another root has only what is below /run, and some directories go with their service |
//! | the next program | whether the nodes are still there; what lost one is opened anew |

use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use softboot_engine::{ActiveState, Engine, Event, JobKind, SavedEngine, UnitId};
use softboot_unit::{Definition, KindSection, SocketSection, UnitName, nodes, stays_open};
use tracing::warn;

use crate::owner::{self, Role};
use crate::run::Manager;
use crate::shutdown::keeps_sockets;

/// The member of the child's answer.
pub(super) const ANSWER: &str = "staysOpen";
/// A quarter of what an answer may be. What is not named is closed and opened again.
const MOST_BYTES: usize = 256 << 10;

/// Open sockets that both userspaces configure alike.
pub(super) fn same_sockets(now: &SavedEngine, next: &[Definition]) -> Vec<UnitName> {
    let next: HashMap<&UnitName, &Definition> = next.iter().map(|one| (&one.name, one)).collect();
    now.open_sockets()
        .filter(|socket| {
            next.get(&socket.name)
                .is_some_and(|next| stays_open(socket, next))
        })
        .map(|socket| socket.name.clone())
        .collect()
}

/// Those of them that the next boot, which the engine has begun, has not stopped and will not stop.
pub(super) fn wanted(engine: &Engine, mut sockets: Vec<UnitName>) -> Vec<UnitName> {
    let jobs = engine.jobs().into_iter().filter(|job| job.kind != JobKind::Start);
    let stopped: BTreeSet<UnitId> = jobs.map(|job| job.unit).collect();
    let mut bytes = 0_usize;
    sockets.retain(|name| {
        let up = |unit: &UnitId| engine.active(*unit).is_some_and(ActiveState::is_active_ish);
        let stays = engine
            .unit(name)
            .is_some_and(|unit| up(&unit) && !stopped.contains(&unit));
        bytes = bytes.saturating_add(if stays {
            name.as_str().len().saturating_add(3)
        } else {
            0
        });
        stays && bytes <= MOST_BYTES
    });
    sockets
}

impl Manager {
    /// The sockets that stay open, from the verifying child's answer.
    pub(super) fn staying(&self, plan: &Value, root_changes: bool) -> Vec<UnitName> {
        if !keeps_sockets(&self.facts.command_line) {
            return Vec::new();
        }
        let names = plan.get(ANSWER).and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str);
        let places = Places::look(&self.engine, root_changes);
        names
            .filter_map(|name| UnitName::new(name).ok())
            .filter(|name| {
                let unit = self.engine.unit(name);
                unit.and_then(|unit| self.socket_section(unit))
                    .is_some_and(|section| places.are_lasting(section))
            })
            .collect()
    }

    /// Right before the stop transaction of a soft-reboot.
    pub(super) fn keep_sockets_open(&mut self, plan: &Value) {
        let sockets = self.staying(plan, self.root_is_to_change());
        if !sockets.is_empty() {
            self.feed(Event::StayOpen { sockets });
        }
    }

    /// The soft-reboot came to nothing.
    pub(super) fn keep_no_socket_open(&mut self) {
        self.feed(Event::StayOpen { sockets: Vec::new() });
        self.accept_again();
    }

    /// When the next userspace is up, so that nobody waits for it: closes ports that have no socket unit any more, since files have changed after the child
    /// looked; and opens those again whose node somebody has removed, so that clients find them.
    pub(crate) fn look_after_ports(&mut self) {
        let orphans: Vec<_> = self
            .store
            .entries()
            .filter_map(|entry| {
                let Some((Role::Port, name)) = owner::parse(entry.owner()) else {
                    return None;
                };
                let unit = self.engine.unit(&name);
                let known = unit.is_some_and(|unit| self.socket_section(unit).is_some());
                (!known).then(|| (entry.id(), name.to_string()))
            })
            .collect();
        for (entry, name) in orphans {
            warn!("{name} is not in this root, its port is closed");
            self.drop_entry(None, entry);
        }
        let units: Vec<_> = self.engine.ids().collect();
        for unit in units {
            let lost = self
                .engine
                .definition(unit)
                .and_then(|definition| match &definition.kind {
                    KindSection::Socket(section) if definition.unit.default_dependencies => {
                        lost_node(section)
                    }
                    _ => None,
                });
            let Some(lost) = lost else { continue };
            if self.engine.is_listening(unit) {
                warn!("{lost} is gone, its port is opened anew");
                self.open_lost_ports(unit);
            }
        }
    }
}

fn lost_node(section: &SocketSection) -> Option<String> {
    let gone = |path: &&str| std::fs::symlink_metadata(path).is_err();
    nodes(section).find(gone).map(str::to_owned)
}

/// Where a node is still there in the next userspace.
struct Places {
    root_changes: bool,
    /// The file system of /run, which goes along.
    run: Option<u64>,
    /// RuntimeDirectory= of services, which goes with them.
    passing: Vec<PathBuf>,
}

impl Places {
    fn look(engine: &Engine, root_changes: bool) -> Places {
        let sections = engine
            .ids()
            .filter_map(|unit| match &engine.definition(unit)?.kind {
                KindSection::Service(section) => Some(section),
                _ => None,
            });
        let passing = sections
            .filter(|service| !service.exec.runtime_directory_preserve)
            .flat_map(|service| &service.exec.runtime_directory)
            .map(|name| Path::new("/run").join(name))
            .collect();
        Places {
            root_changes,
            run: std::fs::metadata("/run").ok().map(|run| run.dev()),
            passing,
        }
    }

    fn are_lasting(&self, section: &SocketSection) -> bool {
        nodes(section).all(|path| self.is_lasting(Path::new(path)))
    }

    fn is_lasting(&self, path: &Path) -> bool {
        let straight = path
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if !straight || self.passing.iter().any(|directory| path.starts_with(directory)) {
            return false;
        }
        if !self.root_changes {
            return true;
        }
        // Not looked at elsewhere: that may be a disk that does not answer.
        path.starts_with("/run")
            && std::fs::symlink_metadata(path).is_ok_and(|node| Some(node.dev()) == self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(root_changes: bool) -> Places {
        Places {
            root_changes,
            run: std::fs::metadata("/run").ok().map(|run| run.dev()),
            passing: vec![PathBuf::from("/run/of-service")],
        }
    }

    #[test]
    fn without_another_root_only_what_goes_with_a_service_is_lost() {
        let places = places(false);
        assert!(places.is_lasting(Path::new("/var/lib/a")) && places.is_lasting(Path::new("/run/a")));
        assert!(!places.is_lasting(Path::new("/run/of-service/a")));
        assert!(!places.is_lasting(Path::new("/run/b/../of-service/a")));
        assert!(places.is_lasting(Path::new("/run/of-services")));
    }

    #[test]
    fn another_root_has_what_is_in_run_itself() {
        let places = places(true);
        assert!(!places.is_lasting(Path::new("/var/lib/a")));
        assert!(!places.is_lasting(Path::new("/run/there-is-no-such-node")));
        assert!(places.is_lasting(Path::new("/run")));
    }
}
