//! Following dependencies (semantics 2.4, "Add"), with a work list instead of recursion.

use std::collections::{BTreeMap, VecDeque};

use softboot_unit::{JobMode, LoadState};

use super::{Draft, Key, Place, Pull, Reason, Refusal, Wish, word};
use crate::action::RequestError;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::state::JobKind;
use crate::units::{Relation, Unit};

/// A job that somebody wants in the draft.
struct Want {
    key: Key,
    pull: Pull,
    /// If it cannot be, its requester cannot either.
    fatal: bool,
}

/// A weak pull that came to nothing.
#[derive(Clone, Debug)]
pub(super) struct Skipped {
    pub(super) by: Key,
    pub(super) key: Key,
    pub(super) reason: Reason,
    pub(super) error: RequestError,
}

/// The draft while dependencies are followed.
struct Builder<'a> {
    engine: &'a Engine,
    mode: JobMode,
    draft: Draft,
    wanted: VecDeque<Want>,
    /// PropagatesStopTo=: a job and whom its stop reaches. What it asks for depends on what else the draft has.
    reached: VecDeque<(Place, UnitId)>,
    /// What cannot be, and why.
    refused: BTreeMap<Key, Box<Refusal>>,
    /// Weak pulls that came to nothing: for the log, and for those who want to know.
    skipped: Vec<Skipped>,
    /// It begins a soft-reboot: sockets that stay open are not stopped by their default dependencies.
    soft_reboot: bool,
}

impl Engine {
    /// The anchor and all that it pulls in, and what could not be pulled in.
    pub(super) fn build(&self, wish: &Wish) -> Result<(Draft, Vec<Skipped>), Box<Refusal>> {
        let key = (wish.unit, wish.kind);
        let mut builder = Builder {
            engine: self,
            mode: wish.mode,
            draft: Draft::new(key),
            wanted: VecDeque::new(),
            reached: VecDeque::new(),
            refused: BTreeMap::new(),
            skipped: Vec::new(),
            soft_reboot: wish.kind == JobKind::Start
                && self.units[wish.unit].name().as_str() == "soft-reboot.target",
        };
        builder.build(key)?;
        Ok((builder.draft, builder.skipped))
    }

    /// The collapsed kinds become what they mean now (semantics 2.1).
    pub(crate) fn collapse(&self, unit: UnitId, kind: JobKind) -> JobKind {
        let known = &self.units[unit];
        let active = known.active().is_active_ish();
        match kind {
            JobKind::TryRestart if known.is_up() => JobKind::Restart,
            JobKind::TryReload if active => JobKind::Reload,
            JobKind::TryRestart | JobKind::TryReload => JobKind::Nop,
            JobKind::ReloadOrStart if active => JobKind::Reload,
            JobKind::ReloadOrStart => JobKind::Start,
            other => other,
        }
    }
}

