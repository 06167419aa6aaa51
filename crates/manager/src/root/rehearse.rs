//! The helper that rehearses a change of the root, before anything stops.
//!
//! It is this softbootd in a child that PID 1 makes to verify a handoff. In a mount table of its own it mounts the next
//! root, looks whether all is in it, and changes the root exactly as it will be done; then it becomes the next root's
//! `softbootd --verify`, which answers for itself. Everything it has done goes with it. PID 1 gets two descriptors: the
//! next root, mounted but attached nowhere, and its program.

use std::ffi::CString;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::process::ExitCode;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags, fstat, open, stat, statx};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use softboot_reexec::verify;

use super::{NEXT_ROOT_FD, Question, Report, carry, enter, image, inside, pins, talk};

/// Where an image is mounted for a moment.
const IMAGE_PLACE: &str = "/run/softboot/next-image";

/// Rehearses; returns only to say no.
pub(crate) fn rehearse_main() -> ExitCode {
    match rehearse() {
        Ok(never) => match never {},
        Err(None) => ExitCode::FAILURE,
        Err(Some((answer, reasons))) => match verify::answer_no(answer.as_fd(), &reasons) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
    }
}

type Refusal = Option<(OwnedFd, Vec<String>)>;

fn rehearse() -> Result<std::convert::Infallible, Refusal> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<i32>().ok();
    let (Some(talk), Some(answer)) = (number(NEXT_ROOT_FD), number(verify::VARIABLE)) else {
        return Err(None);
    };
    let mut taken = softboot_sys::inherited::take([talk, answer]).map_err(|_| None)?;
    let (Some(talk), Some(answer)) = (taken.remove(&talk), taken.remove(&answer)) else {
        return Err(None);
    };
    match prepare(&talk, &answer) {
        Ok(never) => Ok(never),
        Err(reasons) => Err(Some((answer, reasons))),
    }
}

fn prepare(talk: &OwnedFd, answer: &OwnedFd) -> Result<std::convert::Infallible, Vec<String>> {
    let one = |reason: String| vec![reason];
    let question: Question = talk::receive(talk)
        .map_err(one)?
        .ok_or_else(|| one("the helper for the next root was asked nothing".to_owned()))?
        .body;
    let about = |reason: String| format!("next root {}: {reason}", question.path.display());
    let kind = Kind::find(&question.path).map_err(|reason| one(about(reason)))?;
    let (carried, pinned) = (carry::points(&question.wanted), pins::find(&question.survivors));
    if kind == Kind::Current {
        let report = Report {
            pins: pinned,
            ..Report::default()
        };
        talk::send(talk, &report, &[]).map_err(one)?;
        let program =
            open(&question.program, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|error| {
                one(format!(
                    "{} cannot be opened: {error}",
                    question.program.display()
                ))
            })?;
        return Err(one(ask(&program, talk, answer)));
    }
    own_mount_table().map_err(|reason| one(about(reason)))?;
    let (tree, trial, source) = two_trees(&question.path, &kind).map_err(|reason| one(about(reason)))?;
    let found = inside::look(tree.as_fd(), &question.program)
        .map_err(|reasons| reasons.into_iter().map(about).collect::<Vec<_>>())?;
    let report = Report {
        os: found.os,
        source,
        program: found.program.clone(),
        pins: pinned,
        changes: true,
    };
    talk::send(talk, &report, &[tree.as_fd(), found.program_fd.as_fd()]).map_err(one)?;
    // Only PID 1 holds it from here on.
    drop(tree);
    enter::enter(trial.as_fd(), &carried).map_err(|reason| one(about(reason)))?;
    let same = |fd: &OwnedFd| fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
    let program = open(&found.program, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .ok()
        .filter(|program| same(program) == same(&found.program_fd))
        .ok_or_else(|| {
            one(about(format!(
                "{} is another one once it is the root",
                found.program.display()
            )))
        })?;
    drop(found.program_fd);
    Err(one(about(ask(&program, talk, answer))))
}

/// Becomes the next program. Returns only with the reason why not.
fn ask(program: &OwnedFd, talk: &OwnedFd, answer: &OwnedFd) -> String {
    for fd in [talk, answer] {
        // PID 1 has said which numbers it kept open, and the next program looks at all of them.
        if let Err(error) = fcntl_setfd(fd, FdFlags::empty()) {
            return format!("keeping descriptor {} open: {error}", fd.as_raw_fd());
        }
    }
    let name = std::env::args_os().next().unwrap_or_else(|| "softbootd".into());
    let Ok(name) = CString::new(name.into_vec()) else {
        return "the program's name".to_owned();
    };
    let env: Vec<CString> = std::env::vars_os()
        .filter(|(name, _)| name != NEXT_ROOT_FD)
        .filter_map(|(name, value)| {
            let mut pair = name.into_vec();
            pair.push(b'=');
            pair.extend(value.into_vec());
            CString::new(pair).ok()
        })
        .collect();
    let error = softboot_sys::exec::execveat(program.as_fd(), &[name, c"--verify".to_owned()], &env);
    format!("the next program cannot be started: {error}")
}

fn own_mount_table() -> Result<(), String> {
    let refused = |error: Errno| match error {
        Errno::PERM => "the root cannot be changed here: this container may not mount anything".to_owned(),
        error => format!("a mount table to rehearse in: {error}"),
    };
    softboot_sys::namespace::unshare_mounts().map_err(refused)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(refused)
}

/// What is at the path that was given.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// It is the root already.
    Current,
    Directory {
        mounted: bool,
    },
    Image {
        is_device: bool,
    },
}

