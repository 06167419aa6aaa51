//! PID 1's part of a change of the root: asking, holding what was found, ordering the switch, learning its outcome.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::epoll::EventFlags;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, StatxAttributes, StatxFlags, open, statx};
use rustix::process::{chdir, chroot, fchdir};
use softboot_control::api::{NextRoot, RootPin};
use softboot_engine::ActiveState;
use softboot_reexec::verify::Verification;
use softboot_sys::spawn::{SpawnPlan, spawn};
use softboot_unit::{KindSection, Usec};
use tracing::{error, info};

use super::enter::Way;
use super::{NEXT_ROOT_FD, NEXTROOT, OLD_ROOT, Order, Outcome, Question, Report, Survivor, talk};
use crate::clock;
use crate::cycles::Mark;
use crate::handoff::{Kind, command_line};
use crate::owner::{self, Role};
use crate::process::signal_process;
use crate::run::{Alarm, Manager, Source};

/// How long the switch may take. It moves a few mounts, but a disk may have to be read for it.
const SWITCH_LIMIT: Usec = Usec::from_secs(60);
const SIGKILL: i32 = 9;
/// The store's name of a helper's end of the socket, while the helper is started.
const HELPER: &str = "next-root";

/// Which root a soft-reboot is wanted in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum RootWish {
    /// The one at /run/nextroot, if there is something.
    #[default]
    Prepared,
    /// The one we have.
    Same,
    /// This one.
    At(PathBuf),
}

/// A change of the root, from the rehearsal to the switch.
pub(crate) struct RootChange {
    path: PathBuf,
    talk: OwnedFd,
    report: Report,
    stage: Stage,
}

enum Stage {
    Asked,
    /// Nothing to change: it is the root already.
    Nothing,
    Held(Held),
    Switching(Held, OwnedFd),
    Done,
}

/// The next root, mounted and attached nowhere, and its program. Closing the last descriptor unmounts it, which may wait
/// for a disk.
struct Held {
    descriptors: Option<(OwnedFd, OwnedFd)>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let descriptors = self.descriptors.take();
        // Without a thread it has to be here.
        let _ = std::thread::Builder::new()
            .name("unmount".to_owned())
            .spawn(move || drop(descriptors));
    }
}

impl RootChange {
    /// The root is the next one already.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// The root will be another one.
    pub(crate) fn changes(&self) -> bool {
        matches!(self.stage, Stage::Held(_))
    }

    /// For the answer to `--check`.
    pub(crate) fn describe(&self) -> (Option<NextRoot>, Vec<RootPin>) {
        let root = matches!(self.stage, Stage::Held(_)).then(|| NextRoot {
            path: self.path.to_string_lossy().into_owned(),
            source: self.report.source.clone(),
            os: self.report.os.clone(),
            program: self.report.program.to_string_lossy().into_owned(),
        });
        (root, self.report.pins.clone())
    }

    /// The helper's report, once the next program has said yes. Returns the program to execute; `None`: the one that
    /// was meant without a change of the root.
    pub(crate) fn accept(&mut self) -> Result<Option<OwnedFd>, String> {
        let message =
            talk::receive::<Report>(&self.talk)?.ok_or("the helper for the next root has said nothing")?;
        self.report = message.body;
        if !self.report.changes {
            self.stage = Stage::Nothing;
            return Ok(None);
        }
        let mut fds = message.fds.into_iter();
        let (Some(tree), Some(program)) = (fds.next(), fds.next()) else {
            return Err("the helper for the next root has not passed it on".to_owned());
        };
        let copy = program
            .try_clone()
            .map_err(|error| format!("the next root's program: {error}"))?;
        info!(
            "the next root is the {} {} ({})",
            self.report.source,
            self.path.display(),
            self.report.os
        );
        self.stage = Stage::Held(Held {
            descriptors: Some((tree, program)),
        });
        Ok(Some(copy))
    }
}

/// True when there is something at the usual place. An empty directory is what a mount left behind.
fn is_prepared() -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let Ok(found) = statx(CWD, NEXTROOT, flags, StatxFlags::TYPE) else {
        return false;
    };
    let directory = FileType::from_raw_mode(found.stx_mode.into()) == FileType::Directory;
    if !directory || found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        // Not looked into here: what is behind it may be a disk that does not answer.
        return true;
    }
    std::fs::read_dir(NEXTROOT).is_ok_and(|mut entries| entries.next().is_some())
}

