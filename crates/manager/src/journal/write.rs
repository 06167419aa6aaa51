//! Writing the journal while all is well.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use fdstore::FdStore;
use rustix::fs::{Mode, OFlags};
use softboot_control::api::Cycle;
use softboot_engine::{Action, Event, Now};
use softboot_reexec::journal::Journal;
use softboot_sys::crash;
use softboot_unit::{UnitName, Usec};
use tracing::error;

use super::record::{Base, Begin, Entry, Kept, Unfinished};
use super::tries::Tries;
use crate::handoff::command_line;
use crate::run::Manager;

/// The variable that tells the next program which descriptor is the journal.
pub(crate) const VARIABLE: &str = "SOFTBOOT_JOURNAL";
/// Below this many bytes a journal is not worth a new base. What is read again after a crash takes longer than what is
/// written: 1 MiB takes several milliseconds, in which nobody is answered, and the base of a system with ten units 0.2.
const SMALL: u64 = 256 << 10;
/// While there are jobs a journal may be so many times longer. A boot of 500 units writes about as much as their base.
const BUSY: u64 = 4;
/// A client with more than this in its buffers is closed by a crash, and asks again.
const CLIENT_MAX: usize = 64 << 10;

/// The journal and what it needs to stay open.
#[derive(Default)]
pub(crate) struct Recorder {
    journal: Option<Journal>,
    /// The manifest, and what the base is made of.
    held: Vec<OwnedFd>,
    base_bytes: u64,
    token: u64,
    /// Clients whose state has to follow.
    touched: BTreeSet<u64>,
    failed: bool,
    crashes: Vec<Usec>,
    safe_mode: bool,
    /// What the next program needs if there is no journal yet.
    before: Vec<OwnedFd>,
    /// This boot came after the state was lost.
    pub(crate) anew: bool,
    pub(super) verifier: Option<i32>,
}

impl Recorder {
    /// How often softbootd has crashed in the minute before the last crash, that one included.
    pub(crate) fn crashes(&self) -> u32 {
        u32::try_from(self.crashes.len()).unwrap_or(u32::MAX)
    }

    /// There was a crash. Until there is a journal of this program's another one finds that of the program before.
    pub(crate) fn crashed(&mut self, tries: &Tries, held: Vec<OwnedFd>) {
        self.crashes.clone_from(&tries.times);
        self.safe_mode = tries.safe_mode;
        self.before = held;
    }

    /// True after repeated crashes: jobs are run only for those who ask.
    pub(crate) fn safe_mode(&self) -> bool {
        self.safe_mode
    }
}

/// What a journal begins with.
pub(crate) enum Start {
    /// A boot.
    Nothing,
    /// A snapshot that has just been taken over.
    Snapshot {
        /// The sealed snapshot.
        snapshot: OwnedFd,
        /// The sealed definitions.
        definitions: OwnedFd,
        /// When it was.
        now: Now,
        /// After a soft-reboot: the units among the definitions that were loaded, in their order.
        units: Option<Vec<UnitName>>,
        /// The manifest of the fd store, if it was written before.
        listed: Option<Listed>,
    },
    /// A copy of everything as it is.
    Image,
}

/// A manifest, and of what.
pub(crate) struct Listed {
    manifest: OwnedFd,
    next_id: u64,
    count: usize,
}

impl Listed {
    /// Lists the store as it is.
    pub(crate) fn of(store: &FdStore) -> Option<Listed> {
        Some(Listed {
            manifest: store.handoff().ok()?.into_manifest(),
            next_id: store.next_id(),
            count: store.entries().count(),
        })
    }

    /// The manifest, if the store is still the same.
    fn current(self, store: &FdStore) -> Option<OwnedFd> {
        let same = (self.next_id, self.count) == (store.next_id(), store.entries().count());
        same.then_some(self.manifest)
    }
}

impl Manager {
    /// Begins a new journal. From its end on a crash is followed by [`super::resume()`].
    pub(crate) fn begin_journal(&mut self, start: Start) {
        let unfinished = Unfinished {
            pending: self.pending_events(),
            ..Unfinished::default()
        };
        self.begin_journal_with(start, &unfinished);
    }

