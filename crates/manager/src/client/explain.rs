//! `Explain`: what a job would do.

use softboot_control::api::{self, ApiError, ExplainReply, ExplainRequest};
use softboot_engine::{DropReason, InstalledJob, Link, Obstacle, Plan, Refusal};
use softboot_unit::JobMode;

use super::answers::api_error;
use super::calls::{WantedJob, from_word};
use super::describe::word;
use crate::run::Manager;

impl Manager {
    pub(super) fn explain(&mut self, client: u64, wanted: &ExplainRequest) {
        let job = WantedJob::of(&wanted.job);
        let (Some(job), Some(mode)) = (job, from_word::<JobMode>(&wanted.mode)) else {
            let message = format!("there is no job {:?} with mode {:?}", wanted.job, wanted.mode);
            return self.reply_error(client, &ApiError::Failed { message });
        };
        let unit = match self.find_or_load(&wanted.name) {
            Ok(unit) => unit,
            Err(error) => return self.reply_error(client, &error),
        };
        let kind = job.kind(self.engine.can_reload(unit));
        let Some(name) = self.engine.name(unit).cloned() else {
            return;
        };
        let reply = match self.engine.plan(kind, &name, mode) {
            Ok(plan) => of_plan(plan),
            Err(refusal) => ExplainReply {
                refusal: Some(of_refusal(&refusal)),
                ..ExplainReply::default()
            },
        };
        self.reply(client, &reply);
    }
}

fn of_plan(plan: Plan) -> ExplainReply {
    ExplainReply {
        jobs: plan
            .jobs
            .into_iter()
            .map(|job| api::PlannedJob {
                unit: job.unit.to_string(),
                job: word(job.job),
                matters: job.matters,
                chain: chain(&job.chain),
                joins: job.joins.as_ref().map(installed),
            })
            .collect(),
        dropped: plan
            .dropped
            .into_iter()
            .map(|job| api::DroppedJob {
                unit: job.unit.to_string(),
                job: word(job.job),
                why: why(&job.why),
                chain: chain(&job.chain),
            })
            .collect(),
        cancelled: plan.cancelled.iter().map(installed).collect(),
        refusal: None,
    }
}

fn of_refusal(refusal: &Refusal) -> api::Refusal {
    api::Refusal {
        error: api_error(&refusal.error).name(),
        message: refusal.to_string(),
        unit: refusal.unit.to_string(),
        job: word(refusal.job),
        chain: chain(&refusal.chain),
        against: match &refusal.against {
            Some(Obstacle::Job(job)) => Some(installed(job)),
            _ => None,
        },
    }
}

fn chain(links: &[Link]) -> Vec<api::ChainLink> {
    links
        .iter()
        .map(|link| api::ChainLink {
            unit: link.unit.to_string(),
            job: word(link.job),
            reason: link.reason.to_string(),
        })
        .collect()
}

fn installed(job: &InstalledJob) -> api::InstalledJob {
    api::InstalledJob {
        id: job.id.0,
        unit: job.unit.to_string(),
        job: word(job.job),
        running: job.running,
        irreversible: job.irreversible,
    }
}

fn why(reason: &DropReason) -> String {
    match reason {
        DropReason::Impossible(error) => error.to_string(),
        DropReason::Redundant => "the unit is in that state already".to_owned(),
        DropReason::StopsRunning => "it would stop a running unit, and is not needed that much".to_owned(),
        DropReason::ContraryJob => "the unit has a contrary job, and this is not needed that much".to_owned(),
        DropReason::Circle(units) => {
            let names: Vec<_> = units.iter().map(ToString::to_string).collect();
            format!("it closes a circle of orders: {}", names.join(" before "))
        }
        DropReason::Contradicts(job) => format!("the same request wants a {} of the unit", word(*job)),
        DropReason::Without { unit, job } => {
            format!("it makes no sense without the {} of {unit}", word(*job))
        }
        DropReason::Unneeded => "nothing that is left wants it".to_owned(),
    }
}