impl Kind {
    fn find(path: &Path) -> Result<Kind, String> {
        let found = stat(path).map_err(|error| match (error, std::fs::read_link(path)) {
            (Errno::NOENT, Ok(target)) => format!("it is a link to {}, which is not there", target.display()),
            (Errno::NOENT, Err(_)) => "it is not there".to_owned(),
            (error, _) => error.to_string(),
        })?;
        let identity = |stat: &rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        if stat("/").is_ok_and(|root| identity(&root) == identity(&found)) {
            return Ok(Kind::Current);
        }
        if rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::Directory {
            let attributes = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS);
            let mounted = attributes.is_ok_and(|a| a.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
            return Ok(Kind::Directory { mounted });
        }
        match image::on_loop_device(&found) {
            Some((_, number)) if stat("/").is_ok_and(|root| root.st_dev == number) => {
                return Ok(Kind::Current);
            }
            Some((name, _)) => {
                return Err(format!(
                    "it is in use through /dev/{name}; unmount it there first"
                ));
            }
            None => {}
        }
        image::is_device(&found)
            .map(|is_device| Kind::Image { is_device })
            .ok_or_else(|| "it is neither a directory nor a disk image".to_owned())
    }
}

/// The next root twice, attached nowhere: one for PID 1, one for the rehearsal. And what it is, for people.
fn two_trees(path: &Path, kind: &Kind) -> Result<(OwnedFd, OwnedFd, String), String> {
    let failed = |error: Errno| format!("it cannot be mounted: {error}");
    let (from, source) = match *kind {
        Kind::Current | Kind::Directory { mounted: false } => (path, "directory".to_owned()),
        Kind::Directory { mounted: true } => (path, "mount".to_owned()),
        Kind::Image { is_device } => {
            let mounted = image::mount(path, is_device)?;
            enter::make_directory(IMAGE_PLACE)?;
            enter::attach(mounted.mount.as_fd(), IMAGE_PLACE)?;
            (Path::new(IMAGE_PLACE), format!("{} image", mounted.kind))
        }
    };
    let tree = enter::copy(from, true).map_err(failed)?;
    let trial = enter::copy(from, true).map_err(failed)?;
    if from == Path::new(IMAGE_PLACE) {
        unmount(IMAGE_PLACE, UnmountFlags::DETACH).map_err(failed)?;
        let _ = rustix::fs::rmdir(IMAGE_PLACE);
    }
    Ok((tree, trial, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(path: &Path) -> String {
        Kind::find(path).err().unwrap_or_default()
    }

    #[test]
    fn what_can_be_no_root_is_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/nowhere", &link).unwrap();
        assert!(reason(&link).contains("a link to /nowhere"));
        assert!(reason(&directory.path().join("absent")).contains("not there"));
        assert!(reason(Path::new("/dev/null")).contains("neither"));
    }

    #[test]
    fn the_own_root_is_known() {
        assert_eq!(Kind::find(Path::new("/")), Ok(Kind::Current));
        let proc = Kind::find(Path::new("/proc"));
        assert_eq!(proc, Ok(Kind::Directory { mounted: true }));
    }
}
