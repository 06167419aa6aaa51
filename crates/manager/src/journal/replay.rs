//! From a journal to the state that was lost.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::OwnedFd;

use fdstore::Change;
use softboot_engine::{Action, Engine, Event, Now, Resume, UnitId};
use softboot_unit::{Definition, UnitName, Usec};

use softboot_reexec::journal::Records;

use super::image::Image;
use super::record::{Base, Begin, Entry, Unfinished};
use super::tries::Trust;
use crate::client::Client;
use crate::handoff::{ManagerState, Snapshot, decode_definitions, decode_snapshot, decode_table, in_shares};

/// What a record takes in memory, in bytes, as most do.
const RECORD: usize = 512;

/// What was lost, again.
pub(super) struct Replayed {
    pub(super) engine: Engine,
    pub(super) state: ManagerState,
    pub(super) unfinished: Unfinished,
    /// Clients that nobody knows where they are.
    pub(super) lost_clients: Vec<(u64, Client)>,
    pub(super) verifier: Option<i32>,
    /// Steps that were done again.
    pub(super) steps: usize,
    /// Actions of the last one that were done.
    pub(super) acted: usize,
    /// This boot came after the state was lost.
    pub(super) anew: bool,
    /// The program before had just taken over, and not yet told those who asked for that.
    pub(super) just_in_charge: bool,
}

/// A journal, taken apart.
pub(super) struct Parts<'t> {
    pub(super) begin: Begin,
    pub(super) changes: Vec<Change>,
    entries: Vec<Entry<'t>>,
}

fn entries_of(record: &[u8]) -> serde_json::Result<Vec<Entry<'_>>> {
    serde_json::from_slice(record)
}

/// What a journal is about, without reading on.
pub(super) fn begin(records: &Records) -> Result<Begin, String> {
    let first = records.iter().next().map(entries_of).transpose();
    let first = first.map_err(|error| format!("the first record of the journal: {error}"))?;
    begin_of(first.into_iter().flatten().next()).map(|begin| *begin)
}

fn begin_of(first: Option<Entry<'_>>) -> Result<Box<Begin>, String> {
    match first {
        Some(Entry::Begin(begin)) => Ok(begin),
        _ => Err("the journal does not begin with what it is about".to_owned()),
    }
}

/// Takes a journal apart. Entries that this program does not know are an error: it wrote them itself.
pub(super) fn parts(records: &Records) -> Result<Parts<'_>, String> {
    let wrong = |error: serde_json::Error| format!("a record of the journal: {error}");
    let records: Vec<&[u8]> = records.iter().collect();
    let all = in_shares("records", &records, RECORD, |share| {
        share.iter().map(|record| entries_of(record)).collect()
    })
    .map_err(wrong)?;
    let mut entries = all.into_iter().flatten();
    let begin = begin_of(entries.next())?;
    let (mut changes, mut rest) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Store(change) => changes.extend(change.text()),
            other => rest.push(other),
        }
    }
    Ok(Parts {
        begin: *begin,
        changes: Change::latest(changes).map_err(wrong)?,
        entries: rest,
    })
}

/// Does again what the journal says. `held` gives the descriptors of the base.
pub(super) fn replay(
    parts: Parts<'_>,
    trust: Trust,
    mut held: impl FnMut(i32) -> Result<OwnedFd, String>,
) -> Result<Replayed, String> {
    let Parts { begin, entries, .. } = parts;
    let (engine, state, unfinished, restored) = base(&begin.base, &mut held)?;
    let mut walk = Walk {
        engine,
        state,
        queue: unfinished.pending.iter().cloned().collect(),
        current: unfinished.todo.clone(),
        acted: 0,
        moved: false,
        unfinished,
        clients: BTreeMap::new(),
        touched: BTreeSet::new(),
        last_step: None,
        verifier: None,
        steps: 0,
    };
    walk.state.program = begin.program;
    walk.state.started = begin.started;
    walk.state.reexecs = begin.reexecs;
    walk.state.service_nofile = begin.service_nofile;
    if let Some(actions) = restored {
        walk.current = actions;
    }
    let last_step = entries
        .iter()
        .rposition(|entry| matches!(entry, Entry::Step(_)))
        .filter(|_| trust != Trust::All);
    for (place, entry) in entries.into_iter().enumerate() {
        walk.entry(entry, Some(place) == last_step);
    }
    if trust == Trust::NotTheQueue {
        walk.queue.clear();
    }
    let just_in_charge = matches!(begin.base, Base::Snapshot { .. }) && walk.last_step.is_none();
    let replayed = walk.end()?;
    Ok(Replayed {
        anew: begin.anew,
        just_in_charge,
        ..replayed
    })
}

type Based = (Engine, ManagerState, Unfinished, Option<Vec<Action>>);

fn base(base: &Base, held: &mut impl FnMut(i32) -> Result<OwnedFd, String>) -> Result<Based, String> {
    match base {
        Base::Nothing => Ok((
            Engine::new(),
            ManagerState::default(),
            Unfinished::default(),
            None,
        )),
        Base::Snapshot {
            snapshot,
            definitions,
            now,
            units,
        } => {
            let snapshot = decode_snapshot(&held(*snapshot)?)?;
            let definitions = held(*definitions)?;
            let Snapshot {
                engine,
                mut manager,
                definitions: newer,
                ..
            } = snapshot;
            // As the handoff did it, or units would have other ids.
            let (engine, actions) = match units {
                None => Engine::restore_beside(engine, decode_table(&definitions)?, newer, *now),
                Some(units) => {
                    // That was the userspace before.
                    manager.boot_finished = None;
                    let written = decode_definitions(&definitions)?;
                    Engine::restore(engine, chosen(units, written), *now, Resume::SoftReboot)
                }
            };
            Ok((engine, manager, Unfinished::default(), Some(actions)))
        }
        Base::Image(number) => {
            let image = Image::read(&held(*number)?).map_err(|error| format!("the image: {error}"))?;
            Ok((image.engine, image.manager, image.unfinished, None))
        }
    }
}

