//! Another suite of the distribution than the host's, from the host's mirror: with lists, cache and configuration of
//! its own, so that the host's apt neither sees it nor changes.

use super::Error;
use super::apt::{Package, run, said, text_of};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What of the host's configuration says how to reach a mirror and what to accept of it.
const TAKEN_OVER: [&str; 5] = [
    "Acquire::http",
    "Acquire::Check-",
    "Acquire::Force",
    "Acquire::Max-FutureTime ",
    "Acquire::Retries ",
];

/// Where the distribution keeps its keys, the new name first.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// Whether a suite has to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// By a key of this machine.
    Signed,
    /// By anybody or nobody.
    Anything,
}

/// A suite whose lists were fetched.
#[derive(Debug)]
pub struct Suite {
    name: String,
    directory: PathBuf,
}

impl Suite {
    /// Fetches the lists of the suite `name`; everything that apt writes is below `directory`.
    ///
    /// # Errors
    /// [`Error::NoMirror`], [`Error::Unreachable`], [`Error::Unsigned`]; a tool that is not there; a directory that
    /// cannot be written.
    pub fn fetch(name: &str, directory: &Path, trust: Trust) -> Result<Self, Error> {
        // Paths in apt's configuration are taken from a directory of the host unless they are absolute.
        let directory = std::path::absolute(directory).map_err(cache_error(directory))?;
        let suite = Self {
            name: name.to_owned(),
            directory,
        };
        let (mirror, settings) = (mirror()?, settings_of_host()?);
        suite.write("sources.list", &sources(&mirror, name, trust, keyring()))?;
        suite.write("status", "")?;
        suite.write("apt.conf", &configuration(&suite.directory, &settings))?;
        for directory in ["state/lists/partial", "cache/archives/partial"] {
            let path = suite.directory.join(directory);
            std::fs::create_dir_all(&path).map_err(cache_error(&path))?;
        }
        let mut command = suite.apt("apt-get");
        // Without it, old lists make up for new ones that cannot be had.
        command.args(["-q", "-o", "APT::Update::Error-Mode=any", "update"]);
        let output = run(&mut command, &format!("the lists of {name}"))?;
        if output.status.success() {
            return Ok(suite);
        }
        Err(suite.refused(&command, &output))
    }

    fn refused(&self, command: &Command, output: &Output) -> Error {
        let (suite, command) = (self.name.clone(), self.text_of(command));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let output = said(output);
        if ["NO_PUBKEY", "is not signed", "EXPKEYSIG", "Missing key", "BADSIG"]
            .iter()
            .any(|mark| text.contains(mark))
        {
            return Error::Unsigned {
                suite,
                command,
                output,
            };
        }
        Error::Unreachable {
            suite,
            command,
            output,
        }
    }

    /// The version of a package in the suite.
    ///
    /// # Errors
    /// [`Error::NoTool`].
    pub fn version(&self, package: &str) -> Result<Option<String>, Error> {
        let mut command = self.apt("apt-cache");
        command.args(["show", "--no-all-versions", "--", package]);
        let output = run(&mut command, package)?;
        let package = Package::parse(&String::from_utf8_lossy(&output.stdout));
        Ok(package.map(|package| package.version))
    }

