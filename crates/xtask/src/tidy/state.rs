//! Rule `state`: the description of the snapshot names the members that its types have.

use syn::{Fields, Item};

use super::finding::Findings;
use super::tree::Tree;

/// The description.
const DOCUMENT: &str = "docs/state-format.md";

/// Compares each row `type | file | members` with the type.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::of("state");
    let Some(text) = tree.text(DOCUMENT) else {
        return findings;
    };
    let mut rows = 0;
    for (number, line) in text.lines().enumerate() {
        let Some((name, file, described)) = row(line) else {
            continue;
        };
        rows += 1;
        let advice = "think of the version that reads or writes it without, then change the description";
        match tree.text(&file).map(|source| members(source, &name)) {
            None | Some(None) => {
                findings.add(DOCUMENT, number + 1, format!("{file} has no type {name}"), advice)
            }
            Some(Some(members)) if members != described => findings.add(
                DOCUMENT,
                number + 1,
                format!("the members of {name} are {}", members.join(", ")),
                advice,
            ),
            Some(Some(_)) => {}
        }
    }
    if rows == 0 {
        findings.add(
            DOCUMENT,
            1,
            "it names no type",
            "its table has rows | `Type` | `file` | members |",
        );
    }
    findings
}

/// A row of the table.
fn row(line: &str) -> Option<(String, String, Vec<String>)> {
    let mut cells = line
        .strip_prefix('|')?
        .strip_suffix('|')?
        .split('|')
        .map(str::trim);
    let mut code = || Some(cells.next()?.strip_prefix('`')?.strip_suffix('`')?.to_owned());
    let (name, file) = (code()?, code()?);
    let members = cells.next()?.split(", ").map(str::to_owned).collect();
    Some((name, file, members))
}

/// The members of a struct of this file, in order.
fn members(source: &str, name: &str) -> Option<Vec<String>> {
    let file = syn::parse_file(source).ok()?;
    let fields = file.items.iter().find_map(|item| match item {
        Item::Struct(found) if found.ident == name => Some(&found.fields),
        _ => None,
    })?;
    let Fields::Named(named) = fields else {
        return None;
    };
    Some(
        named
            .named
            .iter()
            .filter_map(|field| Some(field.ident.as_ref()?.to_string()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str, source: &str) -> Vec<String> {
        let tree = Tree::of(&[(DOCUMENT, document), ("a.rs", source)]);
        check(&tree)
            .list
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn a_member_that_is_not_described_is_found() {
        let document = "| type | file | members |\n|---|---|---|\n| `A` | `a.rs` | x, y |\n";
        let same = "/// A.\npub(crate) struct A<'a> {\n    x: u8,\n    pub y: &'a str,\n}\n";
        assert!(found(document, same).is_empty());
        assert_eq!(
            found(document, "struct A { x: u8, y: u8, z: u8 }"),
            ["the members of A are x, y, z"]
        );
        assert_eq!(found(document, "struct B { x: u8 }"), ["a.rs has no type A"]);
        assert_eq!(found("# State\n", same), ["it names no type"]);
    }
}