impl Manager {
    /// The root that a soft-reboot should change to, if any.
    pub(crate) fn wanted_root(&self, kind: Kind, wish: &RootWish) -> Option<PathBuf> {
        match (kind, wish) {
            (Kind::Reexec, _) | (_, RootWish::Same) => None,
            (Kind::SoftReboot, RootWish::At(path)) => Some(path.clone()),
            (Kind::SoftReboot, RootWish::Prepared) => is_prepared().then(|| PathBuf::from(NEXTROOT)),
        }
    }

    /// Starts the rehearsal, which becomes the next root's verification.
    pub(crate) fn rehearse_root(
        &mut self,
        path: PathBuf,
    ) -> Result<(OwnedFd, Verification, RootChange), String> {
        let own = open_own_program()?;
        let (talk, theirs) = talk::pair()?;
        let question = Question {
            path: path.clone(),
            program: self.facts.program.clone(),
            wanted: self.mounts_of_units(),
            survivors: self.survivors_of_the_root(),
        };
        talk::send(&talk, &question, &[])?;
        let entry = self.keep(owner::MANAGER, HELPER, theirs)?;
        let number = self.store.fd(entry).map_or(-1, |fd| fd.as_raw_fd());
        let started = self.with_snapshot(Kind::SoftReboot, |manager| {
            let handoff = manager.store.handoff().map_err(|error| error.to_string())?;
            let (argv, env) = helper_command("--rehearse-root", number)?;
            crate::fault::kernel("child")?;
            Verification::start(own.as_fd(), &argv, &env, &handoff).map_err(|error| error.to_string())
        });
        self.drop_entry(None, entry);
        let verification = started?;
        // Replaced by the next root's program when that has said yes, unless the root stays.
        let program = match open(&self.facts.program, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Ok(program) => program,
            Err(_) => own,
        };
        let change = RootChange {
            path,
            talk,
            report: Report::default(),
            stage: Stage::Asked,
        };
        Ok((program, verification, change))
    }

    /// Mount points below /run that units have and keep.
    fn mounts_of_units(&self) -> Vec<PathBuf> {
        let points = self.engine.ids().filter_map(|unit| {
            let KindSection::Mount(mount) = &self.engine.definition(unit)?.kind else {
                return None;
            };
            let active = self.engine.active(unit)? == ActiveState::Active;
            (active && mount.where_.starts_with("/run/")).then(|| PathBuf::from(&mount.where_))
        });
        points.collect()
    }

    fn survivors_of_the_root(&self) -> Vec<Survivor> {
        let survivors = self.engine.survivors().into_iter().filter_map(|unit| {
            let name = self.engine.name(unit)?;
            let cgroup = self.cgroups.path(&self.cgroup_of(name)?);
            let owner = Role::Store.of(name);
            let stored = self.store.entries_of(&owner);
            Some(Survivor {
                unit: name.to_string(),
                cgroup,
                stored: stored.map(|entry| entry.fd().as_raw_fd()).collect(),
            })
        });
        survivors.collect()
    }

    /// Before the exec of a soft-reboot: true when the root is the one to execute in. Otherwise the switch is under way,
    /// and [`Manager::root_switch_readable`] follows.
    pub(crate) fn root_is_ready(&mut self) -> bool {
        let Some(mut change) = self.take_root_change() else {
            return true;
        };
        let (stage, ready) = match std::mem::replace(&mut change.stage, Stage::Nothing) {
            Stage::Held(held) => match self.start_switch(&change.path, &held) {
                Ok((talk, helper)) => {
                    change.talk = talk;
                    (Stage::Switching(held, helper), false)
                }
                Err(reason) => {
                    self.stay_in_root(&reason);
                    return true;
                }
            },
            Stage::Switching(held, helper) => (Stage::Switching(held, helper), false),
            other => (other, true),
        };
        change.stage = stage;
        self.put_root_change(change);
        ready
    }