/// These, in this order.
fn chosen(units: &[UnitName], definitions: Vec<Definition>) -> Vec<Definition> {
    let mut by_name: BTreeMap<UnitName, Definition> = definitions
        .into_iter()
        .map(|definition| (definition.name.clone(), definition))
        .collect();
    units.iter().filter_map(|name| by_name.remove(name)).collect()
}

struct Walk<'t> {
    engine: Engine,
    state: ManagerState,
    queue: VecDeque<Event>,
    /// The actions of the last step.
    current: Vec<Action>,
    acted: usize,
    /// Something has been done since the journal began.
    moved: bool,
    unfinished: Unfinished,
    /// The last that was written of each client since the journal began, and that one is gone.
    clients: BTreeMap<u64, Option<&'t str>>,
    touched: BTreeSet<u64>,
    last_step: Option<Now>,
    verifier: Option<i32>,
    steps: usize,
}

impl<'t> Walk<'t> {
    fn entry(&mut self, entry: Entry<'t>, skip_step: bool) {
        let state = &mut self.state;
        match entry {
            Entry::Fed(event) => {
                if matches!(*event, Event::ObjectiveAborted { .. }) {
                    // The manager has turned away from it by then.
                    self.unfinished.objective = None;
                }
                self.queue.push_back(event.into_owned());
            }
            Entry::Step(now) => self.step(now, skip_step),
            Entry::Acted(done) => {
                self.acted = done;
                self.moved = true;
            }
            Entry::Done => {
                self.current.clear();
                self.acted = 0;
                self.moved = true;
            }
            Entry::Attempt(attempts) => {
                self.unfinished.attempts = attempts;
                self.moved = false;
            }
            Entry::Process(id, process) => state.processes.set(id, process.map(Cow::into_owned)),
            Entry::Client(id, client) => {
                self.touched.remove(&id);
                self.clients.insert(id, client.and_then(|client| client.text()));
            }
            Entry::Touched(id) => {
                self.touched.insert(id);
            }
            Entry::Invocation(unit, id) => state.invocations.set(unit, id.map(Cow::into_owned)),
            Entry::Variable(name, value) => state.environment.set(name, value.map(Cow::into_owned)),
            Entry::ExitCode(code) => state.exit_code = code,
            Entry::PutOff(numbers) => state.put_off = numbers,
            Entry::Remote(token, remote) => state.remotes.set(token, remote.map(Cow::into_owned)),
            Entry::Transient(unit, request) => state.clients.transients.0.set(unit, request),
            Entry::Marker(unit, marker) => state.clients.markers.0.set(unit, marker),
            Entry::Partial(unit, lines) => state.logs.partial.set(unit, lines.map(Cow::into_owned)),
            Entry::Lost(unit, lost) => state.logs.lost.set(unit, lost),
            Entry::Written(unit, bytes) => state.logs.written.set(unit, bytes),
            Entry::Token(next) => state.next_token = next,
            Entry::BootFinished(at) => state.boot_finished = Some(at),
            Entry::Cycle(cycle) => state.cycles.keep(cycle.into_owned()),
            Entry::Verifier(pid) => self.verifier = pid,
            // Taken out before, or never in the middle.
            Entry::Begin(_) | Entry::Store(_) => {}
        }
    }

    fn step(&mut self, now: Now, skip: bool) {
        let Some(event) = self.queue.pop_front() else {
            return;
        };
        self.moved = true;
        self.current.clear();
        self.acted = 0;
        if skip {
            return;
        }
        match &event {
            Event::FinalKillDone => self.unfinished.final_kill = None,
            Event::NextUserspace(_) => {
                self.unfinished.objective = None;
                self.state.started = now.monotonic;
                self.state.boot_finished = None;
                self.state.reexecs = 0;
            }
            _ => {}
        }
        self.current = self.engine.step(now, event);
        self.last_step = Some(now);
        self.steps += 1;
        for action in &self.current {
            match action {
                Action::Objective(objective) => self.unfinished.objective = Some(*objective),
                Action::FinalKill { spare } => self.unfinished.final_kill = Some(spare.clone()),
                Action::Changed { unit } => note_times(&self.engine, &mut self.state, *unit, now.monotonic),
                _ => {}
            }
        }
    }

    fn end(mut self) -> Result<Replayed, String> {
        for (id, client) in std::mem::take(&mut self.clients) {
            let client = client.map(serde_json::from_str).transpose();
            let client = client.map_err(|error| format!("a client in the journal: {error}"))?;
            self.state.clients.by_id.set(id, client);
        }
        let attempts = if self.moved { 0 } else { self.unfinished.attempts };
        let lost_clients = std::mem::take(&mut self.touched)
            .into_iter()
            .filter_map(|id| Some((id, self.state.clients.by_id.remove(&id)?)))
            .collect();
        let acted = self.acted.min(self.current.len());
        Ok(Replayed {
            engine: self.engine,
            state: self.state,
            acted,
            unfinished: Unfinished {
                todo: self.current.split_off(acted),
                attempts,
                step: self.last_step.or(self.unfinished.step),
                pending: self.queue.into(),
                ..self.unfinished
            },
            lost_clients,
            verifier: self.verifier,
            steps: self.steps,
            anew: false,
            just_in_charge: false,
        })
    }
}

fn note_times(engine: &Engine, state: &mut ManagerState, unit: UnitId, at: Usec) {
    if let Some(status) = engine.status(unit) {
        state.clients.timeline.note(&status.name, status.active, at.0);
    }
}
