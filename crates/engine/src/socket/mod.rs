//! Sockets (semantics 1.7 to 1.10).
//!
//! | state | ports | watched | leaves it when |
//! |---|---|---|---|
//! | dead, failed | closed | | a start job |
//! | start-pre | closed | | ExecStartPre= has ended |
//! | start-open | being opened | no | the manager answers |
//! | start-post | open | no | ExecStartPost= has ended |
//! | listening | open | yes | traffic (1.8), a stop job, an error on a port |
//! | deferred | open | no | the conflict ends, DeferTriggerMaxSec=, the service starts, a stop job (1.10) |
//! | running | open | no (Accept=no) | the service ends (1.9), a stop job |
//! | stop-pre | open | no | ExecStopPre= has ended |
//! | stop-pre-sigterm, stop-pre-sigkill | open | no | no process is left |
//! | stop-post | closed | | ExecStopPost= has ended |
//! | final-sigterm, final-sigkill | closed | | no process is left |
//!
//! States that have nothing to wait for are passed without being entered. With Accept=yes the unit stays in listening
//! while its instances run.

mod accept;
mod commands;
mod defer;
mod open;
mod reload;
mod stay;
mod trigger;

pub use accept::{AcceptRefusal, Peer};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use softboot_unit::{KindSection, SocketSection, Usec};

use crate::control::Control;
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
    StartPre,
    StartOpen,
    StartPost,
    Listening,
    Deferred,
    Running,
    StopPre,
    StopPreSigterm,
    StopPreSigkill,
    StopPost,
    FinalSigterm,
    FinalSigkill,
    Failed,
}

impl SocketState {
    pub(crate) fn active(self) -> ActiveState {
        match self {
            SocketState::Dead => ActiveState::Inactive,
            SocketState::StartPre | SocketState::StartOpen | SocketState::StartPost => {
                ActiveState::Activating
            }
            SocketState::Listening | SocketState::Deferred | SocketState::Running => ActiveState::Active,
            SocketState::StopPre
            | SocketState::StopPreSigterm
            | SocketState::StopPreSigkill
            | SocketState::StopPost
            | SocketState::FinalSigterm
            | SocketState::FinalSigkill => ActiveState::Deactivating,
            SocketState::Failed => ActiveState::Failed,
        }
    }

    /// A signal was sent and its effect is waited for.
    pub(crate) fn waits_for_end(self) -> bool {
        matches!(
            self,
            SocketState::StopPreSigterm
                | SocketState::StopPreSigkill
                | SocketState::FinalSigterm
                | SocketState::FinalSigkill
        )
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
            SocketState::StartPre => "start-pre",
            SocketState::StartOpen => "start-open",
            SocketState::StartPost => "start-post",
            SocketState::StopPre => "stop-pre",
            SocketState::StopPreSigterm => "stop-pre-sigterm",
            SocketState::StopPreSigkill => "stop-pre-sigkill",
            SocketState::StopPost => "stop-post",
            SocketState::FinalSigterm => "final-sigterm",
            SocketState::FinalSigkill => "final-sigkill",
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
    /// DeferTriggerMaxSec=, or the time limit of the state.
    pub(crate) deadline: Option<Usec>,
    pub(crate) control: Control,
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
            control: Control::default(),
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
