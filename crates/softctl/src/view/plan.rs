//! What a job would do, for people.

use softboot_control::api::{ChainLink, ExplainReply};

use super::View;
use crate::paint::Tone;
use crate::table::{Cell, Column, table};
use crate::text::Cut;

/// The jobs, those that were left out, and those that would be cancelled; or the refusal with its chain.
pub(crate) fn plan(title: &str, reply: &ExplainReply, view: &View) -> String {
    let mut out = format!("{title}:\n");
    if let Some(refusal) = &reply.refusal {
        out.push_str(&format!("  refused: {}\n", crate::text::clean(&refusal.message)));
        return out;
    }
    let rows: Vec<Vec<Cell>> = reply
        .jobs
        .iter()
        .map(|job| {
            let because = match &job.joins {
                Some(job) => format!("joins job {}", job.id),
                None => because(&job.chain),
            };
            vec![
                Cell::new(&job.job, Tone::Bold),
                Cell::from(&job.unit),
                Cell::from(because),
            ]
        })
        .collect();
    if rows.is_empty() {
        out.push_str("  nothing to do\n");
    } else {
        out.push_str(&rows_of(&["JOB", "UNIT", "BECAUSE"], &rows, view));
    }
    let dropped: Vec<Vec<Cell>> = reply
        .dropped
        .iter()
        .map(|job| vec![Cell::from(&job.job), Cell::from(&job.unit), Cell::from(&job.why)])
        .collect();
    if !dropped.is_empty() {
        out.push('\n');
        out.push_str(&rows_of(&["LEFT OUT", "UNIT", "WHY"], &dropped, view));
    }
    let cancelled: Vec<Vec<Cell>> = reply
        .cancelled
        .iter()
        .map(|job| {
            let state = if job.running { "running" } else { "waiting" };
            vec![
                Cell::from(&job.job),
                Cell::from(&job.unit),
                Cell::from(format!("job {}, {state}", job.id)),
            ]
        })
        .collect();
    if !cancelled.is_empty() {
        out.push('\n');
        out.push_str(&rows_of(&["CANCELLED", "UNIT", "WHICH"], &cancelled, view));
    }
    out
}

fn rows_of(titles: &[&'static str; 3], rows: &[Vec<Cell>], view: &View) -> String {
    let [first, second, third] = *titles;
    let columns = [
        Column::fixed(first),
        Column::shrinking(second, 20, Cut::Middle),
        Column::shrinking(third, 20, Cut::End),
    ];
    table(&columns, rows, view.width, view.paint)
}

/// What the last step of a chain says: the rest is in the rows above.
fn because(chain: &[ChainLink]) -> String {
    match chain {
        [.., before, last] => format!("{} of {}", last.reason, before.unit),
        [only] => only.reason.clone(),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures;
    use softboot_control::api::{DroppedJob, InstalledJob, PlannedJob, Refusal};

    fn link(unit: &str, job: &str, reason: &str) -> ChainLink {
        ChainLink {
            unit: unit.to_owned(),
            job: job.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn job(unit: &str, chain: Vec<ChainLink>) -> PlannedJob {
        PlannedJob {
            unit: unit.to_owned(),
            job: "start".to_owned(),
            matters: true,
            chain,
            joins: None,
        }
    }

    #[test]
    fn a_plan_says_of_each_job_who_wants_it() {
        let asked = link("web.service", "start", "requested");
        let other = InstalledJob {
            id: 7,
            unit: "old.service".to_owned(),
            job: "start".to_owned(),
            running: true,
            irreversible: false,
        };
        let reply = ExplainReply {
            jobs: vec![
                job("web.service", vec![asked.clone()]),
                job(
                    "db.service",
                    vec![asked.clone(), link("db.service", "start", "Requires")],
                ),
            ],
            dropped: vec![DroppedJob {
                unit: "x.service".to_owned(),
                job: "start".to_owned(),
                why: "the unit is in that state already".to_owned(),
                chain: vec![asked],
            }],
            cancelled: vec![other],
            refusal: None,
        };
        let text = plan("start of web.service", &reply, &fixtures::VIEW);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "start of web.service:",
                "JOB    UNIT         BECAUSE",
                "start  web.service  requested",
                "start  db.service   Requires of web.service",
                "",
                "LEFT OUT  UNIT       WHY",
                "start     x.service  the unit is in that state already",
                "",
                "CANCELLED  UNIT         WHICH",
                "start      old.service  job 7, running",
            ]
        );
    }

    #[test]
    fn a_refusal_is_one_sentence_and_nothing_is_a_plan_too() {
        let refusal = Refusal {
            message: "cannot".to_owned(),
            ..Refusal::default()
        };
        let refused = ExplainReply {
            refusal: Some(refusal),
            ..ExplainReply::default()
        };
        assert_eq!(plan("t", &refused, &fixtures::VIEW), "t:\n  refused: cannot\n");
        assert_eq!(
            plan("t", &ExplainReply::default(), &fixtures::VIEW),
            "t:\n  nothing to do\n"
        );
    }
}
