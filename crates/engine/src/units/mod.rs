//! The table of units: their definitions, dependencies both ways, and run-time state.

mod by_id;
mod relation;
mod relations;
mod table;

pub use relation::Relation;
pub(crate) use relations::Relations;
pub use table::Related;
pub(crate) use table::Units;

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use softboot_unit::{
    Definition, KindSection, LoadState, Rare, ServiceType, UnitKind, UnitName, UnitSection, Usec,
};

use crate::event::{JobId, UnitId};
use crate::limit::Limiter;
use crate::mount::Mount;
use crate::service::Service;
use crate::socket::Socket;
use crate::state::ActiveState;

/// One unit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Unit {
    pub(crate) definition: Arc<Definition>,
    /// Partners by relation, sorted by id.
    pub(crate) relations: Relations,
    pub(crate) machine: Machine,
    /// The job slot for start, verify-active, stop, reload and restart.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) job: Option<JobId>,
    /// The job slot for nop.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) nop: Option<JobId>,
    /// The start job whose conditions are being looked at.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) checking: Option<JobId>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) start_limit: Limiter,
    /// What the continuous rules of semantics 2.9 did with it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) automatic_limit: Limiter,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) changed_realtime: Usec,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) changed_monotonic: Usec,
}

/// An image need not say what is as in a fresh unit, as in most.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// As data `null` while it is as usual.
mod usual {
    use super::{Deserialize, Deserializer, Rare, Serialize, Serializer, Service};

    pub(super) fn serialize<S: Serializer>(
        service: &Rare<Service>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (!service.is_usual()).then_some(&**service).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rare<Service>, D::Error> {
        let service = Option::<Service>::deserialize(deserializer)?;
        Ok(service.map(Rare::from).unwrap_or_default())
    }
}

/// What a unit's type keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Machine {
    #[serde(with = "usual")]
    Service(Rare<Service>),
    Socket(Box<Socket>),
    Mount(Box<Mount>),
    /// Targets and slices: on or off. Other types never leave `off`.
    Plain {
        on: bool,
    },
}

impl Machine {
    fn of(definition: &Definition) -> Machine {
        match definition.kind {
            KindSection::Service(_) => Machine::Service(Rare::default()),
            KindSection::Socket(_) => Machine::Socket(Box::default()),
            KindSection::Mount(_) => Machine::Mount(Box::default()),
            _ => Machine::Plain { on: false },
        }
    }
}

impl Unit {
    pub(crate) fn new(definition: Definition) -> Unit {
        Unit {
            machine: Machine::of(&definition),
            definition: Arc::new(definition),
            relations: Relations::default(),
            job: None,
            nop: None,
            checking: None,
            start_limit: Limiter::default(),
            automatic_limit: Limiter::default(),
            changed_realtime: Usec::ZERO,
            changed_monotonic: Usec::ZERO,
        }
    }

    pub(crate) fn name(&self) -> &UnitName {
        &self.definition.name
    }

    /// The partners in `relation`.
    pub(crate) fn partners(&self, relation: Relation) -> &[UnitId] {
        self.relations.partners(relation)
    }

    pub(crate) fn active(&self) -> ActiveState {
        match &self.machine {
            Machine::Service(service) => service.state.active_as(|| self.is_idle()),
            Machine::Socket(socket) => socket.state.active(),
            Machine::Mount(mount) => mount.state.active(),
            Machine::Plain { on: true } => ActiveState::Active,
            Machine::Plain { on: false } => ActiveState::Inactive,
        }
    }

    fn is_idle(&self) -> bool {
        matches!(&self.definition.kind, KindSection::Service(section) if section.service_type == ServiceType::Idle)
    }

    /// Active or on the way there.
    pub(crate) fn is_up(&self) -> bool {
        let active = self.active();
        active.is_active_ish() || active == ActiveState::Activating
    }

    pub(crate) fn service(&self) -> Option<&Service> {
        match &self.machine {
            Machine::Service(service) => Some(service),
            _ => None,
        }
    }

    pub(crate) fn socket(&self) -> Option<&Socket> {
        match &self.machine {
            Machine::Socket(socket) => Some(socket),
            _ => None,
        }
    }

    /// The unit has something to reload (semantics 4.6), or somebody to pass a reload on to (2.4).
    pub(crate) fn can_reload(&self) -> bool {
        match &self.definition.kind {
            KindSection::Service(service) => {
                !service.exec_reload.is_empty()
                    || service.service_type == softboot_unit::ServiceType::NotifyReload
            }
            KindSection::Mount(_) => true,
            // It has nothing to reload itself, and passes the request on.
            _ => !self.partners(Relation::PropagatesReloadTo).is_empty(),
        }
    }

    /// Nothing of it would be lost if the table forgot it: an Accept=yes instance that is over.
    pub(crate) fn is_garbage(&self) -> bool {
        self.job.is_none()
            && self.nop.is_none()
            && self.active() == ActiveState::Inactive
            && self
                .service()
                .is_some_and(|service| service.accepted_by.is_some() && service.stored_fds == 0)
    }

    /// No file has its name: nothing does, a template's file has it for all instances, or its type needs none.
    pub(crate) fn is_made_by_its_name(&self) -> bool {
        let name = self.name();
        self.definition.load == LoadState::NotFound
            || name.instance().is_some()
            || (self.definition.fragment.is_none()
                && matches!(name.kind(), UnitKind::Device | UnitKind::Slice))
    }

    /// It is down, has always been, has no job and holds nothing.
    pub(crate) fn was_never_up(&self) -> bool {
        let untouched = self.changed_monotonic == Usec::ZERO && self.changed_realtime == Usec::ZERO;
        untouched
            && self.active() == ActiveState::Inactive
            && self.job.is_none()
            && self.nop.is_none()
            && self.checking.is_none()
            && self
                .service()
                .is_none_or(|service| service.accepted_by.is_none() && service.stored_fds == 0)
    }
}

/// The definition of a unit of which nothing is known but its name.
pub(crate) fn not_found(name: &UnitName) -> Definition {
    Definition {
        name: name.clone(),
        aliases: Vec::new(),
        load: LoadState::NotFound,
        fragment: None,
        drop_ins: Vec::new(),
        diagnostics: Vec::new(),
        unit: UnitSection::empty(name),
        slice: None,
        kind: match name.kind() {
            UnitKind::Target => KindSection::Target,
            UnitKind::Slice => KindSection::Slice,
            _ => KindSection::Other,
        },
    }
}
