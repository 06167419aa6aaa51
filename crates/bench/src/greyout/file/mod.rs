//! A workload file (docs/greyout.md), run by softbootd and by what it is compared with: in containers, or each in a test
//! machine of its own.
//!
//! In every system the same unit files and programs are installed. Around each event a probe runs inside, as a survivor,
//! and if the file has endpoints that are seen from the host, another one here. The systems take turns; only the one
//! whose turn it is is probed.

mod host;
mod install;
mod machine;
mod place;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use softboot_greyout::Recording;
use softboot_greyout::record::{MarkKind, RecordError};
use softboot_greyout::result::{self, Options, Results, Source, Span, Timeline};
use softboot_greyout::workload::{Action, View, What, Workload};

use super::{Client, Peer, left, timeline};
use crate::error::{Context as _, Error};
use place::Place;

pub use machine::VmParts;

/// Where the probe inside takes marks.
const MARKS: &str = "/run/greyout.marks";
/// How long the probe inside may take to begin.
const BEGIN: Duration = Duration::from_secs(60);

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// The files, one after the other.
    pub workloads: Vec<PathBuf>,
    /// In the place of the files'.
    pub cycles: Option<u32>,
    /// Attempts a second, in the place of the files'.
    pub rate: Option<u32>,
    /// Where `softboot-container`, `softboot-scenario`, `softbootd` and `softctl` are, static.
    pub programs: PathBuf,
    /// `softboot-probe`, static.
    pub probe: PathBuf,
    /// What softbootd is compared with.
    pub peers: Vec<Peer>,
    /// An existing directory for roots and images, which are removed again.
    pub scratch: PathBuf,
    /// In test machines, and not in containers.
    pub vm: Option<VmParts>,
}

/// What came of it.
#[derive(Debug)]
pub struct Measured {
    /// softbootd first.
    pub results: Results,
    /// Somebody ended it before.
    pub interrupted: bool,
}

/// One manager with the workload.
struct System {
    name: String,
    client: Client,
    place: Place,
    reboots: u64,
    /// How many probes have run inside; each has a unit of its own.
    probes: usize,
    inside: Option<Recording>,
    outside: Option<Recording>,
    spans: Vec<Span>,
}

/// Runs them.
///
/// # Errors
/// A file with faults, a system that does not boot or does not come back, a probe that leaves no record.
pub fn run(plan: &Plan, command: &str, progress: &mut dyn FnMut(&str)) -> Result<Measured, Error> {
    let mut workloads = Vec::new();
    // Whatever is wrong with one of them is said before anything begins.
    for file in &plan.workloads {
        let mut workload = Workload::load(file).map_err(|error| Error {
            what: "the workload".to_owned(),
            reason: error.to_string(),
        })?;
        workload.cycles = plan.cycles.unwrap_or(workload.cycles);
        for probe in &mut workload.probes {
            if let Some(rate) = plan.rate {
                probe.probe.interval = Duration::from_nanos(1_000_000_000 / u64::from(rate.max(1)));
            }
        }
        workloads.push((file.as_path(), workload));
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).context("catching signals")?;
    }
    let mut sources = Vec::new();
    for (file, workload) in &workloads {
        if !interrupted.load(Ordering::Relaxed) {
            sources.extend(run_one(plan, file, workload, &interrupted, progress)?);
        }
    }
    let interrupted = interrupted.load(Ordering::Relaxed);
    let note = "The measurement was ended before all cycles were done.".to_owned();
    let options = Options {
        command: command.to_owned(),
        notes: interrupted.then_some(note).into_iter().collect(),
    };
    let results = result::build(sources, &options).context("making the result")?;
    Ok(Measured { results, interrupted })
}

fn run_one(
    plan: &Plan,
    file: &Path,
    workload: &Workload,
    interrupted: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Source>, Error> {
    // Beside the cycles a first one, which brings everything into the state that all others find.
    let rounds = (workload.cycles as usize).saturating_add(1);
    let events = rounds.saturating_mul(workload.events.len());
    let files = install::files(workload, file, plan, events)?;
    let mut systems = Vec::new();
    for peer in std::iter::once(None).chain(plan.peers.iter().map(Some)) {
        let name = peer.map_or("softbootd", |peer| peer.name.as_str());
        progress(&format!("{}: booting {name}", workload.case));
        systems.push(System::boot(plan, workload, peer, &files).context(&format!("booting {name}"))?);
    }
    let begun = Instant::now();
    let mut done = 0_usize;
    'cycles: for cycle in 0..=workload.cycles {
        for action in &workload.events {
            if interrupted.load(Ordering::Relaxed) {
                break 'cycles;
            }
            progress(&format!(
                "{}: {} {cycle} of {}{}",
                workload.case,
                action.name,
                workload.cycles,
                left(begun, done, events)
            ));
            done = done.saturating_add(1);
            for system in &mut systems {
                system
                    .event(workload, action, cycle > 0)
                    .context(&system.name.clone())?;
            }
        }
    }
    let accelerator = plan
        .vm
        .as_ref()
        .map_or("none, a container", machine::VmParts::accelerator);
    let mut sources = Vec::new();
    for system in systems {
        sources.extend(system.end(&workload.case, accelerator)?);
    }
    Ok(sources)
}

impl System {
    fn boot(
        plan: &Plan,
        workload: &Workload,
        peer: Option<&Peer>,
        files: &install::Files,
    ) -> Result<System, Error> {
        let place = match &plan.vm {
            None => Place::container(plan, peer, files)?,
            Some(vm) => Place::machine(vm, plan, workload, peer, files)?,
        };
        let version = place.version()?;
        Ok(System {
            name: peer.map_or_else(|| format!("softbootd {version}"), |peer| peer.name.clone()),
            client: peer.map_or(Client::Softctl, |_| Client::Systemctl),
            reboots: 0,
            place,
            probes: 0,
            inside: None,
            outside: None,
            spans: Vec::new(),
        })
    }

