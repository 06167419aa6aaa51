//! One page that needs nothing but itself: no network, no script, light and dark, and fit for paper.
//!
//! Drawings are stretched to the width of the page; what is text stands outside of them, so that it is as large on a
//! telephone as it is on a screen.

mod about;
mod latency;
mod overview;
mod scale;
mod section;
mod strip;
mod waterfall;

use maud::{DOCTYPE, PreEscaped, html};

use crate::result::Results;

const STYLE: &str = include_str!("page.css");

/// The page.
pub fn page(results: &Results) -> String {
    let sections = section::sections(results);
    let mut managers: Vec<&str> = Vec::new();
    for run in &results.runs {
        let manager = run.labels.manager.as_str();
        if !manager.is_empty() && !managers.contains(&manager) {
            managers.push(manager);
        }
    }
    let events: usize = results.runs.iter().map(|run| run.events.len()).sum();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Grey-out" @if !managers.is_empty() { ": " (managers.join(", ")) } }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Grey-out" }
                    p {
                        @if !managers.is_empty() { (managers.join(" beside ")) ": " }
                        (events) " events in " (results.runs.len()) " records"
                    }
                }
                main {
                    @if sections.is_empty() {
                        p { "There is no event in these records, so there is no grey-out to show." }
                    } @else {
                        (overview::draw(results, &sections, &managers))
                        @for section in &sections { (section::draw(results, section)) }
                    }
                    (about::draw(results))
                }
            }
        }
    }
    .into_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Outcome;
    use crate::result::tests::results;

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let page = page(&results(&[
            ("old & <slow>", &[150, 148, 152], Outcome::Refused),
            ("new", &[15, 14, 15], Outcome::Reset),
        ]));
        for outside in [
            "<script", "<link", "src=", "url(", "@import", "http://", "https://",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("old &amp; &lt;slow&gt;") && !page.contains("<slow>"));
        assert!(page.contains("prefers-color-scheme: dark"));
        assert!(page.contains("@media print"));
        assert!(
            page.contains("0.100x old") || page.contains("0.099x old") || page.contains("0.11x old"),
            "the ratio"
        );
    }

    #[test]
    fn a_result_without_events_says_so() {
        let mut results = results(&[("a", &[15], Outcome::Reset)]);
        results.groups.clear();
        assert!(page(&results).contains("no grey-out to show"));
    }
}