    fn stay_in_root(&mut self, reason: &str) {
        error!("the root cannot be changed, the soft-reboot goes on in the old one: {reason}");
        let installed = open(&self.facts.program, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        match installed.or_else(|_| own_program()) {
            Ok(program) => self.execute_instead(program),
            Err(error) => error!("{error}"),
        }
    }

    fn start_switch(&mut self, path: &Path, held: &Held) -> Result<(OwnedFd, OwnedFd), String> {
        let Some((tree, _)) = &held.descriptors else {
            return Err("there is no next root".to_owned());
        };
        self.mark(Kind::SoftReboot, Mark::Switching);
        // The change of the root takes along who is in the old one's top directory.
        chdir("/").map_err(|error| format!("entering /: {error}"))?;
        let own = open_own_program()?;
        let (talk, theirs) = talk::pair()?;
        let order = Order {
            path: path.to_owned(),
            wanted: self.mounts_of_units(),
        };
        talk::send(&talk, &order, &[tree.as_fd()])?;
        let (argv, env) = helper_command("--switch-root", theirs.as_raw_fd())?;
        let null = std::fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map_err(|error| format!("/dev/null: {error}"))?;
        let stdio: [BorrowedFd<'_>; 3] = [null.as_fd(), null.as_fd(), null.as_fd()];
        let mut plan = SpawnPlan::new(c"".to_owned(), argv, env, stdio);
        plan.exec_fd = Some(own.as_fd());
        plan.keep = vec![theirs.as_fd()];
        let helper = spawn(&plan).map_err(|error| error.to_string())?.pidfd;
        self.poll
            .watch(Source::RootSwitch, &talk, EventFlags::IN)
            .map_err(|error| format!("watching the switch: {error}"))?;
        self.timers
            .set(Alarm::RootSwitch, clock::monotonic().plus(SWITCH_LIMIT));
        Ok((talk, helper))
    }

    /// The switching helper said something, or is gone.
    pub(crate) fn root_switch_readable(&mut self) {
        let Some(mut change) = self.take_root_change() else {
            // The socket went with the change.
            return self.poll.forget(Source::RootSwitch, None::<OwnedFd>);
        };
        let outcome = match talk::receive::<Outcome>(&change.talk) {
            Ok(None) => return self.put_root_change(change),
            Ok(Some(message)) => message.body,
            Err(reason) => Outcome::Failed(format!("the helper is gone: {reason}")),
        };
        self.stop_watching_switch(&change);
        let Stage::Switching(mut held, _) = std::mem::replace(&mut change.stage, Stage::Nothing) else {
            return self.put_root_change(change);
        };
        let done = match outcome {
            Outcome::Done(way) => enter_too(way, &held),
            Outcome::Failed(reason) => Err(reason),
        };
        match done {
            Ok(()) => {
                info!("the root is now {} ({})", change.path.display(), change.report.os);
                self.facts.program = change.report.program.clone();
                change.stage = Stage::Done;
                // Attached now, so closing it unmounts nothing.
                held.descriptors = None;
                // Until the next program is in charge the helper holds the old root.
                let talk = change.talk.try_clone().map_err(|error| error.to_string());
                if let Err(reason) = talk.and_then(|talk| self.keep(owner::MANAGER, OLD_ROOT, talk)) {
                    info!("the old root is let go at once: {reason}");
                }
                self.put_root_change(change);
            }
            Err(reason) => self.stay_in_root(&reason),
        }
    }

    /// The switch had its time.
    pub(crate) fn root_switch_overdue(&mut self) {
        if let Some(change) = self.take_root_change() {
            self.stop_watching_switch(&change);
            if let Stage::Switching(_, helper) = &change.stage {
                // It must not go on by itself later.
                signal_process(helper, SIGKILL);
            }
            self.stay_in_root(&format!("it took longer than {SWITCH_LIMIT}"));
        }
    }

    fn stop_watching_switch(&mut self, change: &RootChange) {
        self.timers.cancel(Alarm::RootSwitch);
        self.poll.forget(Source::RootSwitch, Some(&change.talk));
    }

    /// The next program is in charge: the helper lets go of the old root. False when the root has not changed.
    pub(crate) fn let_go_of_old_root(&mut self) -> bool {
        let entry = self.manager_entry(OLD_ROOT);
        if let Some(entry) = entry {
            self.drop_entry(None, entry);
        }
        entry.is_some()
    }
}

/// What the helper could not do for us.
fn enter_too(way: Way, held: &Held) -> Result<(), String> {
    let Some((tree, _)) = &held.descriptors else {
        return Err("there is no next root".to_owned());
    };
    if way == Way::Covered {
        fchdir(tree)
            .and_then(|()| chroot("."))
            .map_err(|error| format!("entering the next root: {error}"))?;
    }
    chdir("/").map_err(|error| format!("entering the next root: {error}"))
}

/// The running program, even if its file is gone.
fn own_program() -> Result<OwnedFd, rustix::io::Errno> {
    open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

pub(crate) fn open_own_program() -> Result<OwnedFd, String> {
    own_program().map_err(|error| format!("the own program cannot be opened: {error}"))
}

fn helper_command(
    mode: &str,
    socket: i32,
) -> Result<(Vec<std::ffi::CString>, Vec<std::ffi::CString>), String> {
    let (argv, mut env) = command_line(&[mode])?;
    let variable =
        std::ffi::CString::new(format!("{NEXT_ROOT_FD}={socket}")).map_err(|error| error.to_string())?;
    env.push(variable);
    Ok((argv, env))
}