    /// One event, with the probes at work before, during and after it.
    fn event(&mut self, workload: &Workload, action: &Action, counts: bool) -> Result<(), Error> {
        let inside = workload.seen_from(View::Survivor);
        let unit = install::probe_unit(self.probes);
        self.probes = self.probes.saturating_add(1);
        let outside = host::Probe::start(workload, &self.place)?;
        if !inside.is_empty() {
            self.manager(&["start", &unit])?;
            self.mark_when_it_listens("note ready")?;
        }
        std::thread::sleep(workload.quiet);
        self.mark(
            &format!("begin {}", action.name),
            outside.as_ref(),
            !inside.is_empty(),
        )?;
        let done = self.act(&action.what);
        if done.is_ok() {
            self.mark("end", outside.as_ref(), !inside.is_empty())?;
            std::thread::sleep(workload.quiet);
        }
        if let Some(outside) = outside {
            add(&mut self.outside, outside.stop()?, counts);
        }
        if !inside.is_empty() && done.is_ok() {
            self.manager(&["stop", &unit])?;
            let path = install::record_of(self.probes.saturating_sub(1));
            let bytes = self.place.read(&path)?;
            self.place.remove(&path);
            let recording = Recording::read(&bytes).map_err(|error: RecordError| Error {
                what: format!("the record {path}"),
                reason: error.to_string(),
            })?;
            add(&mut self.inside, recording, counts);
        }
        done?;
        if counts {
            self.look_at_timeline(&action.what);
        }
        Ok(())
    }

    fn act(&mut self, what: &What) -> Result<(), Error> {
        match what {
            What::SoftReboot => {
                self.reboots = self.reboots.saturating_add(1);
                self.manager(&["soft-reboot"])?;
                self.place.wait_up(self.reboots)
            }
            What::Reexec => {
                self.manager(&["daemon-reexec"])?;
                self.place.wait_up(self.reboots)
            }
            What::Restart(unit) => self.manager(&["restart", unit]).map_err(|error| Error {
                // The system is gone before anybody can ask it.
                reason: format!(
                    "{}\n{}",
                    error.reason,
                    self.place.said(&[self.client.program(), "status", unit])
                ),
                ..error
            }),
        }
    }

    fn manager(&self, arguments: &[&str]) -> Result<(), Error> {
        let mut command = vec![self.client.program()];
        command.extend(arguments);
        self.place.run(&command).map(drop)
    }

    fn mark(&self, text: &str, outside: Option<&host::Probe>, inside: bool) -> Result<(), Error> {
        if let Some(outside) = outside {
            outside.mark(text)?;
        }
        match inside {
            true => self.mark_inside(text),
            false => Ok(()),
        }
    }

    fn mark_inside(&self, text: &str) -> Result<(), Error> {
        let mut command = vec![install::PROBE, "mark", MARKS];
        command.extend(text.split(' '));
        self.place.run(&command).map(drop)
    }

    fn mark_when_it_listens(&self, text: &str) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            match self.mark_inside(text) {
                Err(_) if begun.elapsed() < BEGIN => std::thread::sleep(Duration::from_millis(20)),
                other => return other,
            }
        }
    }

    /// What the manager says of what has just been; nothing if it says nothing.
    fn look_at_timeline(&mut self, what: &What) {
        let begun = self.inside.as_ref().and_then(|recording| {
            let mut begins = recording.marks.iter().filter(|mark| mark.kind == MarkKind::Begin);
            begins.next_back().map(|mark| mark.time)
        });
        let said = |command: &[&str]| self.place.run(command).unwrap_or_default();
        let spans = match (self.client, what) {
            (_, What::Restart(_)) | (Client::Systemctl, What::Reexec) => Vec::new(),
            (Client::Softctl, _) => timeline::of_softbootd(&said(&["softctl", "--json", "greyout"])),
            (Client::Systemctl, _) => {
                timeline::of_systemd(&said(&["systemctl", "show"]), "", begun.unwrap_or(u64::MAX))
            }
        };
        self.spans.extend(spans);
    }

    /// Takes the system away again.
    fn end(self, case: &str, accelerator: &str) -> Result<Vec<Source>, Error> {
        self.place.end()?;
        let views = [("survivor", self.inside), ("host", self.outside)];
        let mut sources = Vec::new();
        for (view, recording) in views {
            let Some(mut recording) = recording else { continue };
            for (label, value) in [
                ("manager", self.name.as_str()),
                ("case", case),
                ("view", view),
                ("accelerator", accelerator),
            ] {
                recording.header.labels.insert(label.to_owned(), value.to_owned());
            }
            // A machine's clock is not the host's.
            let same_clock = view == "survivor" || accelerator.starts_with("none");
            sources.push(Source {
                file: format!("{} {case}, {view}", self.name),
                timeline: same_clock.then(|| Timeline {
                    boot_id: String::new(),
                    spans: self.spans.clone(),
                    marks: Vec::new(),
                }),
                recording,
            });
        }
        Ok(sources)
    }
}

/// The records of one system become one.
fn add(all: &mut Option<Recording>, more: Recording, counts: bool) {
    if !counts {
        return;
    }
    let Some(all) = all else {
        *all = Some(more);
        return;
    };
    for (attempts, more) in all.attempts.iter_mut().zip(more.attempts) {
        attempts.extend(more);
    }
    all.marks.extend(more.marks);
    all.ending = more.ending;
    all.unknown = all.unknown.saturating_add(more.unknown);
    if all.tail == softboot_greyout::record::Tail::Whole {
        all.tail = more.tail;
    }
}

/// A file of the host, for messages.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
