//! A refused transaction as data: which job, wanted for what, and what stands in its way.

use std::fmt;

use serde::{Deserialize, Serialize};
use softboot_unit::UnitName;

use super::path::Path;
use super::{Draft, InstalledJob, Key, Link, Reason, word};
use crate::action::RequestError;
use crate::engine::Engine;
use crate::event::UnitId;
use crate::state::{ActiveState, JobKind};

/// Why a request makes no job. `Display` is one sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The error that the request gets (semantics 2.4).
    pub error: RequestError,
    /// The unit whose job cannot be.
    pub unit: UnitName,
    /// What kind of job that is.
    pub job: JobKind,
    /// How the request comes to want that job: its own job first, the one that cannot be last.
    pub chain: Vec<Link>,
    /// What stands in its way, where that is not the unit itself.
    pub against: Option<Obstacle>,
}

/// What stands in the way of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// The unit has this contrary job.
    Job(InstalledJob),
    /// The unit runs, and the mode forbids to stop it (semantics 2.3, lenient).
    Running(ActiveState),
    /// The same request wants to stop the unit, too, by this chain.
    Contrary(Vec<Link>),
    /// The order of these units is a circle, each before the next.
    Circle(Vec<UnitName>),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        write_chain(f, "; wanted because", &self.chain)?;
        if let Some(Obstacle::Contrary(chain)) = &self.against {
            write_chain(f, "; stopped because", chain)?;
        }
        Ok(())
    }
}

/// A chain of one job says nothing: it is what was asked for.
fn write_chain(f: &mut fmt::Formatter<'_>, intro: &str, chain: &[Link]) -> fmt::Result {
    let mut links = chain.iter();
    let Some(first) = links.next().filter(|_| chain.len() > 1) else {
        return Ok(());
    };
    write!(f, "{intro}: {first}")?;
    links.try_for_each(|link| write!(f, " -> {} -> {link}", link.reason))
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", word(self.job), self.unit)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Requested => f.write_str("requested"),
            Reason::Isolate => f.write_str("isolate"),
            Reason::Triggering => f.write_str("triggering"),
            Reason::Dependency(relation) => write!(f, "{relation:?}"),
        }
    }
}

impl Engine {
    /// A job that cannot be, whoever wants it.
    pub(super) fn refusal(&self, error: RequestError, key: Key) -> Box<Refusal> {
        Box::new(Refusal {
            error,
            unit: self.units[key.0].name().clone(),
            job: key.1,
            chain: self.links(&vec![(key, Reason::Requested)]),
            against: None,
        })
    }

    /// A job of the draft that cannot be.
    pub(super) fn refusal_in(
        &self,
        draft: &Draft,
        error: RequestError,
        key: Key,
        against: Obstacle,
    ) -> Box<Refusal> {
        Box::new(Refusal {
            chain: self.links(&draft.path(key)),
            against: Some(against),
            ..*self.refusal(error, key)
        })
    }

    /// The contrary job in a unit's slot.
    pub(super) fn obstacle_job(&self, unit: UnitId) -> Obstacle {
        match self.installed(unit) {
            Some(job) => Obstacle::Job(job),
            None => Obstacle::Running(self.units[unit].active()),
        }
    }

    pub(super) fn links(&self, path: &Path) -> Vec<Link> {
        let link = |((unit, job), reason): &(Key, Reason)| Link {
            unit: self.units[*unit].name().clone(),
            job: *job,
            reason: *reason,
        };
        path.iter().map(link).collect()
    }
}
