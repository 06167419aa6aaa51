//! Dependencies that nobody writes (semantics 1.6, 4.11, 5.6).

use std::collections::{BTreeSet, HashSet};

use crate::escape::escape_path;
use crate::model::{
    Address, Dependency, DependencyKind as D, ExecContext, KindSection, MountSection, Origin, PortKind,
    UnitSection,
};
use crate::name::{UnitKind, UnitName};

/// Adds them to what the files say.
pub(crate) fn add(
    name: &UnitName,
    kind: &KindSection,
    default_dependencies: bool,
    dependencies: &mut Vec<Dependency>,
) {
    let mut adder = Adder {
        own: name,
        known: dependencies.iter().map(|d| (d.kind, d.on.clone())).collect(),
        dependencies,
    };
    match kind {
        KindSection::Service(service) => {
            adder.implicit(&[D::Requires, D::After], &service.slice);
            for socket in &service.sockets {
                adder.implicit(&[D::Wants, D::After], socket);
            }
        }
        KindSection::Socket(socket) => {
            adder.implicit(&[D::Requires, D::After], &socket.slice);
            let device = socket
                .options
                .bind_to_device
                .as_deref()
                .filter(|name| *name != "lo");
            if let Some(device) = device.and_then(|name| {
                let path = format!("/sys/subsystem/net/devices/{name}");
                UnitName::new(&format!("{}.device", escape_path(&path))).ok()
            }) {
                adder.implicit(&[D::BindsTo, D::After], &device);
            }
            if !socket.accept {
                adder.implicit(&[D::Before, D::Triggers], &socket.service);
            }
        }
        KindSection::Slice => {
            if let Some(parent) = parent_slice(name) {
                adder.implicit(&[D::Requires, D::After], &parent);
            }
        }
        KindSection::Mount(mount) => {
            adder.implicit(&[D::Requires, D::After], &mount.slice);
            if let Some(device) = mount
                .device()
                .and_then(|node| UnitName::new(&format!("{}.device", escape_path(&node))).ok())
            {
                let bound = mount.has_option("x-systemd.device-bound");
                adder.implicit(&[if bound { D::BindsTo } else { D::Requires }, D::After], &device);
            }
        }
        KindSection::Target | KindSection::Device | KindSection::Other => {}
    }
    if exec_of(kind).is_some_and(|exec| exec.stdout.is_log() || exec.stderr.is_log())
        && let Ok(journal) = UnitName::new("systemd-journald.socket")
    {
        adder.implicit(&[D::After], &journal);
    }
    if !default_dependencies {
        return;
    }
    match name.kind() {
        UnitKind::Service => {
            adder.default(&[D::Requires, D::After], "sysinit.target");
            adder.default(&[D::After], "basic.target");
            if let KindSection::Service(service) = kind
                && service.bus_name.is_some()
            {
                adder.default(&[D::Requires, D::After], "dbus.socket");
            }
        }
        UnitKind::Socket => {
            adder.default(&[D::Before], "sockets.target");
            adder.default(&[D::Requires, D::After], "sysinit.target");
        }
        UnitKind::Timer => {
            adder.default(&[D::Before], "timers.target");
            adder.default(&[D::Requires, D::After], "sysinit.target");
        }
        UnitKind::Path => {
            adder.default(&[D::Before], "paths.target");
            adder.default(&[D::Requires, D::After], "sysinit.target");
        }
        UnitKind::Mount => {
            if let KindSection::Mount(mount) = kind {
                mount_defaults(&mut adder, mount);
            }
        }
        UnitKind::Swap => adder.default(&[D::Before, D::Conflicts], "umount.target"),
        _ => {}
    }
    let shut_down = matches!(
        name.kind(),
        UnitKind::Service
            | UnitKind::Socket
            | UnitKind::Target
            | UnitKind::Timer
            | UnitKind::Path
            | UnitKind::Slice
            | UnitKind::Scope
    );
    if shut_down {
        adder.default(&[D::Before, D::Conflicts], "shutdown.target");
    }
}

/// What the commands of a unit run in.
fn exec_of(kind: &KindSection) -> Option<&ExecContext> {
    match kind {
        KindSection::Service(service) => Some(&service.exec),
        KindSection::Socket(socket) => Some(&socket.exec),
        KindSection::Mount(mount) => Some(&mount.exec),
        _ => None,
    }
}

/// Semantics 5.6, the row of mounts.
fn mount_defaults(adder: &mut Adder<'_>, mount: &MountSection) {
    if mount.is_extrinsic() {
        return;
    }
    let target = if mount.is_network() {
        adder.default(&[D::After], "remote-fs-pre.target");
        adder.default(&[D::After], "network.target");
        adder.default(&[D::Wants, D::After], "network-online.target");
        "remote-fs.target"
    } else {
        adder.default(&[D::After], "local-fs-pre.target");
        "local-fs.target"
    };
    if !mount.has_option("nofail") {
        adder.default(&[D::Before], target);
    }
    adder.default(&[D::Before, D::Conflicts], "umount.target");
    if mount.fs_type == "tmpfs" {
        adder.default(&[D::After], "swap.target");
    }
}

