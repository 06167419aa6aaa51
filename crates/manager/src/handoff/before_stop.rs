//! Between the next program's yes and the first stop: whoever is being served for a moment is let finish.
//!
//! Who listens can leave its clients in the backlog while units stop. An instance for one connection (`Accept=yes`) cannot: it has
//! taken its client already, stops like any other service, and its client is cut. So such sockets accept nothing more from
//! here on, and where they stay open, instances that have only just begun get the time that most need to finish. All else is
//! served meanwhile. The engine learns of it with the stop: a crash in between forgets the handoff and with it the wait.

use std::time::Duration;

use serde_json::Value;
use softboot_engine::{Objective, UnitId};
use softboot_unit::{UnitName, Usec};
use tracing::debug;

use super::{Handoff, Kind, Phase};
use crate::clock;
use crate::root::RootChange;
use crate::run::{Alarm, Manager};

/// Who has been served for longer than this is not about to finish, or for twice as long as the next program took to say yes:
/// that is how slow the machine is.
const YOUNG: Usec = Usec::from_millis(500);
/// But nobody is waited for longer than this.
const YOUNG_MAX: Usec = Usec::from_secs(5);

/// Instances that are waited for.
pub(super) struct Finishing {
    /// The verifying child's answer, for what comes after.
    plan: Value,
    instances: Vec<UnitId>,
    until: Usec,
}

impl Manager {
    /// There is nothing more to be prepared.
    pub(super) fn stop_or_go(&mut self, plan: &Value) {
        if self.is_to_stop() {
            return match self.let_finish(plan) {
                Some(finishing) => {
                    let until = finishing.until;
                    self.timers.set(Alarm::LetFinish, until);
                    self.set_phase(Phase::Finishing(finishing));
                }
                None => self.begin_stopping(plan),
            };
        }
        self.set_phase(Phase::Ready);
        if let Some(client) = self.handoff.as_ref().and_then(|handoff| handoff.client) {
            self.clients.set_waiting(client, Some(super::Waiting::Reexec));
        }
    }

    /// Whether units stop for this handoff, and have not yet.
    fn is_to_stop(&self) -> bool {
        let stopped = self.objective == Some(Objective::SoftReboot);
        self.handoff
            .as_ref()
            .is_some_and(|handoff| handoff.kind == Kind::SoftReboot && !stopped)
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Some(handoff) = &mut self.handoff {
            handoff.phase = phase;
        }
    }

    /// Sockets that stay open accept no more, and these of their instances have just begun. `None`: there is none.
    fn let_finish(&mut self, plan: &Value) -> Option<Finishing> {
        let sockets = self.accepting_sockets(plan);
        let now = clock::monotonic();
        let verified = self
            .handoff
            .as_ref()
            .map_or(Duration::ZERO, |handoff| handoff.verified_in);
        let verified = u64::try_from(verified.as_micros()).map_or(YOUNG_MAX, Usec);
        let young = Usec(verified.0.saturating_mul(2)).clamp(YOUNG, YOUNG_MAX);
        let old = |began: Usec| began.plus(young) <= now;
        let mut last = now;
        let mut is_young = |unit: &UnitId| {
            let socket = self.engine.serves_for(*unit);
            let socket = socket.and_then(|socket| self.engine.unit(socket));
            let began = self.engine.name(*unit).and_then(|name| self.began(name));
            let (true, Some(began)) = (socket.is_some_and(|socket| sockets.contains(&socket)), began) else {
                return false;
            };
            last = last.max(began);
            !old(began)
        };
        let instances: Vec<UnitId> = match sockets[..] {
            [] => Vec::new(),
            _ => self.engine.ids().filter(|unit| is_young(unit)).collect(),
        };
        if instances.is_empty() {
            return None;
        }
        debug!("{} connections are being served for a moment", instances.len());
        Some(Finishing {
            plan: plan.clone(),
            instances,
            until: last.plus(young),
        })
    }

    /// Open sockets with `Accept=yes` that stay: those of the verifying child's answer, and those that their own file keeps.
    fn accepting_sockets(&self, plan: &Value) -> Vec<UnitId> {
        let staying = self.staying(plan, self.root_is_to_change());
        let staying = staying.iter().filter_map(|name| self.engine.unit(name));
        let kept = self.engine.ids().filter(|unit| {
            let definition = self.engine.definition(*unit);
            definition.is_some_and(|definition| !definition.unit.default_dependencies)
        });
        let accepts = |unit: &UnitId| self.socket_section(*unit).is_some_and(|section| section.accept);
        let open = |unit: &UnitId| self.engine.is_listening(*unit);
        staying.chain(kept).filter(accepts).filter(open).collect()
    }

    /// What is accepted now could not be served to its end: an instance would stop with all units, or not start. Clients
    /// wait in the backlog.
    pub(crate) fn is_no_time_to_accept(&self) -> bool {
        let phase = self.handoff.as_ref().map(|handoff| &handoff.phase);
        matches!(phase, Some(Phase::Finishing(_) | Phase::Stopping { .. }))
    }

    /// The soft-reboot came to nothing: whoever waits in a backlog is accepted.
    pub(super) fn accept_again(&mut self) {
        let accepts = |unit: &UnitId| self.socket_section(*unit).is_some_and(|section| section.accept);
        let sockets: Vec<UnitId> = self.engine.ids().filter(accepts).collect();
        for socket in sockets {
            self.resume_ports(socket);
        }
    }

    fn began(&self, unit: &UnitName) -> Option<Usec> {
        self.clients.timeline.of(unit).inactive_exit_usec.map(Usec)
    }

    /// Units stop as soon as nobody is waited for any more, or at once if they have stopped for another reason.
    pub(super) fn finishing_progress(&mut self) {
        let stops = self.is_to_stop();
        let Some(Handoff {
            phase: Phase::Finishing(finishing),
            ..
        }) = &mut self.handoff
        else {
            return;
        };
        let engine = &self.engine;
        finishing
            .instances
            .retain(|unit| engine.serves_for(*unit).is_some());
        if stops && !finishing.instances.is_empty() && clock::monotonic() < finishing.until {
            return;
        }
        let plan = std::mem::take(&mut finishing.plan);
        self.timers.cancel(Alarm::LetFinish);
        match stops {
            true => self.begin_stopping(&plan),
            false => self.stop_or_go(&plan),
        }
    }

    /// Whether this handoff leads into another root.
    pub(super) fn root_is_to_change(&self) -> bool {
        let root = self.handoff.as_ref().and_then(|handoff| handoff.root.as_ref());
        root.is_some_and(RootChange::changes)
    }
}
