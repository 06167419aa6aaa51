//! The next userspace's unit definitions, read into memory before anything stops: whoever turns over to them in place
//! ([`super::turn_over`]) has nothing to read while services are away.
//!
//! | stage | begins when | meanwhile |
//! |---|---|---|
//! | reading: what the verifying child wrote is decoded and compared with what runs | the next program has said yes | all is answered; nothing stops before it is over |
//! | read | that is done | units stop |
//! | looking: has any file changed since the child read it? | the final kill begins, without a watch; its end, if the watch has seen anything | what is left ends |
//! | looked | that is done, or the watch says that nothing has changed | the next userspace begins |
//!
//! Reading and looking are work for a thread each. The event loop is woken by [`Source::ThreadDone`] and never waits for
//! one: files are on a disk, which may not answer. A watch ([`Watch`]) begins with the reading, and is asked in no time.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use rustix::process::{Pid, setpriority_process};
use softboot_engine::{Compared, UnitId};
use softboot_unit::{Definition, UnitName, closure_of, mentioned};
use tracing::debug;

use super::definitions;
use super::{Handoff, Phase};
use crate::load::{Sources, Watch};
#[cfg(doc)]
use crate::run::Source;
use crate::run::{Manager, boot_units};

/// A tenth of the processor's time beside one who wants all of it (sched(7), "The nice value").
const NICE: i32 = 10;

/// How far it is.
#[derive(Default)]
pub(super) enum Ahead {
    /// There is nothing that can be used.
    #[default]
    Nothing,
    Reading(Work),
    Read(Box<Read>),
    Looking(Work),
    Looked(Box<Read>),
}

/// The next userspace's definitions beside today's.
pub(super) struct Read {
    compared: Compared,
    /// What they were made from.
    sources: Sources,
    /// Over that. `None`: it has to be looked at.
    watch: Option<Watch>,
    /// Those that the boot does not lead to, with what they mention: they are there for what may live on.
    beside: HashMap<UnitName, Vec<UnitName>>,
}

impl Read {
    fn new(
        boot: &[UnitName],
        up: Vec<UnitName>,
        known: Vec<(UnitId, Arc<Definition>)>,
        definitions: Vec<Definition>,
        sources: Sources,
    ) -> Option<Read> {
        let all: Vec<UnitName> = boot.iter().cloned().chain(up).collect();
        let (needed, missing) = closure_of(&all, definitions);
        if !missing.is_empty() {
            return None;
        }
        let mut beside: HashMap<UnitName, &Definition> =
            needed.iter().map(|one| (one.name.clone(), one)).collect();
        for one in &needed {
            // Another name is as good as its own.
            beside.extend(one.aliases.iter().map(|alias| (alias.clone(), one)));
        }
        let mut open = boot.to_vec();
        while let Some(name) = open.pop() {
            if let Some(one) = beside.remove(&name) {
                beside.remove(&one.name);
                open.extend(mentioned(one));
            }
        }
        let own = beside.into_iter().filter(|(name, one)| *name == one.name);
        let beside = own.map(|(name, one)| (name, mentioned(one))).collect();
        let compared = Compared::new(known, needed);
        Some(Read {
            compared,
            sources,
            watch: None,
            beside,
        })
    }

    /// The same, watching what it was made from. What has changed already shows when that is looked at.
    fn watching(mut self) -> Read {
        let watch = self.sources.watch();
        self.watch = watch.filter(|_| self.sources.are_unchanged());
        self
    }

    /// For a userspace in which these live on.
    fn with(mut self, live_on: impl FnOnce() -> Vec<UnitName>) -> Compared {
        if self.beside.is_empty() {
            return self.compared;
        }
        let mut open = live_on();
        while let Some(name) = open.pop() {
            open.extend(self.beside.remove(&name).unwrap_or_default());
        }
        if !self.beside.is_empty() {
            let names: HashSet<UnitName> = self.beside.into_keys().collect();
            self.compared.leave_out(&names);
        }
        self.compared
    }
}

