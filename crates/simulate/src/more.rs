//! What every other pair of seeds has beside the rest: services that lie about their main process, an Accept=yes
//! socket and mounts. The other seeds stay what they were, so that those which found a fault still stand for it.

use std::collections::BTreeSet;

use softboot_engine::{Event, ExecList, ExitStatus, FdToken, Peer, ProcId, RequestId, UnitId};
use softboot_unit::{
    Cleanable, Definition, Dependency, DependencyKind as D, ExecDirectory, KindSection, LoadState,
    MountSection, Origin, ServiceSection, SocketSection, UnitName, UnitSection, Usec,
};

use crate::random::Random;
use crate::scene;
use crate::world::{Answer, Process, World};

const SOCKET: &str = "c0.socket";
const TEMPLATE: &str = "c@.service";
const MOUNTS: [&str; 2] = ["m0.mount", "m1.mount"];

/// Whether a seed has more.
pub fn is(seed: u64) -> bool {
    seed % 4 >= 2
}

/// Whether a seed with more also has directories to clean.
pub fn cleans(seed: u64) -> bool {
    seed % 8 >= 6
}

/// What the fake kernel knows of it.
#[derive(Debug, Default)]
pub(crate) struct More {
    on: bool,
    cleans: bool,
    mounted: BTreeSet<UnitName>,
    open: BTreeSet<FdToken>,
    last_connection: u64,
    instances: Vec<Definition>,
}

impl More {
    pub(crate) fn of(seed: u64) -> More {
        More {
            on: is(seed),
            cleans: cleans(seed),
            ..More::default()
        }
    }

    /// The names of all units that there are from the start.
    pub(crate) fn names(&self) -> Vec<UnitName> {
        let mut names = scene::names();
        if self.on {
            let more = [SOCKET].into_iter().chain(MOUNTS);
            names.extend(more.filter_map(|text| UnitName::new(text).ok()));
        }
        names
    }

    /// The scene of a seed, with what comes on top.
    pub(crate) fn scene(&self, seed: u64) -> Vec<Definition> {
        let mut list = scene::definitions(seed);
        if self.on {
            let mut random = Random::new(seed ^ 0x40E5);
            for text in MOUNTS {
                let Ok(name) = UnitName::new(text) else { continue };
                for unit in list
                    .iter_mut()
                    .filter(|unit| unit.name.as_str().ends_with(".service"))
                {
                    needs(&mut random, unit, &name);
                }
                let section = MountSection {
                    timeout: Usec::from_secs(1 + random.below(20)),
                    ..MountSection::empty(&name)
                };
                list.push(unit(&name, KindSection::Mount(Box::new(section))));
            }
            if self.cleans {
                list.iter_mut().for_each(|unit| leaves_behind(&mut random, unit));
            }
            if let (Ok(name), Ok(template)) = (UnitName::new(SOCKET), UnitName::new(TEMPLATE)) {
                let section = SocketSection {
                    accept: true,
                    service: template,
                    max_connections: 1 + random.below(4) as u32,
                    max_connections_per_source: random.below(3) as u32,
                    ..SocketSection::empty(&name)
                };
                list.push(unit(&name, KindSection::Socket(section.into())));
            }
        }
        list
    }
}

/// Some services have directories on disks.
fn leaves_behind(random: &mut Random, unit: &mut Definition) {
    let KindSection::Service(section) = &unit.kind else {
        return;
    };
    let mut section = ServiceSection::clone(section);
    section.timeout_clean = Usec::from_secs(1 + random.below(5));
    if random.percent(70) {
        section.exec.state_directory.entries.push(ExecDirectory {
            name: "left".to_owned(),
            symlink: None,
            read_only: false,
        });
    }
    unit.kind = KindSection::Service(section.into());
}

/// Some services need a mount, or go with it.
fn needs(random: &mut Random, unit: &mut Definition, mount: &UnitName) {
    if !random.percent(30) {
        return;
    }
    let kinds = [D::Requires, D::BindsTo, D::Wants];
    for kind in random.pick(&kinds).into_iter().chain([D::After]) {
        unit.unit.dependencies.push(Dependency {
            kind,
            on: mount.clone(),
            origin: Origin::File,
        });
    }
}

fn unit(name: &UnitName, kind: KindSection) -> Definition {
    Definition {
        name: name.clone(),
        aliases: Vec::new(),
        load: LoadState::Loaded,
        fragment: None,
        drop_ins: Vec::new(),
        diagnostics: Vec::new(),
        unit: UnitSection::empty(name),
        slice: None,
        kind,
    }
}