    /// The same in the middle of a step whose actions are still to do.
    pub(crate) fn begin_journal_of_step(&mut self, start: Start, actions: &[Action]) {
        let unfinished = Unfinished {
            todo: actions.to_vec(),
            pending: self.pending_events(),
            ..Unfinished::default()
        };
        self.begin_journal_with(start, &unfinished);
    }

    pub(super) fn begin_journal_with(&mut self, start: Start, unfinished: &Unfinished) {
        match self.try_begin_journal(start, unfinished) {
            Ok(()) => self.recorder.failed = false,
            Err(error) => self.journal_failed(&error),
        }
    }

    fn try_begin_journal(&mut self, mut start: Start, unfinished: &Unfinished) -> io::Result<()> {
        let listed = match &mut start {
            Start::Snapshot { listed, .. } => listed.take(),
            _ => None,
        };
        let manifest = match listed.and_then(|listed| listed.current(&self.store)) {
            Some(manifest) => manifest,
            None => self.store.handoff().map_err(io::Error::other)?.into_manifest(),
        };
        let manifest_bytes = size(&manifest)?;
        let mut held = Vec::new();
        let (base, base_bytes) = match start {
            Start::Nothing => (Base::Nothing, 0),
            Start::Snapshot {
                snapshot,
                definitions,
                now,
                units,
                ..
            } => {
                let base = Base::Snapshot {
                    snapshot: snapshot.as_raw_fd(),
                    definitions: definitions.as_raw_fd(),
                    now,
                    units,
                };
                let bytes = size(&snapshot)?.saturating_add(size(&definitions)?);
                held.extend([snapshot, definitions]);
                (base, bytes)
            }
            Start::Image => {
                let (image, bytes) = self.write_image(unfinished)?;
                let base = Base::Image(image.as_raw_fd());
                held.push(image);
                (base, bytes)
            }
        };
        let begin = Begin {
            manifest: manifest.as_raw_fd(),
            base,
            program: self.facts.program.clone(),
            started: self.facts.started,
            reexecs: self.facts.reexecs,
            service_nofile: self.facts.service_nofile,
            anew: self.recorder.anew,
        };
        held.push(manifest);
        let mut first = vec![Entry::Begin(Box::new(begin)), Entry::Token(self.peek_token())];
        first.extend(self.facts.boot_finished.map(Entry::BootFinished));
        first.extend(self.recorder.verifier.map(|pid| Entry::Verifier(Some(pid))));
        let mut journal = Journal::create()?;
        journal.append(&serde_json::to_vec(&first)?)?;
        held.iter().for_each(|fd| crash::note_descriptor(fd.as_fd()));
        self.store
            .entries()
            .for_each(|entry| crash::note_descriptor(entry.fd()));
        crash::note_descriptor(journal.as_fd());
        let tries = Tries::of(&self.recorder.crashes, self.recorder.safe_mode);
        let program = arm_own(journal.as_fd().as_raw_fd(), &tries)?;
        held.push(program);
        // Only now: a crash until here has the journal before.
        self.store.record_changes();
        self.forget_tracked();
        self.recorder.journal = Some(journal);
        self.recorder.before.clear();
        self.recorder.held = held;
        self.recorder.base_bytes = base_bytes.saturating_add(manifest_bytes);
        self.recorder.token = self.peek_token();
        self.recorder.touched.clear();
        Ok(())
    }

    /// Goes on writing the journal of the program before, which says what is so but for the store, whose changes since then
    /// are recorded.
    pub(super) fn go_on_writing(
        &mut self,
        journal: Journal,
        base_bytes: u64,
        attempts: u32,
    ) -> io::Result<()> {
        let tries = Tries::of(&self.recorder.crashes, self.recorder.safe_mode);
        // Its number is new, and nothing else says that it has to stay open.
        crash::note_descriptor(journal.as_fd());
        let program = arm_own(journal.as_fd().as_raw_fd(), &tries)?;
        self.forget_tracked();
        self.recorder.journal = Some(journal);
        // What it is about is among it.
        self.recorder.held = std::mem::take(&mut self.recorder.before);
        self.recorder.held.push(program);
        self.recorder.base_bytes = base_bytes;
        self.recorder.token = self.peek_token();
        self.recorder.touched.clear();
        self.write_entry(Some(Entry::Attempt(attempts)));
        Ok(())
    }

