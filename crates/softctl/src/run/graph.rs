//! `list-dependencies` and `dot`.

use softboot_control::api::{DependenciesReply, Request};

use super::session::Session;
use super::single;
use crate::cli::{Dot, ListDependencies};
use crate::error::Error;
use crate::exit;
use crate::view::dot as dot_view;
use crate::view::tree;

/// What a unit needs (semantics 8.2).
const NEEDS: [&str; 6] = [
    "Requires",
    "Requisite",
    "Wants",
    "ConsistsOf",
    "BindsTo",
    "Upholds",
];
/// What needs it.
const NEEDED_BY: [&str; 6] = [
    "RequiredBy",
    "RequisiteOf",
    "WantedBy",
    "PartOf",
    "BoundBy",
    "UpheldBy",
];

pub(super) fn list_dependencies(session: &mut Session, list: &ListDependencies) -> Result<u8, Error> {
    let relations = relations(list);
    let name = session.unit(&single(&list.unit)?)?.unit.name;
    let reply = ask(session, &relations)?;
    let graph = tree::Graph::new(&reply.units, &relations);
    let rows = graph.walk(&name, list.all);
    if session.out.json() {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| serde_json::json!({ "unit": row.name, "depth": row.depth(), "active": row.active }))
            .collect();
        session.out.print_json(&rows)?;
    } else {
        session
            .out
            .show(&(), |view| tree::tree(&name, &rows, list.plain, view))?;
    }
    Ok(exit::OK)
}

pub(super) fn dot(session: &mut Session, dot: &Dot) -> Result<u8, Error> {
    let mut relations: Vec<&str> = Vec::new();
    if !dot.order {
        relations.extend(["Requires", "Requisite", "BindsTo", "Wants", "Conflicts"]);
    }
    if !dot.require {
        relations.push("After");
    }
    let reply = ask(session, &relations)?;
    session
        .out
        .show(&reply.units, |_| dot_view::dot(&reply.units, &dot.patterns))?;
    Ok(exit::OK)
}

fn relations(list: &ListDependencies) -> Vec<&'static str> {
    match (list.reverse, list.after, list.before) {
        (true, _, _) => NEEDED_BY.to_vec(),
        (_, true, _) => vec!["After"],
        (_, _, true) => vec!["Before"],
        _ => NEEDS.to_vec(),
    }
}

fn ask(session: &mut Session, relations: &[&str]) -> Result<DependenciesReply, Error> {
    let relations = relations.iter().map(|relation| (*relation).to_owned()).collect();
    session.call("list of dependencies", &Request::ListDependencies { relations })
}
