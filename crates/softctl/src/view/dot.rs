//! Dependencies for Graphviz.

use softboot_control::api::{UnitNode, glob_match};

/// The colour of each relation; the same as other tools use.
fn colour(relation: &str) -> &'static str {
    match relation {
        "Requires" => "black",
        "Requisite" => "darkblue",
        "BindsTo" => "gold",
        "Wants" => "grey66",
        "Conflicts" => "red",
        _ => "green",
    }
}

/// A directed graph. With patterns only what one end of matches.
pub(crate) fn dot(units: &[UnitNode], patterns: &[String]) -> String {
    let matches =
        |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| glob_match(pattern, name));
    let mut out = "digraph units {\n".to_owned();
    for unit in units {
        for (relation, partners) in &unit.dependencies {
            for partner in partners
                .iter()
                .filter(|partner| matches(&unit.name) || matches(partner))
            {
                out.push_str(&format!(
                    "\t{} -> {} [color=\"{}\"];\n",
                    quoted(&unit.name),
                    quoted(partner),
                    colour(relation)
                ));
            }
        }
    }
    out.push_str("}\n");
    out
}

fn quoted(name: &str) -> String {
    format!(
        "\"{}\"",
        crate::text::clean(name)
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn each_dependency_is_an_edge_of_its_colour() {
        let unit = UnitNode {
            name: "a\\x2d.service".to_owned(),
            dependencies: BTreeMap::from([
                ("Requires".to_owned(), vec!["b.socket".to_owned()]),
                (
                    "After".to_owned(),
                    vec!["b.socket".to_owned(), "c.target".to_owned()],
                ),
            ]),
            ..UnitNode::default()
        };
        assert_eq!(
            dot(std::slice::from_ref(&unit), &[]),
            "digraph units {\n\
             \t\"a\\\\x2d.service\" -> \"b.socket\" [color=\"green\"];\n\
             \t\"a\\\\x2d.service\" -> \"c.target\" [color=\"green\"];\n\
             \t\"a\\\\x2d.service\" -> \"b.socket\" [color=\"black\"];\n\
             }\n"
        );
        let few = dot(&[unit], &["c.*".to_owned()]);
        assert_eq!(few.matches("->").count(), 1, "{few}");
    }
}