/// What a thread is doing. `None`: nothing can be used.
pub(super) struct Work(Receiver<Option<Box<Read>>>);

impl Work {
    /// `wake` is written to when the result is there.
    fn start(
        name: &str,
        wake: OwnedFd,
        work: impl FnOnce() -> Option<Box<Read>> + Send + 'static,
    ) -> Option<Work> {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new().name(name.to_owned());
        let started = thread.spawn(move || {
            // Nobody may want it any more.
            let _ = sender.send(work());
            let _ = rustix::io::write(&wake, &1_u64.to_ne_bytes());
        });
        started.ok().map(|_| Work(receiver))
    }

    /// The result, once it is there. A thread that ended without one has none.
    fn result(&self) -> Option<Option<Box<Read>>> {
        match self.0.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(None),
        }
    }
}

/// All is answered meanwhile, and that comes first: a process, or the calling thread, gets what the others leave.
pub(crate) fn give_way(process: Option<Pid>) {
    // It is no harm if it does not.
    let _ = setpriority_process(process, NICE);
}

/// When memory is short the kernel takes this process before any service, and before PID 1 where that is not spared (in a
/// container): what is lost is a question that can be asked again.
fn goes_first(pid: i32) {
    // It is no harm if it does not.
    let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "1000");
}

impl Ahead {
    fn read(
        file: OwnedFd,
        boot: Vec<UnitName>,
        up: Vec<UnitName>,
        known: Vec<(UnitId, Arc<Definition>)>,
        wake: OwnedFd,
    ) -> Ahead {
        let work = move || {
            give_way(None);
            let (definitions, sources) = definitions::read_plan(file)?;
            // Units' specifiers tell of it, so a change that comes later is noticed.
            crate::setup::stage_os_release();
            known.iter().for_each(|(_, one)| one.unpack());
            let read = Read::new(&boot, up, known, definitions, sources)?;
            Some(Box::new(read.watching()))
        };
        Work::start("ahead", wake, work).map_or(Ahead::Nothing, Ahead::Reading)
    }

    /// Nothing that belongs to the old userspace's own order runs any more, so what it did to files is done.
    fn look(&mut self, wake: OwnedFd) {
        self.advance();
        let quiet = self.is_quiet();
        *self = match std::mem::take(self) {
            // Whoever is left may still change something: it is asked at the end.
            Ahead::Read(read) if quiet => Ahead::Read(read),
            Ahead::Read(read) => {
                let work = move || read.sources.are_unchanged().then_some(read);
                Work::start("sources", wake, work).map_or(Ahead::Nothing, Ahead::Looking)
            }
            other => other,
        };
    }

    /// The watch says that nothing has changed so far.
    fn is_quiet(&mut self) -> bool {
        match self {
            Ahead::Read(read) => read.watch.as_mut().is_some_and(Watch::is_quiet),
            _ => false,
        }
    }

    /// Nobody runs any more who could change a file.
    fn settle(&mut self, wake: impl FnOnce() -> Option<OwnedFd>) {
        let quiet = self.is_quiet();
        *self = match std::mem::take(self) {
            Ahead::Read(read) if quiet => Ahead::Looked(read),
            other => other,
        };
        if matches!(self, Ahead::Read(_))
            && let Some(wake) = wake()
        {
            self.look(wake);
        }
    }

    /// A thread may be done.
    fn advance(&mut self) {
        *self = match std::mem::take(self) {
            Ahead::Reading(work) => match work.result() {
                Some(read) => read.map_or(Ahead::Nothing, Ahead::Read),
                None => Ahead::Reading(work),
            },
            Ahead::Looking(work) => match work.result() {
                Some(read) => read.map_or(Ahead::Nothing, Ahead::Looked),
                None => Ahead::Looking(work),
            },
            other => other,
        };
    }

