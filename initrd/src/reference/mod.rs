//! A root file system with the distribution's newest systemd, to measure and to test against. Nothing of it is
//! installed on the host; it is built from packages of a suite, below a cache directory.
//!
//! It comes in two forms. [`Form::Stock`] is what the distribution would install: what is recommended comes along, and
//! what installing enables is enabled. [`Form::Stripped`] is the fastest fair configuration: nothing runs but PID 1 and what it is
//! given. `docs/reference.md` lists every difference of the two from an installed system.

mod error;
mod files;
mod strip;
mod tool;

pub use error::Error;
pub use tool::Tool;

use crate::packages::{Suite, Trust};
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest systemd that is worth comparing with: the first without cgroup v1, as the manager here.
pub const OLDEST: u32 = 258;

/// Changes with every change of what is built, so that no root of before is taken for one of now.
const RECIPE: u32 = 2;

/// How much of the distribution comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// systemd and the libraries it cannot do without; targets only, no generator, no log.
    Stripped,
    /// As installed.
    Stock,
}

impl Form {
    /// `stripped` or `stock`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stripped => "stripped",
            Self::Stock => "stock",
        }
    }

    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Stripped => &["systemd"],
            Self::Stock => &[
                "base-files",
                "base-passwd",
                "bash",
                "coreutils",
                "dbus",
                "libpam-systemd",
                "login",
                "mount",
                "systemd-sysv",
                "udev",
                "util-linux",
            ],
        }
    }
}

/// Where a root comes from.
#[derive(Clone, Debug)]
pub struct Request {
    /// The package cache; everything is written below it.
    pub cache: PathBuf,
    /// The suite, such as `forky`.
    pub suite: String,
    /// Whether it has to be signed.
    pub trust: Trust,
}

/// A root that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceRoot {
    /// The directory. Whoever boots it, boots a copy: see [`ReferenceRoot::copy_to`].
    pub path: PathBuf,
    /// Its form.
    pub form: Form,
    /// The suite it was built from.
    pub suite: String,
    /// The version of its package systemd.
    pub version: String,
    /// All its packages, with their versions.
    pub packages: Vec<(String, String)>,
}

/// What is written beside a root when it is whole.
#[derive(Serialize, Deserialize)]
struct Stamp {
    recipe: u32,
    version: String,
    packages: Vec<(String, String)>,
}

impl ReferenceRoot {
    /// The root in this form. One that was built before is given out again without a look at the network; remove it to
    /// have a newer one.
    ///
    /// # Errors
    /// A bad name; a suite that cannot be had ([`Error::is_unreachable`]); one whose systemd is older than [`OLDEST`]; a cache that
    /// cannot be written; a program of the root that fails.
    pub fn build(request: &Request, form: Form, progress: &mut dyn Progress) -> Result<Self, Error> {
        if !is_name(&request.suite) {
            return Err(Error::BadSuite(request.suite.clone()));
        }
        let home = request.cache.join("reference").join(&request.suite);
        let path = home.join(form.name());
        let stamp_path = home.join(format!("{}.json", form.name()));
        if let Some(stamp) = read_stamp(&stamp_path).filter(|_| path.is_dir()) {
            return Ok(stamp.root(path, form, &request.suite));
        }
        let step = format!("{} with systemd from {}", form.name(), request.suite);
        progress.step(&step, 0, 3);
        let suite = Suite::fetch(&request.suite, &home.join("apt"), request.trust)?;
        let offered = suite.version("systemd")?;
        check_version(&request.suite, offered.as_deref())?;
        progress.step(&step, 1, 3);

        let work = tempfile::Builder::new()
            .prefix(".root-")
            .tempdir_in(&home)
            .map_err(Error::of_file(&home))?;
        let root = work.path().join("root");
        files::links(&root)?;
        let packages = suite.unpack(form.packages(), form == Form::Stock, &root)?;
        progress.step(&step, 2, 3);
        let version = version_among(&packages);
        let (version, _) = check_version(&request.suite, version)?;
        files::base(&root, &version)?;
        match form {
            Form::Stripped => strip::strip(&root)?,
            Form::Stock => files::as_installed(&root)?,
        }

        let fail = Error::of_file(&path);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(&fail)?;
        }
        std::fs::rename(&root, &path).map_err(&fail)?;
        let stamp = Stamp {
            recipe: RECIPE,
            version,
            packages,
        };
        let text = serde_json::to_vec_pretty(&stamp).map_err(|error| fail(error.into()))?;
        // Last: an interrupted run leaves no stamp.
        std::fs::write(&stamp_path, text).map_err(Error::of_file(&stamp_path))?;
        progress.step(&step, 3, 3);
        Ok(stamp.root(path.clone(), form, &request.suite))
    }

    /// Copies it to `to`, which must not exist, with owners, modes and links.
    ///
    /// # Errors
    /// [`Error::Program`] with what cp(1) said.
    pub fn copy_to(&self, to: &Path) -> Result<(), Error> {
        let mut command = Command::new("cp");
        command
            .args(["--archive", "--reflink=auto", "--"])
            .arg(&self.path)
            .arg(to);
        tool::checked(&mut command)
    }

    /// One of its programs, with its loader and its libraries, to be run outside of the root.
    ///
    /// # Errors
    /// [`Error::Elf`] for a program that is not there or a library that is nowhere.
    pub fn tool(&self, path: &str) -> Result<Tool, Error> {
        Tool::of(&self.path, path)
    }
}