impl World {
    /// Instances that the engine still knows; the manager would read them again.
    pub(crate) fn instances(&self) -> impl Iterator<Item = Definition> + '_ {
        let all = self.more.instances.iter();
        all.filter(|unit| self.engine.unit(&unit.name).is_some()).cloned()
    }

    /// A connection to an Accept=yes socket. False for another one.
    pub(crate) fn accept(&mut self, unit: UnitId) -> bool {
        let accepts = match self.engine.definition(unit).map(|unit| &unit.kind) {
            Some(KindSection::Socket(section)) => section.accept,
            _ => false,
        };
        if !accepts {
            return false;
        }
        self.more.last_connection += 1;
        let number = self.more.last_connection;
        let Ok(instance) = self
            .engine
            .accept_instance(unit, &Peer::Unknown { cookie: number })
        else {
            return true;
        };
        let section = ServiceSection {
            exec_start: vec![scene::command("/bin/serve")],
            timeout_stop: Usec::from_secs(3),
            ..ServiceSection::default()
        };
        let definition = crate::more::unit(&instance, KindSection::Service(section.into()));
        let known = &self.more.instances;
        let still: BTreeSet<UnitName> = self.instances().map(|unit| unit.name).collect();
        let mut instances: Vec<Definition> = known
            .iter()
            .filter(|unit| still.contains(&unit.name))
            .cloned()
            .collect();
        instances.push(definition.clone());
        self.more.instances = instances;
        self.more.open.insert(FdToken(number));
        self.step(Event::Loaded(vec![definition]));
        if let Some(unit) = UnitName::new(SOCKET)
            .ok()
            .and_then(|name| self.engine.unit(&name))
        {
            self.step(Event::SocketAccepted {
                unit,
                instance,
                connection: FdToken(number),
                source: format!("uid {}", number % 2),
            });
        }
        true
    }

    pub(crate) fn close_connection(&mut self, connection: FdToken) {
        if !self.more.open.remove(&connection) {
            self.breaks(format!("{connection:?} is closed and was not open"));
        }
    }

    /// A process of some service says that another of its cgroup is the main one. Some of those have ended already.
    pub(crate) fn lie(&mut self, number: u64) {
        let place = number.checked_rem(self.processes.len() as u64).unwrap_or(0) as usize;
        if let Some((unit, _)) = self.processes.values().nth(place).cloned() {
            self.says_main(&unit);
        }
    }

    /// Somebody wants everything gone that a unit leaves behind.
    pub(crate) fn clean(&mut self, unit: u64) {
        let Some(unit) = self.name(unit) else { return };
        let request = RequestId(self.next_request);
        self.next_request += 1;
        let what = Cleanable::ALL.to_vec();
        self.step(Event::Clean { request, unit, what });
    }

    /// Some main processes do so as soon as they run.
    pub(crate) fn lie_at_once(&mut self, unit: &UnitName, list: ExecList) {
        if self.more.on && list == ExecList::Start && self.random.percent(30) {
            self.says_main(unit);
        }
    }

    fn says_main(&mut self, unit: &UnitName) {
        if !unit.as_str().ends_with(".service") {
            return;
        }
        let process = self.found();
        let other = Process {
            list: ExecList::StartPost,
            stubborn: self.random.percent(20),
        };
        self.processes.insert(process, (unit.clone(), other));
        self.answer(unit, Answer::Adopted(process));
        if self.random.percent(20) {
            self.end(process, ExitStatus::Exited(0));
        }
    }

    /// Who the engine takes for main now is main for the fake kernel, too.
    pub(crate) fn agree_on_main(&mut self, unit: &UnitName, adopted: ProcId) {
        let mains: BTreeSet<ProcId> = self
            .engine
            .processes()
            .into_iter()
            .filter(|(_, _, main)| *main)
            .map(|(process, _, _)| process)
            .collect();
        if !mains.contains(&adopted) {
            return;
        }
        for (process, (owner, known)) in &mut self.processes {
            if owner == unit && *process == adopted {
                known.list = ExecList::Start;
            } else if owner == unit && known.list == ExecList::Start {
                known.list = ExecList::StartPost;
            }
        }
    }

    /// mount(8) or umount(8) of a unit does its work, or not, or only says so; or it hangs.
    pub(crate) fn mount_command(&mut self, unit: &UnitName, process: ProcId, list: ExecList) {
        let luck = self.random.below(100);
        if luck < 80 {
            self.set_mounted(unit, list != ExecList::Stop);
        }
        match luck {
            0..75 | 85..90 => self.end(process, ExitStatus::Exited(0)),
            75..85 => self.end(process, ExitStatus::Exited(32)),
            _ => {}
        }
    }

    /// Somebody mounts or unmounts by hand.
    pub(crate) fn mount_by_hand(&mut self, number: u64) {
        let mounts = MOUNTS.len() as u64;
        let text = MOUNTS.get((number % mounts) as usize).copied().unwrap_or("");
        if let Ok(unit) = UnitName::new(text)
            && self.more.on
        {
            let now = self.more.mounted.contains(&unit);
            self.set_mounted(&unit, !now);
        }
    }

    fn set_mounted(&mut self, unit: &UnitName, mounted: bool) {
        if mounted {
            self.more.mounted.insert(unit.clone());
        } else {
            self.more.mounted.remove(unit);
        }
        self.answer(unit, Answer::MountSeen);
    }

    /// What the mount table has when somebody looks.
    pub(crate) fn is_mounted(&self, unit: &UnitName) -> bool {
        self.more.mounted.contains(unit)
    }
}