    fn is_busy(&self) -> bool {
        matches!(self, Ahead::Reading(_) | Ahead::Looking(_))
    }

    /// What can be turned over to, for a userspace in which these units live on, and the watch that nobody needs any more.
    pub(super) fn take(
        &mut self,
        live_on: impl FnOnce() -> Vec<UnitName>,
    ) -> Option<(Compared, Option<Watch>)> {
        match std::mem::take(self) {
            Ahead::Looked(mut read) => {
                let watch = read.watch.take();
                Some((read.with(live_on), watch))
            }
            _ => None,
        }
    }
}

impl Manager {
    /// Begins to read the next userspace's definitions, if this program can go on as the next one. False: there is nothing to
    /// wait for.
    pub(super) fn read_ahead(&mut self) -> bool {
        if !self.can_turn_over() {
            return false;
        }
        let (Some(file), Some(wake)) = (self.offered_plan(), self.thread_done()) else {
            return false;
        };
        let (boot, up) = (boot_units(&self.facts), self.names_to_keep().cloned().collect());
        let ahead = Ahead::read(file, boot, up, self.engine.definitions(), wake);
        let begun = ahead.is_busy();
        if let Some(handoff) = &mut self.handoff {
            handoff.ahead = ahead;
        }
        begun
    }

    /// There is a child that verifies a handoff.
    pub(super) fn verifier_started(&mut self, pid: i32) {
        self.journal_verifier(Some(pid));
        self.look_for_kernel_threads();
        goes_first(pid);
        if self.objective.is_none() {
            give_way(Pid::from_raw(pid));
        }
    }

    /// The final kill of a soft-reboot begins.
    pub(crate) fn look_ahead(&mut self) {
        let Some(wake) = self.thread_done() else { return };
        if let Some(handoff) = &mut self.handoff
            && matches!(handoff.phase, Phase::Stopping { .. })
        {
            handoff.ahead.look(wake);
        }
    }

    /// Whether a thread still works: its end wakes the loop.
    fn is_reading_ahead(&mut self) -> bool {
        let Some(handoff) = &mut self.handoff else {
            return false;
        };
        handoff.ahead.advance();
        handoff.ahead.is_busy()
    }

    /// All has ended, and the handoff is due. Whether somebody still has to look first.
    pub(super) fn is_looking_ahead(&mut self) -> bool {
        if self.is_reading_ahead() {
            return true;
        }
        let wake = &self.thread_done;
        if let Some(handoff) = &mut self.handoff {
            handoff.ahead.settle(|| wake.as_fd().try_clone_to_owned().ok());
            return handoff.ahead.is_busy();
        }
        false
    }

    /// A thread is done, or one that nobody waits for any more.
    pub(crate) fn ahead_is_done(&mut self) {
        self.acknowledge_thread();
        if self.is_reading_ahead() {
            return;
        }
        let Some(Handoff {
            phase: phase @ Phase::Reading(_),
            ..
        }) = &mut self.handoff
        else {
            return;
        };
        let Phase::Reading(plan) = std::mem::replace(phase, Phase::Ready) else {
            return;
        };
        debug!("the next userspace's units are read");
        self.stop_or_go(&plan);
    }

    fn thread_done(&self) -> Option<OwnedFd> {
        self.thread_done.as_fd().try_clone_to_owned().ok()
    }