    fn journal_failed(&mut self, error: &io::Error) {
        if !self.recorder.failed {
            error!("the journal cannot be written, a crash now would go back to an older state: {error}");
        }
        self.recorder.failed = true;
    }

    /// Writes `entry` after everything that has changed.
    pub(super) fn write_entry(&mut self, entry: Option<Entry<'_>>) {
        if self.recorder.journal.is_none() {
            return;
        }
        let mut line = b"[".to_vec();
        let written = self.changes_into(&mut line).and_then(|()| match &entry {
            Some(entry) => put(&mut line, entry),
            None => Ok(()),
        });
        let result = match (&mut self.recorder.journal, written) {
            (_, Err(error)) => Err(error),
            (Some(journal), Ok(())) if line.len() > 1 => {
                line.push(b']');
                crate::fault::place("append");
                journal.append(&line)
            }
            _ => Ok(()),
        };
        if let Err(error) = result {
            self.journal_failed(&error);
        }
    }

    /// An event is about to come into the queue.
    pub(crate) fn journal_fed(&mut self, event: &Event) {
        self.write_entry(Some(Entry::Fed(Cow::Borrowed(event))));
    }

    /// The engine is about to be told the oldest event.
    pub(crate) fn journal_step(&mut self, now: Now) {
        self.write_entry(Some(Entry::Step(now)));
    }

    /// `done` actions of the step are done, the last of them `action`.
    pub(crate) fn journal_acted(&mut self, done: usize, action: Inert) {
        // What may as well be done again is not worth a line.
        if action == Inert::No {
            self.write_entry(Some(Entry::Acted(done)));
        }
    }

    /// All actions of the step are done.
    pub(crate) fn journal_done(&mut self) {
        self.write_entry(Some(Entry::Done));
    }

    /// The boot is complete.
    pub(crate) fn journal_boot_finished(&mut self, at: Usec) {
        self.write_entry(Some(Entry::BootFinished(at)));
    }

    /// What a container ends with.
    pub(crate) fn set_exit_code(&mut self, code: u8) {
        self.exit_code = code;
        self.write_entry(Some(Entry::ExitCode(code)));
    }

    /// Signals for the next userspace came, or went there.
    pub(crate) fn journal_put_off(&mut self) {
        let numbers = self.put_off.clone();
        self.write_entry(Some(Entry::PutOff(numbers)));
    }

    /// What a handoff or a crash cost.
    pub(crate) fn journal_cycle(&mut self, cycle: &Cycle) {
        self.write_entry(Some(Entry::Cycle(Cow::Borrowed(cycle))));
    }

    /// There is a child that verifies a handoff, or there is none any more.
    pub(crate) fn journal_verifier(&mut self, pid: Option<i32>) {
        self.recorder.verifier = pid;
        self.write_entry(Some(Entry::Verifier(pid)));
    }

    /// A client is about to be read from or written to.
    pub(crate) fn journal_touch(&mut self, client: u64) {
        if self.recorder.journal.is_some() && self.recorder.touched.insert(client) {
            self.write_entry(Some(Entry::Touched(client)));
        }
    }

    /// The turn is over: clients are where their state says. A journal that has grown becomes a new one.
    pub(crate) fn journal_turn_over(&mut self) {
        let Some(journal) = &self.recorder.journal else {
            return;
        };
        let limit = SMALL.max(self.recorder.base_bytes / 2);
        let most = match self.engine.has_no_jobs() {
            true => limit,
            // Whoever waits for a job would wait for the new base too.
            false => limit.saturating_mul(BUSY),
        };
        if (journal.length() > most || self.recorder.failed) && self.is_quiet() {
            self.begin_journal(Start::Image);
            return;
        }
        for client in std::mem::take(&mut self.recorder.touched) {
            self.clients.by_id.mark(&client);
        }
        self.write_entry(None);
    }

