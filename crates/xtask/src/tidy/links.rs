//! Rule `links`: the links of the documents lead somewhere.
//!
//! Only what is in the repository is checked; the rest would need the network.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::finding::Findings;
use super::paths;
use super::tree::Tree;

/// Checks every link of every document.
pub(super) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::of("links");
    let documents: BTreeMap<&str, Document> = tree
        .ending(".md")
        .map(|(path, text)| (path, Document::read(text)))
        .collect();
    for (path, document) in &documents {
        for (line, link) in &document.links {
            if has_scheme(link) {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                Some((*path).to_owned())
            } else {
                paths::join(paths::parent(path), &decoded(file))
            };
            let Some(target) = target.filter(|target| tree.holds(target)) else {
                findings.add(
                    path,
                    *line,
                    format!("the link to {link} leads to nothing that is tracked"),
                    "links are relative to the document, and stay in the repository",
                );
                continue;
            };
            let lacking = documents
                .get(target.as_str())
                .is_some_and(|document| !anchor.is_empty() && !document.anchors.contains(&decoded(anchor)));
            if lacking {
                findings.add(
                    path,
                    *line,
                    format!("{target} has no heading #{anchor}"),
                    "an anchor is the heading in lower case, with - for each space and without punctuation",
                );
            }
        }
    }
    findings
}

/// What matters of a document.
#[derive(Default)]
struct Document {
    /// Line and destination.
    links: Vec<(usize, String)>,
    anchors: BTreeSet<String>,
}

impl Document {
    fn read(text: &str) -> Self {
        let mut document = Self::default();
        let mut heading: Option<String> = None;
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    let before = text.get(..range.start).unwrap_or_default();
                    let line = before.matches('\n').count() + 1;
                    document.links.push((line, dest_url.into_string()));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    if let Some(heading) = heading.take() {
                        document.add_anchor(&slug(&heading));
                    }
                }
                _ => {}
            }
        }
        document
    }

    /// The second heading of a name gets -1, and so on.
    fn add_anchor(&mut self, slug: &str) {
        let mut anchor = slug.to_owned();
        let mut count = 0;
        while !self.anchors.insert(anchor) {
            count += 1;
            anchor = format!("{slug}-{count}");
        }
    }
}

/// The anchor that the usual forges make of a heading.
fn slug(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            other => other.is_alphanumeric().then_some(other),
        })
        .collect()
}

/// Whether it begins with a scheme as of RFC 3986, section 3.1, or names a host.
fn has_scheme(link: &str) -> bool {
    let scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
    };
    link.starts_with("//") || link.split_once(':').is_some_and(|(before, _)| scheme(before))
}

/// Undoes percent-encoding (RFC 3986, section 2.1); what is none stays as it is.
fn decoded(link: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = link.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: &str = "# The `fd` store, v2!\n\n## Same\n\n## Same\n";

    fn found(text: &str) -> Vec<(usize, String)> {
        let files = [
            ("README.md", ""),
            ("docs/a.md", text),
            ("docs/b c.md", OTHER),
            ("docs/part/x.rs", ""),
        ];
        check(&Tree::of(&files))
            .list
            .into_iter()
            .map(|finding| (finding.line, finding.message))
            .collect()
    }

    #[test]
    fn links_to_files_directories_headings_and_the_network_pass() {
        let text = "# Own *heading*\n[a](../README.md) [b](part) [c](part/x.rs#L4) [d](#own-heading)\n\
                    [e](<b c.md>) [f](b%20c.md#the-fd-store-v2) [g](b%20c.md#same-1) [h](..)\n\
                    <https://example.invalid/gone> [i](mailto:a@example.invalid) [j][ref]\n\n[ref]: part/x.rs\n";
        assert_eq!(found(text), []);
    }

    #[test]
    fn a_link_to_nothing_is_found_at_its_line() {
        let text = "Text.\n\n[a](gone.md)\n![b](gone.png) [c](../../out.md) [d](/README.md)\n[e][ref]\n\n[ref]: gone\n";
        let lines: Vec<usize> = found(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [3, 4, 4, 4, 5]);
    }

    #[test]
    fn a_link_to_a_heading_that_is_not_there_is_found() {
        let text = "# One\n[a](#two)\n[b](b%20c.md#same-2)\n";
        assert_eq!(
            found(text),
            [
                (2, "docs/a.md has no heading #two".to_owned()),
                (3, "docs/b c.md has no heading #same-2".to_owned())
            ]
        );
    }

    #[test]
    fn what_only_looks_like_a_link_is_none() {
        assert_eq!(found("`[a](gone.md)`\n\n```text\n[a](gone.md)\n```\n"), []);
    }
}
