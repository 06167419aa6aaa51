//! Paths relative to the workspace, as text with `/`.

/// The directory that a file is in; empty at the top.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Follows `relative` from `directory`, with `.` and `..`. None if it leaves the workspace.
pub(super) fn join(directory: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(relative.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_followed_but_not_out_of_the_workspace() {
        assert_eq!(join("docs", "a.md").as_deref(), Some("docs/a.md"));
        assert_eq!(join("docs", "./../crates//x/").as_deref(), Some("crates/x"));
        assert_eq!(join("docs", "..").as_deref(), Some(""));
        assert_eq!((join("docs", "../../x"), join("docs", "/x")), (None, None));
        assert_eq!((parent("a/b/c"), parent("a")), ("a/b", ""));
    }
}
