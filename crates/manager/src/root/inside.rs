//! What has to be in a next root: an operating system, a softbootd for this machine, unit files.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use softboot_unit::UnitName;

use crate::paths;

/// What was found.
pub(super) struct Inside {
    /// Where its softbootd is, as seen from its root.
    pub(super) program: PathBuf,
    /// That program, O_PATH.
    pub(super) program_fd: OwnedFd,
    /// What it calls itself.
    pub(super) os: String,
}

/// Opens a path as a process would whose root is `root`: no link leads out of it.
pub(super) fn open_in(root: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Looks for everything, and says all that is missing. `own` is where the running program is installed.
pub(super) fn look(root: BorrowedFd<'_>, own: &Path) -> Result<Inside, Vec<String>> {
    let mut reasons = Vec::new();
    let os = os_name(root);
    if os.is_none() {
        reasons.push(
            "it is no operating system: neither /etc/os-release nor /usr/lib/os-release is in it".to_owned(),
        );
    }
    if !has_units(root) {
        reasons.push("there is no unit file in it".to_owned());
    }
    let program = program(root, own).map_err(|reason| reasons.push(reason));
    match (program, os) {
        (Ok((program, program_fd)), Some(os)) if reasons.is_empty() => Ok(Inside {
            program,
            program_fd,
            os,
        }),
        _ => Err(reasons),
    }
}

fn os_name(root: BorrowedFd<'_>) -> Option<String> {
    let files = ["etc/os-release", "usr/lib/os-release"];
    let mut found = files
        .iter()
        .filter_map(|file| open_in(root, Path::new(file), OFlags::RDONLY).ok());
    let mut text = String::new();
    // A file as long as that is none.
    File::from(found.next()?)
        .take(1 << 16)
        .read_to_string(&mut text)
        .ok()?;
    Some(pretty_name(&text))
}

/// PRETTY_NAME of os-release(5), or its NAME, or a word for a system that does not say.
fn pretty_name(text: &str) -> String {
    let value = |key: &str| {
        let assigned = |line: &'_ str| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
        text.lines().find_map(assigned)
    };
    let name = value("PRETTY_NAME").or_else(|| value("NAME"));
    name.map_or_else(
        || "a system without a name".to_owned(),
        |name| name.trim_matches(['"', '\'']).to_owned(),
    )
}

fn has_units(root: BorrowedFd<'_>) -> bool {
    // What is in /run belongs to this userspace and would be carried over.
    let paths = softboot_unit::default_paths();
    paths
        .iter()
        .filter(|path| !path.starts_with("/run/"))
        .filter_map(|path| open_in(root, Path::new(path), OFlags::RDONLY | OFlags::DIRECTORY).ok())
        .filter_map(|directory| Dir::read_from(directory).ok())
        .any(|directory| {
            directory
                .flatten()
                .any(|entry| is_unit(entry.file_name().to_bytes()))
        })
}

fn is_unit(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| UnitName::new(name).is_ok())
}

/// The first of: where the running program is installed, where packages put it, the customary name of an init.
fn program(root: BorrowedFd<'_>, own: &Path) -> Result<(PathBuf, OwnedFd), String> {
    let mut tried = Vec::new();
    for path in [own, Path::new(paths::INSTALLED), Path::new("/sbin/init")] {
        if tried.contains(&path) {
            continue;
        }
        tried.push(path);
        match open_in(root, path, OFlags::PATH) {
            Ok(fd) => {
                suitable(root, path, &fd).map_err(|reason| format!("{} in it {reason}", path.display()))?;
                return Ok((path.to_owned(), fd));
            }
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => return Err(format!("{} in it cannot be opened: {error}", path.display())),
        }
    }
    let tried: Vec<_> = tried.iter().map(|path| path.to_string_lossy()).collect();
    Err(format!(
        "there is no softbootd in it: none of {}",
        tried.join(", ")
    ))
}

/// A program that this kernel could start as far as its first bytes tell.
fn suitable(root: BorrowedFd<'_>, path: &Path, fd: &OwnedFd) -> Result<(), String> {
    let stat = fstat(fd).map_err(|error| format!("cannot be looked at: {error}"))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err("is no file".to_owned());
    }
    if stat.st_mode & 0o111 == 0 {
        return Err("is not executable".to_owned());
    }
    let found = open_in(root, path, OFlags::RDONLY)
        .map_err(|error| format!("cannot be read: {error}"))
        .and_then(|file| machine(File::from(file)))?;
    let own = File::open("/proc/self/exe")
        .map_err(|error| error.to_string())
        .and_then(machine)?;
    if found == own {
        return Ok(());
    }
    Err(format!(
        "is a program for another machine ({}, this is {})",
        found.name(),
        own.name()
    ))
}