    /// Unpacks the packages, all that they depend on and, if `recommends`, all that is recommended, into the directory
    /// `to`, one over the other as dpkg would. What maintainer scripts would do is not done. Returns names and
    /// versions.
    ///
    /// # Errors
    /// [`Error::Download`], [`Error::Unpack`], [`Error::NoTool`].
    pub fn unpack(
        &self,
        packages: &[&str],
        recommends: bool,
        to: &Path,
    ) -> Result<Vec<(String, String)>, Error> {
        let what = packages.join(" ");
        // Of its own, so that all in it belongs to these packages.
        let archives = tempfile::Builder::new()
            .prefix("archives-")
            .tempdir_in(&self.directory)
            .map_err(cache_error(&self.directory))?;
        let partial = archives.path().join("partial");
        std::fs::create_dir(&partial).map_err(cache_error(&partial))?;
        let mut command = self.apt("apt-get");
        command.args(["-q", "--yes", "--download-only", "-o"]);
        command.arg(format!("Dir::Cache::archives={}", archives.path().display()));
        command.arg(format!(
            "--{}install-recommends",
            if recommends { "" } else { "no-" }
        ));
        command.arg("install").args(packages);
        let output = run(&mut command, &what)?;
        if !output.status.success() {
            return Err(Error::Download {
                package: what,
                command: self.text_of(&command),
                output: said(&output),
            });
        }
        let mut found = Vec::new();
        let mut paths: Vec<PathBuf> = std::fs::read_dir(archives.path())
            .map_err(cache_error(archives.path()))?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .collect();
        paths.sort();
        for archive in paths {
            found.push(identity(&archive)?);
            let mut command = Command::new("dpkg-deb");
            command.arg("-x").arg(&archive).arg(to);
            checked(&mut command, &archive)?;
        }
        Ok(found)
    }

    /// An apt tool that reads this suite's configuration and nothing of the host's: hooks of the host would clean and
    /// refresh what belongs to the host.
    fn apt(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.env("APT_CONFIG", self.directory.join("apt.conf"));
        command
    }

    /// A command as one would type it.
    fn text_of(&self, command: &Command) -> String {
        let configuration = self.directory.join("apt.conf");
        format!("APT_CONFIG={} {}", configuration.display(), text_of(command))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        std::fs::create_dir_all(&self.directory).map_err(cache_error(&self.directory))?;
        let path = self.directory.join(name);
        std::fs::write(&path, text).map_err(cache_error(&path))
    }
}

fn cache_error(path: &Path) -> impl Fn(std::io::Error) -> Error + use<'_> {
    |source| Error::Cache {
        path: path.into(),
        source,
    }
}

/// Name and version of an archive, from its control file.
fn identity(archive: &Path) -> Result<(String, String), Error> {
    let mut command = Command::new("dpkg-deb");
    command
        .args(["--show", "--showformat=${Package} ${Version}"])
        .arg(archive);
    let output = checked(&mut command, archive)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match text.trim().split_once(' ') {
        Some((name, version)) => Ok((name.to_owned(), version.to_owned())),
        None => Err(unpack_error(&command, archive, &output)),
    }
}

fn checked(command: &mut Command, archive: &Path) -> Result<Output, Error> {
    let output = run(command, &archive.display().to_string())?;
    if output.status.success() {
        return Ok(output);
    }
    Err(unpack_error(command, archive, &output))
}

fn unpack_error(command: &Command, archive: &Path, output: &Output) -> Error {
    let name = archive.file_name().unwrap_or_default();
    Error::Unpack {
        package: name.to_string_lossy().into_owned(),
        command: text_of(command),
        output: said(output),
    }
}

/// The mirror that the host's own release comes from.
fn mirror() -> Result<String, Error> {
    let mut command = Command::new("apt-get");
    command.args([
        "indextargets",
        "--no-release-info",
        "--format",
        "$(RELEASE) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    ]);
    let output = run(&mut command, "the mirror of apt's sources")?;
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .unwrap_or_default();
    choose_mirror(&String::from_utf8_lossy(&output.stdout), codename).ok_or(Error::NoMirror)
}

/// The first with the host's release and the component main, else the first with the component main.
fn choose_mirror(targets: &str, codename: &str) -> Option<String> {
    let mut main = targets.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (release, component, mirror) = (words.next()?, words.next()?, words.next()?);
        (component == "main").then(|| (release.to_owned(), mirror.to_owned()))
    });
    let first = main.next()?;
    if first.0 == codename {
        return Some(first.1);
    }
    let own = main.find(|(release, _)| release == codename);
    Some(own.unwrap_or(first).1)
}

/// The host's way to a mirror, as lines of its configuration.
fn settings_of_host() -> Result<String, Error> {
    let output = run(Command::new("apt-config").arg("dump"), "apt's configuration")?;
    Ok(way_to_mirror(&String::from_utf8_lossy(&output.stdout)))
}