    fn acknowledge_thread(&self) {
        let mut count = [0_u8; 8];
        let _ = rustix::io::read(&self.thread_done, &mut count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

    fn file(sources: Option<Sources>) -> OwnedFd {
        let (definitions, _) = crate::load::closure_with_sources(&[]);
        let text = definitions::encode(&definitions, sources, None).unwrap();
        fdstore::memfd::sealed_memfd("test", &text).unwrap()
    }

    fn wait(ahead: &mut Ahead, wake: &OwnedFd) {
        let mut ready = [PollFd::new(wake, PollFlags::IN)];
        poll(&mut ready, None).unwrap();
        rustix::io::read(wake, &mut [0_u8; 8]).unwrap();
        ahead.advance();
        assert!(!ahead.is_busy());
    }

    /// Both stages, for what `boot` leads to.
    fn through(sources: Option<Sources>, boot: Vec<UnitName>) -> Option<Compared> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let copy = || wake.try_clone().unwrap();
        let mut ahead = Ahead::read(file(sources), boot, Vec::new(), Vec::new(), copy());
        assert!(ahead.is_busy());
        wait(&mut ahead, &wake);
        ahead.look(copy());
        if ahead.is_busy() {
            wait(&mut ahead, &wake);
        }
        ahead.settle(|| Some(copy()));
        if ahead.is_busy() {
            wait(&mut ahead, &wake);
        }
        ahead.take(Vec::new).map(|(compared, _)| compared)
    }

    #[test]
    fn what_the_child_read_is_there_while_nothing_has_changed() {
        let (_, sources) = crate::load::closure_with_sources(&[]);
        assert!(through(Some(sources), Vec::new()).is_some());
        // Made from something else, or nobody knows from what.
        assert!(through(Some(Sources::default()), Vec::new()).is_none());
        assert!(through(None, Vec::new()).is_none());
    }

    #[test]
    fn a_unit_that_nobody_has_read_is_missing() {
        let (_, sources) = crate::load::closure_with_sources(&[]);
        let name = UnitName::new("no-such.service").unwrap();
        assert!(through(Some(sources), vec![name]).is_none());
    }

    #[test]
    fn what_was_not_looked_at_is_not_taken() {
        let (_, sources) = crate::load::closure_with_sources(&[]);
        let wake = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let mut ahead = Ahead::read(
            file(Some(sources)),
            Vec::new(),
            Vec::new(),
            Vec::new(),
            wake.try_clone().unwrap(),
        );
        wait(&mut ahead, &wake);
        assert!(ahead.take(Vec::new).is_none());
    }

    #[test]
    fn what_neither_the_boot_nor_a_survivor_leads_to_is_not_in_the_next_userspace() {
        use softboot_unit::files::MemoryFiles;
        use softboot_unit::{Loader, Specifiers};
        let name = |name: &str| UnitName::new(name).unwrap();
        let plain = "[Unit]\nDefaultDependencies=no\n";
        let files = MemoryFiles::new()
            .file("/u/boot.target", &format!("{plain}Wants=wanted.target\n"))
            .file(
                "/u/wanted.target",
                &format!("{plain}[Install]\nAlias=other.target\n"),
            )
            .file(
                "/u/survivor.target",
                &format!("{plain}Wants=helper.target wanted.target\n"),
            )
            .file("/u/helper.target", plain)
            .file("/u/passing.target", &format!("{plain}Wants=helper.target\n"));
        let loader = Loader::new(&files, vec!["/u".to_owned()], Specifiers::default());
        let up = vec![name("survivor.target"), name("passing.target")];
        let all = [vec![name("boot.target")], up.clone()].concat();
        let read = || {
            let definitions = loader.load_closure(&all, &|_| false);
            let boot = [name("boot.target")];
            Read::new(&boot, up.clone(), Vec::new(), definitions, Sources::default()).unwrap()
        };
        let names = |compared: Compared| {
            let engine = softboot_engine::Engine::new();
            let next = engine.difference(compared).unwrap();
            let names = next.definitions.into_iter().map(|one| one.name.to_string());
            names.collect::<Vec<_>>()
        };
        let with = |live_on: &[&str]| names(read().with(|| live_on.iter().copied().map(name).collect()));
        assert_eq!(with(&[]), ["boot.target", "wanted.target"]);
        assert_eq!(
            with(&["survivor.target"]),
            ["boot.target", "helper.target", "survivor.target", "wanted.target"]
        );
        assert_eq!(
            with(&["passing.target"]),
            ["boot.target", "helper.target", "passing.target", "wanted.target"]
        );
    }
}
