//! Tables of units, jobs and descriptors.

use softboot_control::api::{FdInfo, JobInfo, UnitInfo};

use super::{View, count};
use crate::paint::{Tone, dot, tone_of_active, tone_of_load};
use crate::table::{Cell, Column, list, table};
use crate::text::Cut;

const UNITS: [Column; 6] = [
    Column::fixed(" "),
    Column::shrinking("UNIT", 20, Cut::Middle),
    Column::fixed("LOAD"),
    Column::fixed("ACTIVE"),
    Column::fixed("SUB"),
    Column::shrinking("DESCRIPTION", 20, Cut::End),
];

const JOBS: [Column; 4] = [
    Column::fixed("JOB"),
    Column::shrinking("UNIT", 20, Cut::Middle),
    Column::fixed("TYPE"),
    Column::fixed("STATE"),
];

const FDS: [Column; 5] = [
    Column::shrinking("NAME", 12, Cut::Middle),
    Column::fixed("KIND"),
    Column::fixed("INODE"),
    Column::fixed("COOKIE"),
    Column::shrinking("PATH", 8, Cut::Middle),
];

/// `list-units`; `plain` without the mark before each.
pub(crate) fn units(units: &[UnitInfo], plain: bool, view: View) -> String {
    if units.is_empty() {
        return nothing("No units.", view);
    }
    let skipped = usize::from(plain);
    let rows: Vec<Vec<Cell>> = units
        .iter()
        .map(|unit| unit_row(unit).into_iter().skip(skipped).collect())
        .collect();
    let failed = units.iter().filter(|unit| unit.active == "failed").count();
    let failed = if failed == 0 {
        String::new()
    } else {
        format!(", {failed} failed")
    };
    let footer = format!("{}{failed}", count(units.len(), "unit"));
    list(UNITS.get(skipped..).unwrap_or_default(), &rows, &footer, view)
}

/// What is said of an empty list, where anything is said of lists.
pub(crate) fn nothing(text: &str, view: View) -> String {
    if view.legend {
        format!("{text}\n")
    } else {
        String::new()
    }
}

fn unit_row(unit: &UnitInfo) -> Vec<Cell> {
    let tone = tone_of_active(&unit.active);
    let job = unit
        .job
        .as_ref()
        .map_or_else(String::new, |job| format!(" [{}]", job.kind));
    vec![
        Cell::new(dot(&unit.active), tone),
        Cell::from(&unit.name),
        Cell::new(&unit.load, tone_of_load(&unit.load)),
        Cell::new(&unit.active, tone),
        Cell::from(format!("{}{job}", unit.sub)),
        Cell::from(&unit.description),
    ]
}

/// Which other jobs are shown below each job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobOrder<'a> {
    /// All there are.
    pub(crate) all: &'a [JobInfo],
    /// Those that it waits for.
    pub(crate) after: bool,
    /// Those that wait for it.
    pub(crate) before: bool,
}

impl JobOrder<'_> {
    fn rows(self, job: &JobInfo) -> Vec<Vec<Cell>> {
        let row = |what: &str, other: &JobInfo| {
            let text = format!("└─{what} job {} ({}/{})", other.id, other.unit, other.kind);
            vec!["".into(), text.into(), "".into(), "".into()]
        };
        let after = self.all.iter().filter(|other| job.waits_for.contains(&other.id));
        let before = self.all.iter().filter(|other| other.waits_for.contains(&job.id));
        let after = after.filter(|_| self.after).map(|other| row("waits for", other));
        after
            .chain(before.filter(|_| self.before).map(|other| row("holds up", other)))
            .collect()
    }
}

/// `list-jobs`.
pub(crate) fn jobs(jobs: &[JobInfo], order: JobOrder<'_>, view: View) -> String {
    if jobs.is_empty() {
        return nothing("No jobs.", view);
    }
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for job in jobs {
        let tone = if job.state == "running" {
            Tone::Notice
        } else {
            Tone::Plain
        };
        rows.push(vec![
            job.id.to_string().into(),
            (&job.unit).into(),
            (&job.kind).into(),
            Cell::new(&job.state, tone),
        ]);
        rows.extend(order.rows(job));
    }
    list(&JOBS, &rows, &count(jobs.len(), "job"), view)
}

