//! What a handoff would do, for who asks beforehand.

use std::collections::BTreeSet;

use serde_json::Value;
use softboot_control::api::{CheckReply, UnitFate};
use softboot_engine::{ActiveState, JobKind, UnitId, UnitStatus};
use softboot_unit::{JobMode, UnitKind, UnitName};

use super::Kind;
use crate::root::RootChange;
use crate::run::Manager;

impl Manager {
    /// The next program has said yes, with this plan.
    pub(super) fn check_reply(&self, kind: Kind, root: Option<&RootChange>, plan: &Value) -> CheckReply {
        let changes = root.is_some_and(RootChange::changes);
        let (root, pins) = root.map(RootChange::describe).unwrap_or_default();
        let units = match kind {
            Kind::Reexec => Vec::new(),
            Kind::SoftReboot => self.fates(plan, changes),
        };
        let same = |taken: &&softboot_control::api::TakingOver| taken.kind == kind.word();
        let last = self.taken_over.as_ref().filter(same).cloned();
        CheckReply {
            root,
            pins,
            units,
            last,
        }
    }

    fn fates(&self, plan: &Value, root_changes: bool) -> Vec<UnitFate> {
        let starts: BTreeSet<&str> = plan
            .get("starts")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut stops = self.stopped_by_soft_reboot();
        for name in self.staying(plan, root_changes) {
            stops.remove(&name);
        }
        let marked: BTreeSet<UnitId> = self.marked_survivors().into_iter().collect();
        let survivors: BTreeSet<UnitId> = self.engine.survivors().into_iter().chain(marked).collect();
        let fate = |unit: UnitId| -> Option<UnitFate> {
            let status = self.engine.status(unit)?;
            let fate = fate_of(&status, stops.contains(&status.name), survivors.contains(&unit))?;
            Some(UnitFate {
                fate: fate.to_owned(),
                starts: starts.contains(status.name.as_str()),
                unit: status.name.to_string(),
            })
        };
        self.engine.ids().filter_map(fate).collect()
    }

    fn stopped_by_soft_reboot(&self) -> BTreeSet<UnitName> {
        let target = UnitName::new("soft-reboot.target").ok();
        let mode = JobMode::ReplaceIrreversibly;
        let plan = target.and_then(|unit| self.engine.plan(JobKind::Start, &unit, mode).ok());
        let jobs = plan.into_iter().flat_map(|plan| plan.jobs);
        jobs.filter(|job| job.job == JobKind::Stop)
            .map(|job| job.unit)
            .collect()
    }
}

/// `None` for what is down, or is nothing to keep.
fn fate_of(status: &UnitStatus, stopped: bool, survives: bool) -> Option<&'static str> {
    let up = !status.active.is_inactive_ish() && status.active != ActiveState::Deactivating;
    let kind = status.name.kind();
    if !up || matches!(kind, UnitKind::Target | UnitKind::Slice | UnitKind::Device) {
        return None;
    }
    Some(match (kind, stopped) {
        (_, true) => "stops",
        (UnitKind::Service, false) if survives => "survives",
        (UnitKind::Service, false) if status.main_pid.is_some() => "killed",
        // One that only remains after its exit is part of this userspace.
        (UnitKind::Service, false) => "stops",
        (_, false) => "stays",
    })
}