impl Stamp {
    fn root(self, path: PathBuf, form: Form, suite: &str) -> ReferenceRoot {
        ReferenceRoot {
            path,
            form,
            suite: suite.to_owned(),
            version: self.version,
            packages: self.packages,
        }
    }
}

/// It becomes a directory's name and a word of apt's sources.
fn is_name(suite: &str) -> bool {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    !suite.is_empty() && !suite.starts_with('.') && suite.chars().all(allowed)
}

fn read_stamp(path: &Path) -> Option<Stamp> {
    let text = std::fs::read(path).ok()?;
    let stamp: Stamp = serde_json::from_slice(&text).ok()?;
    (stamp.recipe == RECIPE).then_some(stamp)
}

fn version_among(packages: &[(String, String)]) -> Option<&str> {
    let systemd = packages.iter().find(|(name, _)| name == "systemd");
    systemd.map(|(_, version)| version.as_str())
}

/// The version and its first number, if it is new enough.
fn check_version(suite: &str, version: Option<&str>) -> Result<(String, u32), Error> {
    let version = version.ok_or_else(|| Error::NoSystemd {
        suite: suite.to_owned(),
    })?;
    // Without the epoch (deb-version(7)).
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    let digits = upstream
        .split(|character: char| !character.is_ascii_digit())
        .next();
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(number) if number >= OLDEST => Ok((version.to_owned(), number)),
        _ => Err(Error::TooOld {
            suite: suite.to_owned(),
            version: version.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_systemd_that_is_too_old_is_refused_by_its_first_number() {
        let number = |version: &str| check_version("s", Some(version)).map(|(_, number)| number);
        assert_eq!(number("262-1").unwrap(), 262);
        assert_eq!(number("1:258.1~rc1-2").unwrap(), 258);
        for old in ["257.9-1~deb13u1", "99", "x"] {
            let error = number(old).unwrap_err().to_string();
            assert!(error.contains(old) && error.contains("258"), "{error}");
        }
        assert!(
            check_version("s", None)
                .unwrap_err()
                .to_string()
                .contains("no systemd")
        );
    }

    #[test]
    fn a_suite_is_one_word_and_no_path() {
        for bad in ["", "../x", ".", "a/b", "a b", "a\nb"] {
            let request = Request {
                cache: "/nowhere".into(),
                suite: bad.into(),
                trust: Trust::Signed,
            };
            let built = ReferenceRoot::build(&request, Form::Stock, &mut crate::progress::Silent);
            assert!(matches!(built, Err(Error::BadSuite(_))), "{bad:?}");
        }
        assert!(is_name("bookworm-backports") && is_name("sid"));
    }

    #[test]
    fn a_root_that_was_built_is_given_out_again_and_one_of_another_recipe_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let home = cache.path().join("reference/s");
        std::fs::create_dir_all(home.join("stripped")).unwrap();
        let write = |recipe: u32| {
            let packages = vec![("systemd".to_owned(), "262-1".to_owned())];
            let version = "262-1".to_owned();
            let stamp = Stamp {
                recipe,
                version,
                packages,
            };
            std::fs::write(home.join("stripped.json"), serde_json::to_vec(&stamp).unwrap()).unwrap();
        };
        let request = Request {
            cache: cache.path().into(),
            suite: "s".into(),
            trust: Trust::Signed,
        };
        write(RECIPE);
        let mut silent = crate::progress::Silent;
        let root = ReferenceRoot::build(&request, Form::Stripped, &mut silent).unwrap();
        assert_eq!((root.version.as_str(), root.suite.as_str()), ("262-1", "s"));
        assert_eq!(root.path, home.join("stripped"));
        write(RECIPE + 1);
        assert!(read_stamp(&home.join("stripped.json")).is_none());
    }
}