    fn forget_tracked(&mut self) {
        self.processes.tracked().forget_changes();
        self.clients.by_id.forget_changes();
        self.clients.transients.0.forget_changes();
        self.clients.markers.0.forget_changes();
        self.invocations.forget_changes();
        self.environment.forget_changes();
        self.remotes.forget_changes();
        self.logs.partial.forget_changes();
        self.logs.lost.forget_changes();
        self.logs.written.forget_changes();
    }

    fn changes_into(&mut self, line: &mut Vec<u8>) -> io::Result<()> {
        for change in self.store.take_changes() {
            if let Some(number) = change.number() {
                crash::note_number(number);
            }
            put(line, &Entry::Store(Kept::Whole(&change)))?;
        }
        let mut all = Ok(());
        let mut add = |entry: Entry<'_>| {
            if all.is_ok() {
                all = put(line, &entry);
            }
        };
        let tracked = self.processes.tracked();
        tracked.take_changed(|id, process| add(Entry::Process(*id, process.map(Cow::Borrowed))));
        let touched = &self.recorder.touched;
        self.clients.by_id.take_changed(|id, client| match client {
            // Its state comes when the turn is over.
            Some(_) if touched.contains(id) => {}
            Some(client) if client.buffered() > CLIENT_MAX => add(Entry::Touched(*id)),
            client => add(Entry::Client(*id, client.map(Kept::Whole))),
        });
        let transients = &mut self.clients.transients.0;
        transients.take_changed(|name, request| add(Entry::Transient(name.clone(), request.copied())));
        let markers = &mut self.clients.markers.0;
        markers.take_changed(|name, marker| add(Entry::Marker(name.clone(), marker.copied())));
        let owned = |text: &String| Cow::Owned(text.clone());
        self.invocations
            .take_changed(|name, id| add(Entry::Invocation(name.clone(), id.map(owned))));
        self.environment
            .take_changed(|name, value| add(Entry::Variable(name.clone(), value.map(owned))));
        self.remotes
            .take_changed(|token, remote| add(Entry::Remote(*token, remote.map(Cow::Borrowed))));
        let logs = &mut self.logs;
        logs.partial
            .take_changed(|name, lines| add(Entry::Partial(name.clone(), lines.map(Cow::Borrowed))));
        logs.lost
            .take_changed(|name, lost| add(Entry::Lost(name.clone(), lost.copied())));
        logs.written
            .take_changed(|name, bytes| add(Entry::Written(name.clone(), bytes.copied())));
        if self.recorder.token != self.peek_token() {
            self.recorder.token = self.peek_token();
            add(Entry::Token(self.recorder.token));
        }
        all
    }
}

/// Arms this program itself, with the journal of this number and what has crashed over it. The descriptor that comes back
/// has to stay open.
pub(super) fn arm_own(journal: i32, tries: &Tries) -> io::Result<OwnedFd> {
    let program = rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let (argv, mut env) = command_line(&[]).map_err(io::Error::other)?;
    env.push(CString::new(format!("{VARIABLE}={journal}"))?);
    env.push(tries.assignment()?);
    crash::arm(program.as_fd(), &argv, &env)?;
    Ok(program)
}

pub(super) fn size(fd: &OwnedFd) -> io::Result<u64> {
    Ok(u64::try_from(rustix::fs::fstat(fd)?.st_size).unwrap_or(0))
}

fn put(line: &mut Vec<u8>, entry: &Entry<'_>) -> io::Result<()> {
    if line.len() > 1 {
        line.push(b',');
    }
    serde_json::to_writer(&mut *line, entry).map_err(io::Error::from)
}

/// Whether doing an action a second time does any harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inert {
    Yes,
    No,
}

impl From<&Action> for Inert {
    fn from(action: &Action) -> Inert {
        match action {
            Action::Changed { .. }
            | Action::JobNew { .. }
            | Action::JobDone { .. }
            | Action::ArmTimer { .. }
            | Action::CancelTimer(_)
            | Action::PollSockets { .. }
            | Action::Log { .. } => Inert::Yes,
            _ => Inert::No,
        }
    }
}
