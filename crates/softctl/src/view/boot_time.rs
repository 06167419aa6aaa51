//! What took how long since this userspace began.

use std::collections::{BTreeMap, BTreeSet};

use softboot_control::api::{TimelineReply, UnitNode, UnitTimes};

use super::View;
use crate::paint::Tone;
use crate::text::clean;
use crate::time::span;

/// Units whose start was completed in this userspace, and how long it took; the longest first.
pub(crate) fn starts(timeline: &TimelineReply) -> Vec<(u64, &str)> {
    let mut list: Vec<(u64, &str)> = timeline
        .units
        .iter()
        .filter_map(|unit| Some((took(&unit.times, timeline.started_usec)?, unit.name.as_str())))
        .filter(|(usec, _)| *usec > 0)
        .collect();
    list.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    list
}

/// How long a start took; `None` for one that was not in this userspace or is not done.
fn took(times: &UnitTimes, started: u64) -> Option<u64> {
    let (exit, enter) = (times.inactive_exit_usec?, times.active_enter_usec?);
    (exit >= started).then(|| enter.checked_sub(exit)).flatten()
}

/// `blame`.
pub(crate) fn blame(list: &[(u64, &str)]) -> String {
    let lines: Vec<(String, &str)> = list.iter().map(|(usec, name)| (span(*usec), *name)).collect();
    let width = lines.iter().map(|(span, _)| span.len()).max().unwrap_or(0);
    lines
        .iter()
        .map(|(span, name)| format!("{span:>width$} {}\n", clean(name)))
        .collect()
}

/// A unit of the chain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link<'a> {
    pub(crate) name: &'a str,
    /// When it was active, counted from the beginning of this userspace.
    pub(crate) at: Option<u64>,
    /// How long its start took.
    pub(crate) took: Option<u64>,
}

/// A unit, the one of those it comes after that was active last before its own start was done, and so on.
pub(crate) fn chain<'a>(root: &'a str, timeline: &'a TimelineReply, units: &'a [UnitNode]) -> Vec<Link<'a>> {
    let times: BTreeMap<&str, &UnitTimes> = timeline
        .units
        .iter()
        .map(|unit| (unit.name.as_str(), &unit.times))
        .collect();
    let after: BTreeMap<&str, &[String]> = units
        .iter()
        .filter_map(|unit| Some((unit.name.as_str(), unit.dependencies.get("After")?.as_slice())))
        .collect();
    let started = timeline.started_usec;
    // A unit that runs since before this userspace was waited for by nobody.
    let entered = |name: &str| times.get(name)?.active_enter_usec.filter(|at| *at >= started);
    let mut links = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = Some(root);
    while let Some(name) = next.filter(|name| seen.insert(*name)) {
        let at = entered(name);
        links.push(Link {
            name,
            at: at.map(|at| at.saturating_sub(started)),
            took: times.get(name).and_then(|times| took(times, started)),
        });
        let limit = at.unwrap_or(u64::MAX);
        let earlier = after.get(name).copied().unwrap_or_default().iter();
        next = earlier
            .filter_map(|name| Some((entered(name).filter(|at| *at <= limit)?, name.as_str())))
            .max()
            .map(|(_, name)| name);
    }
    links
}

/// `critical-chain`.
pub(crate) fn critical_chain(links: &[Link<'_>], view: View) -> String {
    let mut out = String::new();
    for (depth, link) in links.iter().enumerate() {
        if let Some(indent) = depth.checked_sub(1) {
            out.push_str(&format!("{:indent$}└─", "", indent = 2 * indent));
        }
        let mut text = clean(link.name);
        if let Some(at) = link.at {
            text.push_str(&format!(" @{}", span(at)));
        }
        match link.took.filter(|took| *took > 0) {
            Some(took) => {
                let slow = view.paint.tone(Tone::Bad, &format!("{text} +{}", span(took)));
                out.push_str(&slow);
            }
            None => out.push_str(&text),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::VIEW;
    use super::*;
    use softboot_control::api::UnitTimeline;

    fn unit(name: &str, exit: u64, enter: Option<u64>) -> UnitTimeline {
        UnitTimeline {
            name: name.to_owned(),
            active: "active".to_owned(),
            times: UnitTimes {
                inactive_exit_usec: Some(exit),
                active_enter_usec: enter,
                ..UnitTimes::default()
            },
        }
    }

    fn timeline() -> TimelineReply {
        TimelineReply {
            started_usec: 1_000_000,
            boot_finished_usec: Some(4_000_000),
            units: vec![
                unit("top.target", 3_500_000, Some(3_500_000)),
                unit("slow.service", 1_500_000, Some(3_400_000)),
                unit("quick.service", 1_200_000, Some(1_212_000)),
                unit("base.target", 1_400_000, Some(1_400_000)),
                unit("survivor.service", 100, Some(900_000)),
                unit("starting.service", 2_000_000, None),
            ],
        }
    }

    fn node(name: &str, after: &[&str]) -> UnitNode {
        let names = after.iter().map(|name| (*name).to_owned()).collect();
        UnitNode {
            name: name.to_owned(),
            dependencies: BTreeMap::from([("After".to_owned(), names)]),
            ..UnitNode::default()
        }
    }

    #[test]
    fn the_slowest_start_is_blamed_first_and_survivors_are_not() {
        assert_eq!(
            blame(&starts(&timeline())),
            "1.900s slow.service\n  12ms quick.service\n"
        );
    }

    #[test]
    fn the_chain_goes_through_what_was_waited_for_last() {
        let timeline = timeline();
        let units = [
            node(
                "top.target",
                &["quick.service", "slow.service", "survivor.service"],
            ),
            node("slow.service", &["base.target", "starting.service", "top.target"]),
            node("base.target", &["base.target", "survivor.service"]),
        ];
        let links = chain("top.target", &timeline, &units);
        assert_eq!(
            critical_chain(&links, VIEW),
            "top.target @2.500s\n└─slow.service @2.400s +1.900s\n  └─base.target @400ms\n"
        );
    }

    #[test]
    fn a_unit_that_never_ran_is_a_chain_of_one() {
        let timeline = timeline();
        let links = chain("x.service", &timeline, &[]);
        assert_eq!(critical_chain(&links, VIEW), "x.service\n");
    }
}