/// Paths that must be there for the unit, and how much it depends on their mounts (semantics 1.6, 5.6).
pub(crate) fn mounts_for(unit: &UnitSection, kind: &KindSection) -> Vec<(D, String)> {
    let mut paths: Vec<(D, String)> = Vec::new();
    let mut requires = |path: String| paths.push((D::Requires, path));
    unit.requires_mounts_for.iter().cloned().for_each(&mut requires);
    match kind {
        KindSection::Service(service) => exec_paths(&service.exec, &mut requires),
        KindSection::Socket(socket) => {
            exec_paths(&socket.exec, &mut requires);
            for port in &socket.ports {
                match (&port.address, port.kind) {
                    (Address::Path(_), PortKind::MessageQueue) => {}
                    (Address::Path(path), _) => requires(path.clone()),
                    _ => {}
                }
            }
        }
        KindSection::Mount(mount) => {
            // Its own path is its own; what is above it comes first.
            if let Some((above, _)) = mount.where_.rsplit_once('/').filter(|_| mount.where_ != "/") {
                requires(if above.is_empty() { "/" } else { above }.to_owned());
            }
            if mount.is_bind() && mount.what.starts_with('/') {
                requires(mount.what.clone());
            }
        }
        _ => {}
    }
    paths.extend(unit.wants_mounts_for.iter().map(|path| (D::Wants, path.clone())));
    let mut seen = BTreeSet::new();
    paths.retain(|(kind, path)| seen.insert((*kind, path.clone())));
    paths
}

fn exec_paths(exec: &ExecContext, requires: &mut impl FnMut(String)) {
    let working = exec
        .working_directory
        .as_ref()
        .filter(|path| path.starts_with('/') && !exec.working_directory_optional);
    working
        .into_iter()
        .chain(&exec.root_directory)
        .cloned()
        .for_each(&mut *requires);
    for (below, directories) in [
        ("/var/lib", &exec.state_directory),
        ("/var/cache", &exec.cache_directory),
        ("/var/log", &exec.logs_directory),
        ("/etc", &exec.configuration_directory),
    ] {
        for entry in &directories.entries {
            requires(format!("{below}/{}", entry.name));
        }
    }
    for name in &exec.runtime_directory {
        requires(format!("/run/{name}"));
    }
}

/// The mount units of a path and of every directory above it, the root first.
pub(crate) fn mounts_above(path: &str) -> Vec<UnitName> {
    let mut names = Vec::new();
    let mut add = |path: &str| names.extend(UnitName::new(&format!("{}.mount", escape_path(path))));
    add("/");
    for (at, _) in path.match_indices('/').skip(1) {
        if at > MAX_MOUNT_PATH {
            return names;
        }
        add(path.get(..at).unwrap_or("/"));
    }
    if path != "/" && path.len() <= MAX_MOUNT_PATH {
        add(path);
    }
    names
}

/// A longer path does not fit into a unit's name, so there is no mount unit for it.
const MAX_MOUNT_PATH: usize = 255;

/// `a.slice` of `a-b.slice`, `-.slice` of `a.slice`.
fn parent_slice(name: &UnitName) -> Option<UnitName> {
    match name.stem() {
        "-" => None,
        stem => {
            let parent = stem.rsplit_once('-').map_or("-", |(parent, _)| parent);
            UnitName::new(&format!("{parent}.slice")).ok()
        }
    }
}

/// A target comes after what it wants, if both follow the default rules and nothing else was said. Needs the other
/// unit, so it is done when all are loaded.
pub(crate) fn order_target(
    target: &UnitName,
    dependencies: &[Dependency],
    follows_defaults: impl Fn(&UnitName) -> bool,
    is_before: impl Fn(&UnitName) -> bool,
) -> Vec<Dependency> {
    let pulled = |kind| {
        matches!(
            kind,
            D::Wants | D::Requires | D::Requisite | D::BindsTo | D::Upholds | D::PartOf
        )
    };
    let mut ordered: HashSet<&UnitName> = dependencies
        .iter()
        .filter(|d| matches!(d.kind, D::Before | D::After))
        .map(|d| &d.on)
        .collect();
    let mut added: Vec<Dependency> = Vec::new();
    for dependency in dependencies.iter().filter(|dependency| pulled(dependency.kind)) {
        let on = &dependency.on;
        if on != target && !ordered.contains(on) && follows_defaults(on) && !is_before(on) {
            ordered.insert(on);
            added.push(Dependency {
                kind: D::After,
                on: on.clone(),
                origin: Origin::Default,
            });
        }
    }
    added
}

struct Adder<'a> {
    own: &'a UnitName,
    known: HashSet<(D, UnitName)>,
    dependencies: &'a mut Vec<Dependency>,
}

impl Adder<'_> {
    fn add(&mut self, kinds: &[D], on: &UnitName, origin: Origin) {
        if on == self.own {
            return;
        }
        for kind in kinds {
            if self.known.insert((*kind, on.clone())) {
                self.dependencies.push(Dependency {
                    kind: *kind,
                    on: on.clone(),
                    origin,
                });
            }
        }
    }

    fn implicit(&mut self, kinds: &[D], on: &UnitName) {
        self.add(kinds, on, Origin::Implicit);
    }

    fn default(&mut self, kinds: &[D], on: &str) {
        if let Ok(on) = UnitName::new(on) {
            self.add(kinds, &on, Origin::Default);
        }
    }
}
