//! `list-dependencies`.

use std::collections::{BTreeMap, BTreeSet};

use softboot_control::api::UnitNode;

use super::View;
use crate::names;
use crate::paint::{Tone, dot, tone_of_active};
use crate::text::clean;

/// Units and their partners in the relations that are looked at.
pub(crate) struct Graph<'a> {
    units: BTreeMap<&'a str, (&'a str, Vec<&'a str>)>,
}

/// A line of the tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    pub(crate) active: &'a str,
    /// For the unit and each one above it: whether it is the last of its siblings.
    last: Vec<bool>,
}

impl Row<'_> {
    /// 1 for what the unit itself needs.
    pub(crate) fn depth(&self) -> usize {
        self.last.len()
    }
}

impl<'a> Graph<'a> {
    /// Only these relations count; partners come by name.
    pub(crate) fn new(units: &'a [UnitNode], relations: &[&str]) -> Graph<'a> {
        let node = |unit: &'a UnitNode| {
            let lists = unit
                .dependencies
                .iter()
                .filter(|(relation, _)| relations.contains(&relation.as_str()));
            let partners: BTreeSet<&str> = lists.flat_map(|(_, names)| names).map(String::as_str).collect();
            (
                unit.name.as_str(),
                (unit.active.as_str(), partners.into_iter().collect()),
            )
        };
        Graph {
            units: units.iter().map(node).collect(),
        }
    }

    fn partners(&self, name: &str) -> &[&'a str] {
        self.units
            .get(name)
            .map_or(&[], |(_, partners)| partners.as_slice())
    }

    /// What `root` leads to, in the order of a tree. Targets are followed, other units only with `all`; each once, so
    /// that circles end and the size of the tree is that of the graph.
    pub(crate) fn walk(&self, root: &str, all: bool) -> Vec<Row<'a>> {
        let mut rows = Vec::new();
        let mut followed: BTreeSet<&str> = self
            .units
            .get_key_value(root)
            .map(|(name, _)| *name)
            .into_iter()
            .collect();
        // What is still to be shown, the next one last. Not by recursion: a chain may be long.
        let mut open: Vec<(&str, Vec<bool>)> = Vec::new();
        push_partners(&mut open, self.partners(root), &[]);
        while let Some((name, last)) = open.pop() {
            let active = self.units.get(name).map_or("inactive", |(active, _)| active);
            let follow = (all || names::type_of(name) == "target") && followed.insert(name);
            if follow {
                push_partners(&mut open, self.partners(name), &last);
            }
            rows.push(Row { name, active, last });
        }
        rows
    }
}

fn push_partners<'a>(open: &mut Vec<(&'a str, Vec<bool>)>, partners: &[&'a str], above: &[bool]) {
    for (position, name) in partners.iter().rev().enumerate() {
        let mut last = above.to_vec();
        last.push(position == 0);
        open.push((name, last));
    }
}

/// The unit, and below it what it leads to.
pub(crate) fn tree(root: &str, rows: &[Row<'_>], plain: bool, view: View) -> String {
    let mut out = format!("{}\n", view.paint.tone(Tone::Bold, &clean(root)));
    let mut seen = BTreeSet::new();
    for row in rows {
        if plain && !seen.insert(row.name) {
            continue;
        }
        let sign = view.paint.tone(tone_of_active(row.active), dot(row.active));
        let branch = if plain { "  ".to_owned() } else { branch(&row.last) };
        out.push_str(&format!("{sign} {branch}{}\n", clean(row.name)));
    }
    out
}

fn branch(last: &[bool]) -> String {
    let Some((own, above)) = last.split_last() else {
        return String::new();
    };
    let mut text: String = above.iter().map(|last| if *last { "  " } else { "│ " }).collect();
    text.push_str(if *own { "└─" } else { "├─" });
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::VIEW;
    use super::*;

    fn node(name: &str, active: &str, wants: &[&str]) -> UnitNode {
        let names = wants.iter().map(|name| (*name).to_owned()).collect();
        UnitNode {
            name: name.to_owned(),
            active: active.to_owned(),
            dependencies: BTreeMap::from([
                ("Wants".to_owned(), names),
                ("After".to_owned(), vec!["other.target".to_owned()]),
            ]),
            ..UnitNode::default()
        }
    }

    fn units() -> Vec<UnitNode> {
        vec![
            node("top.target", "active", &["a.target", "z.service"]),
            node("a.target", "active", &["b.service", "c.service", "top.target"]),
            node("b.service", "failed", &["d.service"]),
            node("c.service", "inactive", &[]),
            node("z.service", "active", &["b.service"]),
            node("d.service", "active", &[]),
        ]
    }

    #[test]
    fn targets_are_followed_and_circles_end() {
        let units = units();
        let rows = Graph::new(&units, &["Wants"]).walk("top.target", false);
        assert_eq!(
            tree("top.target", &rows, false, VIEW),
            "top.target\n\
             ● ├─a.target\n\
             × │ ├─b.service\n\
             ○ │ ├─c.service\n\
             ● │ └─top.target\n\
             ● └─z.service\n"
        );
    }

    #[test]
    fn with_all_every_unit_is_followed_once() {
        let units = units();
        let rows = Graph::new(&units, &["Wants"]).walk("top.target", true);
        let names: Vec<(&str, usize)> = rows.iter().map(|row| (row.name, row.depth())).collect();
        assert_eq!(
            names,
            [
                ("a.target", 1),
                ("b.service", 2),
                ("d.service", 3),
                ("c.service", 2),
                ("top.target", 2),
                ("z.service", 1),
                ("b.service", 2),
            ]
        );
        let text = tree("top.target", &rows, true, VIEW);
        assert_eq!(text.lines().count(), 7, "{text}");
        assert!(text.contains("×   b.service\n"));
    }
}
