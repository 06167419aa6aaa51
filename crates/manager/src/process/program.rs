//! Finding the program file of a command.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Where a bare name is searched (semantics 4.10).
const SEARCH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// `PATH` for services.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file to execute. An absolute path is taken as it is: execve says what is wrong with it.
pub(crate) fn find(path: &str) -> Result<PathBuf, String> {
    if path.starts_with('/') {
        return Ok(PathBuf::from(path));
    }
    candidates(path)
        .into_iter()
        .find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
        .ok_or_else(|| format!("no program {path:?} in {PATH}"))
}

/// Where the file may be, in another root that only the child can look into.
pub(crate) fn candidates(path: &str) -> Vec<PathBuf> {
    if path.starts_with('/') {
        return vec![PathBuf::from(path)];
    }
    SEARCH
        .iter()
        .map(|directory| Path::new(directory).join(path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_names_are_searched_and_paths_are_not() {
        assert!(find("sh").unwrap().is_absolute());
        assert_eq!(find("/no/such/file").unwrap(), Path::new("/no/such/file"));
        assert!(
            find("no-such-program-here")
                .unwrap_err()
                .contains("no-such-program-here")
        );
    }
}