/// `fdstore`, and the part of `status`.
pub(crate) fn fds(fds: &[FdInfo], view: View) -> String {
    if fds.is_empty() {
        return "No descriptors are stored.\n".to_owned();
    }
    let rows: Vec<Vec<Cell>> = fds
        .iter()
        .map(|fd| {
            let cookie = fd
                .cookie
                .map_or_else(|| "-".to_owned(), |cookie| cookie.to_string());
            vec![
                (&fd.name).into(),
                (&fd.kind).into(),
                fd.inode.to_string().into(),
                cookie.into(),
                (&fd.path).into(),
            ]
        })
        .collect();
    table(&FDS, &rows, view.width, view.paint)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{VIEW, survivor, unit};
    use super::*;
    use softboot_control::api::JobBrief;

    #[test]
    fn units_are_a_table_with_a_sum() {
        let mut starting = unit("slow.service", "activating", "start");
        starting.job = Some(JobBrief {
            id: 3,
            kind: "start".to_owned(),
        });
        let list = [unit("a.service", "failed", "failed"), starting];
        assert_eq!(
            units(&list, false, VIEW),
            "   UNIT          LOAD    ACTIVE      SUB            DESCRIPTION\n\
             ×  a.service     loaded  failed      failed         The a.service\n\
             ●  slow.service  loaded  activating  start [start]  The slow.service\n\
             \n\
             2 units, 1 failed.\n"
        );
        assert_eq!(units(&[], false, VIEW), "No units.\n");
        let bare = View {
            legend: false,
            ..VIEW
        };
        assert_eq!(
            units(&list, true, bare),
            "a.service     loaded  failed      failed         The a.service\n\
             slow.service  loaded  activating  start [start]  The slow.service\n"
        );
        assert_eq!(units(&[], false, bare), "");
    }

    #[test]
    fn a_long_name_still_fits_eighty_columns() {
        let long = format!("{}.service", "very-long-name-".repeat(10));
        let text = units(&[unit(&long, "active", "running")], false, VIEW);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let full = units(
            &[unit(&long, "active", "running")],
            false,
            View { width: None, ..VIEW },
        );
        assert!(full.contains(&long));
    }

    #[test]
    fn jobs_are_a_table_with_a_sum() {
        let job = JobInfo {
            id: 12,
            unit: "a.service".to_owned(),
            kind: "start".to_owned(),
            state: "waiting".to_owned(),
            waits_for: vec![7],
        };
        let first = JobInfo {
            id: 7,
            unit: "b.service".to_owned(),
            kind: "stop".to_owned(),
            state: "running".to_owned(),
            waits_for: Vec::new(),
        };
        let all = [first, job.clone()];
        let order = |after, before| JobOrder {
            all: &all,
            after,
            before,
        };
        assert_eq!(
            jobs(&all, order(true, true), VIEW),
            "JOB  UNIT                                 TYPE   STATE\n\
             7    b.service                            stop   running\n     \
             └─holds up job 12 (a.service/start)\n\
             12   a.service                            start  waiting\n     \
             └─waits for job 7 (b.service/stop)\n\n2 jobs.\n"
        );
        assert_eq!(
            jobs(&[job], order(false, false), VIEW),
            "JOB  UNIT       TYPE   STATE\n12   a.service  start  waiting\n\n1 job.\n"
        );
    }

    #[test]
    fn descriptors_show_what_they_are() {
        assert_eq!(
            fds(&survivor().detail.fds, VIEW),
            "NAME   KIND    INODE  COOKIE  PATH\n\
             conn   socket  4711   78      socket:[4711]\n\
             state  memfd   12     -       /memfd:state (deleted)\n"
        );
    }
}
