//! The few calls to apt and dpkg.

use super::Error;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// apt, with a directory to download into.
#[derive(Debug)]
pub(super) struct Apt<'a> {
    cache: &'a Path,
    updated: Cell<bool>,
}

/// What apt says about a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) section: String,
    /// `Pre-Depends` and `Depends`: names, each with its alternatives.
    pub(super) depends: Vec<Vec<String>>,
    /// Whether a source has this version; one that is only installed here has no file anywhere.
    pub(super) offered: bool,
}

impl Package {
    /// A shared library: section `libs`, or `oldlibs` for one that waits to be removed; Ubuntu writes
    /// `universe/libs`.
    pub(super) fn is_library(&self) -> bool {
        matches!(self.section.rsplit('/').next(), Some("libs" | "oldlibs"))
    }

    /// Of all versions in the order of `apt-cache show`, newest first, the first that a source has.
    pub(super) fn parse_offered(text: &str) -> Option<Self> {
        let mut stanzas = text
            .split("\n\n")
            .filter_map(|stanza| Self::parse(stanza.trim_start()));
        stanzas.find(|package| package.offered)
    }

    /// Reads the first stanza of `apt-cache show` (deb-control(5)).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut package = Self::default();
        for line in text.lines().take_while(|line| !line.is_empty()) {
            let Some((field, value)) = line.split_once(": ") else {
                continue;
            };
            match field {
                "Package" => package.name = value.into(),
                "Version" => package.version = value.into(),
                "Section" => package.section = value.into(),
                "Filename" => package.offered = true,
                "Depends" | "Pre-Depends" => package.depends.extend(parse_depends(value)),
                _ => {}
            }
        }
        (!package.name.is_empty() && !package.version.is_empty()).then_some(package)
    }
}

/// `a (>= 1), b:any | c [amd64]` as names with their alternatives.
fn parse_depends(text: &str) -> Vec<Vec<String>> {
    text.split(',')
        .map(|one| {
            one.split('|')
                .filter_map(|name| {
                    name.split([' ', '(', ':', '[', '<'])
                        .find(|part| !part.is_empty())
                })
                .map(str::to_owned)
                .collect()
        })
        .filter(|alternatives: &Vec<String>| !alternatives.is_empty())
        .collect()
}

impl<'a> Apt<'a> {
    /// Makes the cache directory.
    pub(super) fn new(cache: &'a Path) -> Result<Self, Error> {
        std::fs::create_dir_all(cache).map_err(|source| Error::Cache {
            path: cache.into(),
            source,
        })?;
        Ok(Self {
            cache,
            updated: Cell::new(false),
        })
    }

    /// What apt knows of the version of a package that it would install, or where that is installed here and nowhere to be
    /// had, of the newest that is; `None` when it does not know it. As root, lists that do not know it are fetched once.
    pub(super) fn show(&self, name: &str) -> Result<Option<Package>, Error> {
        let ask = |versions: &str| -> Result<String, Error> {
            let output = run(
                Command::new("apt-cache").args(["show", versions, "--", name]),
                name,
            )?;
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let ask = || -> Result<Option<Package>, Error> {
            match Package::parse(&ask("--no-all-versions")?) {
                Some(installed) if !installed.offered => {
                    Ok(Package::parse_offered(&ask("--all-versions")?).or(Some(installed)))
                }
                other => Ok(other),
            }
        };
        match ask()? {
            None if self.lists_are_empty() && self.update()? => ask(),
            other => Ok(other),
        }
    }

    /// The name of the architecture the host's packages are for.
    pub(super) fn architecture(&self) -> Result<String, Error> {
        let output = run(
            Command::new("dpkg").arg("--print-architecture"),
            "the architecture",
        )?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Downloads a package and unpacks it to `to`, which then is complete or not there at all.
    pub(super) fn download_and_unpack(&self, name: &str, version: &str, to: &Path) -> Result<(), Error> {
        let cache_error = |path: &Path, source| Error::Cache {
            path: path.into(),
            source,
        };
        let work = tempfile::Builder::new()
            .prefix(".fetch-")
            .tempdir_in(self.cache)
            .map_err(|source| cache_error(self.cache, source))?;
        let archive = self.download(name, version, work.path())?;
        let unpacked = work.path().join("root");
        let mut command = Command::new("dpkg-deb");
        command.arg("-x").arg(&archive).arg(&unpacked);
        let output = run(&mut command, name)?;
        if !output.status.success() {
            return Err(Error::Unpack {
                package: name.into(),
                command: text_of(&command),
                output: said(&output),
            });
        }
        std::fs::rename(&unpacked, to).map_err(|source| cache_error(to, source))
    }

    fn download(&self, name: &str, version: &str, to: &Path) -> Result<PathBuf, Error> {
        let mut command = Command::new("apt-get");
        // As root, apt would fetch as the user _apt, who may not write into this directory.
        if rustix::process::geteuid().is_root() {
            command.args(["-o", "APT::Sandbox::User=root"]);
        }
        command
            .args(["-q", "download", &format!("{name}={version}")])
            .current_dir(to);
        let output = run(&mut command, name)?;
        let archive = std::fs::read_dir(to)
            .map_err(|source| Error::Cache {
                path: to.into(),
                source,
            })?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
        match archive {
            Some(archive) if output.status.success() => Ok(archive),
            _ => Err(Error::Download {
                package: name.into(),
                command: text_of(&command),
                output: said(&output),
            }),
        }
    }

    /// Whether `apt-get update` never ran here, or its lists were removed, as container images do.
    fn lists_are_empty(&self) -> bool {
        let lists = std::fs::read_dir("/var/lib/apt/lists");
        !lists.is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
            })
        })
    }

    /// Fetches the lists, as root and once. Whether they were.
    pub(super) fn update(&self) -> Result<bool, Error> {
        if self.updated.replace(true) || !rustix::process::geteuid().is_root() {
            return Ok(false);
        }
        let output = run(
            Command::new("apt-get").args(["-q", "update"]),
            "the package lists",
        )?;
        Ok(output.status.success())
    }
}

/// Runs a tool in the language of its manual.
pub(super) fn run(command: &mut Command, what: &str) -> Result<Output, Error> {
    command
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(std::process::Stdio::null());
    command.output().map_err(|source| Error::NoTool {
        tool: command.get_program().to_string_lossy().into_owned(),
        what: what.into(),
        source,
    })
}

/// A command as one would type it.
pub(super) fn text_of(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// The last lines of what a command said.
pub(super) fn said(output: &Output) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(4))
        .copied()
        .collect::<Vec<_>>()
        .join("; ")
}