/// Word size, byte order and e_machine of an ELF header (elf(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Machine {
    class: u8,
    order: u8,
    number: [u8; 2],
}

impl Machine {
    fn name(self) -> String {
        let number = if self.order == 2 {
            u16::from_be_bytes(self.number)
        } else {
            u16::from_le_bytes(self.number)
        };
        match number {
            3 => "x86".to_owned(),
            40 => "ARM".to_owned(),
            62 => "x86-64".to_owned(),
            183 => "AArch64".to_owned(),
            243 => "RISC-V".to_owned(),
            other => format!("ELF machine {other}"),
        }
    }
}

fn machine(mut file: File) -> Result<Machine, String> {
    let mut header = [0; 20];
    let read = file.read_exact(&mut header);
    match (read, header) {
        (Ok(()), [0x7f, b'E', b'L', b'F', class, order, .., low, high]) => Ok(Machine {
            class,
            order,
            number: [low, high],
        }),
        _ => Err("is no program: it has no ELF header".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, openat};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    const OWN: &str = "/opt/softbootd";

    fn root() -> (tempfile::TempDir, OwnedFd) {
        let directory = tempfile::tempdir().unwrap();
        for below in ["etc", "opt", "sbin", "usr/lib/softboot", "usr/lib/systemd/system"] {
            fs::create_dir_all(directory.path().join(below)).unwrap();
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, directory.path(), flags, Mode::empty()).unwrap();
        (directory, fd)
    }

    fn complete(directory: &Path) {
        fs::write(directory.join("etc/os-release"), "NAME=x\nPRETTY_NAME=\"X 2\"\n").unwrap();
        fs::write(directory.join("usr/lib/systemd/system/a.service"), "").unwrap();
        fs::copy("/proc/self/exe", directory.join("usr/lib/softboot/softbootd")).unwrap();
    }

    fn reasons(fd: &OwnedFd) -> String {
        match look(fd.as_fd(), Path::new(OWN)) {
            Ok(inside) => panic!("{}", inside.program.display()),
            Err(reasons) => reasons.join("; "),
        }
    }

    #[test]
    fn a_complete_root_has_a_name_and_a_program() {
        let (directory, fd) = root();
        complete(directory.path());
        let inside = look(fd.as_fd(), Path::new(OWN)).unwrap_or_else(|reasons| panic!("{reasons:?}"));
        assert_eq!(
            (inside.os.as_str(), inside.program.as_path()),
            ("X 2", Path::new(paths::INSTALLED))
        );
        // The place of the running program comes first.
        fs::copy("/proc/self/exe", directory.path().join("opt/softbootd")).unwrap();
        let inside = look(fd.as_fd(), Path::new(OWN)).unwrap_or_else(|reasons| panic!("{reasons:?}"));
        assert_eq!(inside.program, Path::new(OWN));
    }

    #[test]
    fn everything_that_is_missing_is_said_at_once() {
        let (_directory, fd) = root();
        let reasons = reasons(&fd);
        for wanted in ["no operating system", "no unit file", "no softbootd"] {
            assert!(reasons.contains(wanted), "{reasons}");
        }
    }

    #[test]
    fn a_program_that_cannot_run_here_is_no_softbootd() {
        let (directory, fd) = root();
        complete(directory.path());
        let program = directory.path().join("opt/softbootd");
        fs::write(&program, "not a program").unwrap();
        assert!(reasons(&fd).contains("not executable"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(reasons(&fd).contains("no ELF header"));
        let mut other = fs::read("/proc/self/exe").unwrap();
        other.truncate(64);
        other[18..20].copy_from_slice(&[0xf7, 0]);
        fs::write(&program, other).unwrap();
        assert!(
            reasons(&fd).contains("another machine (ELF machine 247"),
            "{}",
            reasons(&fd)
        );
    }

    #[test]
    fn no_link_leads_out_of_the_root() {
        let (directory, fd) = root();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("etc/os-release")).unwrap();
        assert!(reasons(&fd).contains("no operating system"));
    }
}
