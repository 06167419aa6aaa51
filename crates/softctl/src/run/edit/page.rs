//! What a person sees who edits a drop-in: its text, and below it what it changes.

const BEGIN: &str = "### Write the drop-in between here and the next line of this kind.";
const END: &str = "### Nothing below this line is kept.";

/// The page for a drop-in at `place`; `below` are the other files of the unit, with their paths.
pub(super) fn page(place: &str, text: &str, below: &[(&str, String)]) -> String {
    let mut page = format!("### {place}\n{BEGIN}\n\n{text}\n\n{END}\n");
    for (path, text) in below {
        page.push_str(&format!("\n\n### {path}\n"));
        for line in text.lines() {
            page.push_str(format!("# {line}").trim_end());
            page.push('\n');
        }
    }
    page
}

/// What is to be kept of a page. Somebody may have removed the marks on purpose.
pub(super) fn between(page: &str) -> &str {
    let rest = page.split_once(BEGIN).map_or(page, |(_, rest)| rest);
    rest.split_once(END).map_or(rest, |(text, _)| text)
}

/// Without empty lines at both ends, and with a newline at the last; empty if nothing is there.
pub(super) fn tidy(text: &str) -> String {
    let text = text.trim_end();
    let skipped = text.lines().take_while(|line| line.trim().is_empty());
    let skipped: usize = skipped.map(|line| line.len() + 1).sum();
    match text.get(skipped..) {
        Some(text) if !text.is_empty() => format!("{text}\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_shown_and_comes_back_as_it_was() {
        let below = [("/usr/a.service", "[Service]\n\nExecStart=/x\n".to_owned())];
        let page = page("/etc/a.service.d/x.conf", "[Service]\nNice=1\n", &below);
        assert!(
            page.ends_with("### /usr/a.service\n# [Service]\n#\n# ExecStart=/x\n"),
            "{page}"
        );
        assert_eq!(tidy(between(&page)), "[Service]\nNice=1\n");
    }

    #[test]
    fn an_empty_page_is_empty_and_one_without_marks_is_all_kept() {
        assert_eq!(tidy(between(&page("/etc/a", "", &[]))), "");
        assert_eq!(tidy(between("\n \n[Unit]\n\n\n")), "[Unit]\n");
        assert_eq!(tidy(""), "");
        assert_eq!(tidy("  a\n"), "  a\n");
    }
}