impl Builder<'_> {
    fn build(&mut self, anchor: Key) -> Result<(), Box<Refusal>> {
        let pull = Pull {
            by: None,
            matters: true,
            conflicts: false,
            reason: Reason::Requested,
        };
        self.wanted.push_back(Want {
            key: anchor,
            pull,
            fatal: true,
        });
        loop {
            // A start that anything pulls in is in the draft before a propagated stop looks for it.
            if let Some(want) = self.wanted.pop_front() {
                self.add(want)?;
            } else if let Some((by, partner)) = self.reached.pop_front() {
                self.propagate_stop(by, partner);
            } else {
                return Ok(());
            }
        }
    }

    fn add(&mut self, want: Want) -> Result<(), Box<Refusal>> {
        // Its requester may have been given up meanwhile.
        if want.pull.by.is_some_and(|by| self.draft.at(by).is_none()) {
            return Ok(());
        }
        // Nothing that cannot be is in the draft.
        if self.draft.find(want.key).is_some() {
            self.draft.add(want.key, want.pull);
            return Ok(());
        }
        let engine = self.engine;
        let known = &engine.units[want.key.0];
        let refused = self.refused.get(&want.key).cloned().or_else(|| {
            let error = refuse(known, want.key.1)?;
            Some(engine.refusal(error, want.key))
        });
        if let Some(refusal) = refused {
            return self.failed(&want, refusal);
        }
        let place = self.draft.add(want.key, want.pull);
        self.follow(place, want.key, known);
        Ok(())
    }

    /// A job cannot be: so cannot those that strongly want it. Ends with an error when that is the anchor.
    fn failed(&mut self, want: &Want, mut refusal: Box<Refusal>) -> Result<(), Box<Refusal>> {
        let Some(by) = want.pull.by.and_then(|by| self.draft.at(by)) else {
            return Err(refusal);
        };
        if let Some(first) = refusal.chain.first_mut() {
            first.reason = want.pull.reason;
        }
        let ignored = matches!(refusal.error, RequestError::JobTypeNotApplicable(_));
        if !want.fatal || ignored {
            self.skipped.push(Skipped {
                by,
                key: want.key,
                reason: want.pull.reason,
                error: refusal.error,
            });
            return Ok(());
        }
        let requester = self.engine.units[by.0].name();
        refusal.error = with_context(
            refusal.error,
            &format!("wanted by the {} of {requester}", word(by.1)),
        );
        let all_gone = self.draft.with_requesters(by);
        for gone in &all_gone {
            let mut refusal = refusal.clone();
            let mut chain = self.engine.links(&self.draft.path_between(*gone, by));
            chain.append(&mut refusal.chain);
            refusal.chain = chain;
            if *gone == self.draft.anchor {
                return Err(refusal);
            }
            self.refused.insert(*gone, refusal);
        }
        for gone in all_gone {
            self.draft.delete(gone);
        }
        Ok(())
    }

    fn want(&mut self, by: Place, key: Key, reason: Relation, matters: bool, conflicts: bool) {
        let only_default = |by: Key| self.engine.only_default(by.0, reason, key.0);
        if key.1 == JobKind::Stop && self.soft_reboot && self.draft.at(by).is_some_and(only_default) {
            return;
        }
        let pull = Pull {
            by: Some(by),
            matters,
            conflicts,
            reason: Reason::Dependency(reason),
        };
        self.wanted.push_back(Want {
            key,
            pull,
            fatal: matters,
        });
    }

    /// The table of semantics 2.4, step 4.
    fn follow(&mut self, place: Place, key: Key, known: &Unit) {
        let kind = key.1;
        if matches!(
            self.mode,
            JobMode::IgnoreDependencies | JobMode::IgnoreRequirements
        ) || kind == JobKind::Nop
        {
            return;
        }
        let engine = self.engine;
        if matches!(kind, JobKind::Start | JobKind::Restart) {
            let pulls = [
                (Relation::Requires, JobKind::Start, true, false),
                (Relation::BindsTo, JobKind::Start, true, false),
                (Relation::Wants, JobKind::Start, false, false),
                (Relation::Upholds, JobKind::Start, false, false),
                (Relation::Requisite, JobKind::VerifyActive, true, false),
                (Relation::Conflicts, JobKind::Stop, true, true),
                (Relation::ConflictedBy, JobKind::Stop, false, false),
            ];
            for (relation, pulled, matters, conflicts) in pulls {
                for partner in known.partners(relation) {
                    self.want(place, (*partner, pulled), relation, matters, conflicts);
                }
            }
        }
        let restarts = kind == JobKind::Restart
            || (kind == JobKind::Start
                && key == self.draft.anchor
                && self.mode == JobMode::RestartDependencies);
        if kind == JobKind::Stop || restarts {
            for relation in [
                Relation::RequiredBy,
                Relation::RequisiteOf,
                Relation::BoundBy,
                Relation::ConsistsOf,
            ] {
                for partner in known.partners(relation) {
                    let pulled = if restarts {
                        engine.collapse(*partner, JobKind::TryRestart)
                    } else {
                        JobKind::Stop
                    };
                    if pulled != JobKind::Nop {
                        self.want(place, (*partner, pulled), relation, true, false);
                    }
                }
            }
        }
        if matches!(kind, JobKind::Stop | JobKind::Restart) {
            for partner in known.partners(Relation::PropagatesStopTo) {
                self.reached.push_back((place, *partner));
            }
        }
        if kind == JobKind::Reload {
            for partner in known.partners(Relation::PropagatesReloadTo) {
                let pulled = engine.collapse(*partner, JobKind::TryReload);
                if pulled != JobKind::Nop {
                    self.want(
                        place,
                        (*partner, pulled),
                        Relation::PropagatesReloadTo,
                        false,
                        false,
                    );
                }
            }
        }
    }

    /// Semantics 2.4, step 5.
    fn propagate_stop(&mut self, by: Place, partner: UnitId) {
        let kinds: Vec<_> = self.draft.kinds_of(partner).collect();
        if kinds
            .iter()
            .any(|kind| matches!(kind, JobKind::Stop | JobKind::Restart))
        {
            return;
        }
        let kind = if kinds.contains(&JobKind::Start) {
            JobKind::Restart
        } else {
            JobKind::Stop
        };
        self.want(by, (partner, kind), Relation::PropagatesStopTo, true, false);
    }
}

/// Why such a job cannot be, before any dependency is looked at.
fn refuse(known: &Unit, kind: JobKind) -> Option<RequestError> {
    if matches!(kind, JobKind::Stop | JobKind::Nop) {
        return None;
    }
    let name = known.name();
    let job = word(kind);
    match &known.definition.load {
        LoadState::Loaded => {}
        LoadState::Masked => {
            return Some(RequestError::Masked(format!("cannot {job} {name}: it is masked")));
        }
        LoadState::NotFound => {
            return Some(RequestError::NoSuchUnit(format!(
                "cannot {job} {name}: no unit file has this name"
            )));
        }
        LoadState::BadSetting(reason) => {
            return Some(RequestError::BadUnitSetting(format!(
                "cannot {job} {name}: {reason}"
            )));
        }
        LoadState::Error(reason) => {
            return Some(RequestError::LoadFailed(format!(
                "cannot {job} {name}: it could not be read: {reason}"
            )));
        }
    }
    (kind == JobKind::Reload && !known.can_reload()).then(|| {
        RequestError::JobTypeNotApplicable(format!("cannot reload {name}: it has nothing that reloads it"))
    })
}

/// The same error with one more link of the chain.
fn with_context(error: RequestError, context: &str) -> RequestError {
    use RequestError as E;
    let add = |text: String| format!("{text}, {context}");
    match error {
        E::NoSuchUnit(text) => E::NoSuchUnit(add(text)),
        E::Masked(text) => E::Masked(add(text)),
        E::BadUnitSetting(text) => E::BadUnitSetting(add(text)),
        E::LoadFailed(text) => E::LoadFailed(add(text)),
        other => other,
    }
}
