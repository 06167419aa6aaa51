//! Sockets (semantics 1.7 to 1.10).
//!
//! | state | ports | watched | leaves it when |
//! |---|---|---|---|
//! | dead, failed | closed | | a start job |
//! | start-open | being opened | no | the manager answers |
//! | listening | open | yes | traffic (1.8), a stop job, an error on a port |
//! | deferred | open | no | the conflict ends, DeferTriggerMaxSec=, the service starts, a stop job (1.10) |
//! | running | open | no (Accept=no) | the service ends (1.9), a stop job |
//!
//! Sockets have no Exec lists here, so stop-pre to final-sigkill would pass at once and do not exist. With
//! Accept=yes the unit stays in listening while its instances run.

mod accept;
mod defer;
mod open;
mod reload;
mod trigger;

pub use accept::{AcceptRefusal, Peer};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use softboot_unit::{KindSection, SocketSection, Usec};

use crate::engine::Engine;
use crate::event::UnitId;
use crate::limit::Limiter;
use crate::state::{ActiveState, SocketResult};
use crate::units::Machine;

/// The SubStates of semantics 1.7 that exist here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SocketState {
    #[default]
    Dead,
    StartOpen,
    Listening,
    Deferred,
    Running,
    Failed,
}

impl SocketState {
    pub(crate) fn active(self) -> ActiveState {
        match self {
            SocketState::Dead => ActiveState::Inactive,
            SocketState::StartOpen => ActiveState::Activating,
            SocketState::Listening | SocketState::Deferred | SocketState::Running => ActiveState::Active,
            SocketState::Failed => ActiveState::Failed,
        }
    }

    pub(crate) fn has_ports(self) -> bool {
        matches!(
            self,
            SocketState::Listening | SocketState::Deferred | SocketState::Running
        )
    }

    pub(crate) fn sub(self) -> &'static str {
        match self {
            SocketState::Dead => "dead",
            SocketState::StartOpen => "start-open",
            SocketState::Listening => "listening",
            SocketState::Deferred => "deferred",
            SocketState::Running => "running",
            SocketState::Failed => "failed",
        }
    }
}

/// A socket's run-time state. It is saved as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Socket {
    pub(crate) state: SocketState,
    pub(crate) result: SocketResult,
    pub(crate) trigger_limit: Limiter,
    /// DeferTriggerMaxSec=, or the time limit of opening.
    pub(crate) deadline: Option<Usec>,
    pub(crate) accepted: u32,
    pub(crate) connections: u32,
    pub(crate) refused: u32,
    /// Open connections by source (MaxConnectionsPerSource=).
    pub(crate) sources: BTreeMap<String, u32>,
}

impl Default for Socket {
    fn default() -> Socket {
        Socket {
            state: SocketState::Dead,
            result: SocketResult::Success,
            trigger_limit: Limiter::default(),
            deadline: None,
            accepted: 0,
            connections: 0,
            refused: 0,
            sources: BTreeMap::new(),
        }
    }
}

impl Socket {
    /// Forgets a failure. True when the state changed.
    pub(crate) fn reset_failed(&mut self) -> bool {
        self.result = SocketResult::Success;
        self.trigger_limit.reset();
        if self.state != SocketState::Failed {
            return false;
        }
        self.state = SocketState::Dead;
        true
    }
}

impl Engine {
    pub(crate) fn socket(&self, unit: UnitId) -> Option<&Socket> {
        self.units[unit].socket()
    }

    pub(crate) fn socket_mut(&mut self, unit: UnitId) -> Option<&mut Socket> {
        match &mut self.units[unit].machine {
            Machine::Socket(socket) => Some(socket),
            _ => None,
        }
    }

    pub(crate) fn socket_section(&self, unit: UnitId) -> Option<&SocketSection> {
        match &self.units[unit].definition.kind {
            KindSection::Socket(section) => Some(section),
            _ => None,
        }
    }

    pub(crate) fn socket_state(&self, unit: UnitId) -> SocketState {
        self.socket(unit).map_or(SocketState::Dead, |socket| socket.state)
    }

    pub(crate) fn set_socket_state(&mut self, unit: UnitId, state: SocketState) {
        let old = self.units[unit].active();
        let Some(socket) = self.socket_mut(unit) else {
            return;
        };
        socket.state = state;
        self.state_changed(unit, old, false);
    }
}