fn way_to_mirror(dump: &str) -> String {
    dump.lines()
        .filter(|line| TAKEN_OVER.iter().any(|setting| line.starts_with(setting)))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// apt.conf(5): what `APT_CONFIG` names is read first, and so says what of the host is read at all.
fn configuration(directory: &Path, settings: &str) -> String {
    let directory = directory.display();
    format!(
        "Dir::Etc::main \"/dev/null\";\n\
         Dir::Etc::parts \"/dev/null\";\n\
         Dir::Etc::sourcelist \"{directory}/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\n\
         Dir::State \"{directory}/state\";\n\
         Dir::State::status \"{directory}/status\";\n\
         Dir::Cache \"{directory}/cache\";\n\
         Dir::Cache::pkgcache \"\";\n\
         Dir::Cache::srcpkgcache \"\";\n\
         Acquire::Languages \"none\";\n\
         APT::Sandbox::User \"root\";\n\
         {settings}"
    )
}

/// sources.list(5): one line.
fn sources(mirror: &str, suite: &str, trust: Trust, keyring: Option<&str>) -> String {
    let options = match (trust, keyring) {
        (Trust::Anything, _) => "[trusted=yes] ".to_owned(),
        (Trust::Signed, Some(keyring)) => format!("[signed-by={keyring}] "),
        // What apt trusts by itself.
        (Trust::Signed, None) => String::new(),
    };
    format!("deb {options}{mirror} {suite} main\n")
}

fn keyring() -> Option<&'static str> {
    KEYRINGS.into_iter().find(|path| Path::new(path).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_hosts_own_release() {
        let targets = "stable-security main http://a/\nstable contrib http://b/\nstable main http://c/\n";
        assert_eq!(choose_mirror(targets, "stable").as_deref(), Some("http://c/"));
        assert_eq!(choose_mirror(targets, "other").as_deref(), Some("http://a/"));
        assert_eq!(choose_mirror("stable contrib http://b/\n", "stable"), None);
    }

    #[test]
    fn the_hosts_proxies_are_taken_over_and_its_hooks_are_not() {
        let dump = "Acquire::http::Proxy \"http://p/\";\nAPT::Update::Post-Invoke:: \"rm x\";\nAcquire::Check-Date \"false\";\n";
        assert_eq!(
            way_to_mirror(dump),
            "Acquire::http::Proxy \"http://p/\";\nAcquire::Check-Date \"false\";\n"
        );
        let text = configuration(Path::new("/cache"), "Acquire::Retries \"3\";\n");
        assert!(text.contains("Dir::State \"/cache/state\";") && text.ends_with("Acquire::Retries \"3\";\n"));
    }

    #[test]
    fn a_suite_is_trusted_by_its_keyring_unless_told_otherwise() {
        let line = |trust, keyring| sources("http://a/", "s", trust, keyring);
        assert_eq!(
            line(Trust::Signed, Some("/k")),
            "deb [signed-by=/k] http://a/ s main\n"
        );
        assert_eq!(line(Trust::Signed, None), "deb http://a/ s main\n");
        assert_eq!(
            line(Trust::Anything, Some("/k")),
            "deb [trusted=yes] http://a/ s main\n"
        );
    }

    #[test]
    fn a_missing_key_is_told_apart_from_a_missing_network() {
        let suite = Suite {
            name: "s".into(),
            directory: "/cache".into(),
        };
        let command = Command::new("apt-get");
        let output = |text: &str| Output {
            status: std::process::ExitStatus::default(),
            stdout: Vec::new(),
            stderr: text.as_bytes().to_vec(),
        };
        let unsigned = suite.refused(&command, &output("W: GPG error: NO_PUBKEY 1234"));
        assert!(
            unsigned.to_string().contains("debian-archive-keyring"),
            "{unsigned}"
        );
        let unreachable = suite.refused(&command, &output("E: Failed to fetch x"));
        assert!(matches!(unreachable, Error::Unreachable { .. }), "{unreachable}");
    }
}
