//! A soft-reboot without an exec: the program that was verified is the one that runs, and the root stays.
//!
//! What an exec would carry over is here already, so nothing is written, executed or read while services are away. The
//! engine is told one event ([`Event::NextUserspace`]) with what is different in the next userspace, and comes to the same state as
//! one that was saved and restored; the journal knows the event as any other, so that a crash before it, in it or after it goes
//! on from there. Watches stay: they are of descriptors, and those stay, too.
//!
//! | in the way | then |
//! |---|---|
//! | another program, or another root | exec |
//! | this program has crashed lately | exec: a new program is a new beginning |
//! | a unit file has changed since the child read it | exec: the next program reads the disk |
//! | everything stopped before the next program was asked | exec: nothing was read ahead |
//! | `softboot.in_place=no` on the kernel's command line | exec |

use softboot_engine::{Event, NextUserspace, Now, UnitId};
use softboot_unit::UnitName;
use tracing::{debug, info};

use super::{Handoff, Kind, Stopwatch};
use crate::run::{Manager, Source};
use crate::shutdown::goes_on_in_place;

impl Manager {
    /// Whether the next userspace may begin in this program, as far as is known before anything stops.
    pub(super) fn can_turn_over(&self) -> bool {
        let Some(handoff) = &self.handoff else {
            return false;
        };
        handoff.kind == Kind::SoftReboot
            && handoff.root.is_none()
            && self.recorder.crashes() == 0
            && goes_on_in_place(&self.facts.command_line)
            && is_running(handoff)
    }

    /// Everything of the old userspace has ended. False: the next program has to be executed, and nothing has changed.
    pub(super) fn turn_over(&mut self, handoff: &mut Handoff) -> bool {
        let stopwatch = Stopwatch::start();
        let live_on = || self.names_to_keep().cloned().collect();
        let Some((compared, watch)) = handoff.ahead.take(live_on) else {
            return false;
        };
        // Dropping it takes a thread: later, when nobody waits.
        self.spent_watch = watch;
        if self.recorder.crashes() > 0 || !self.pending_events().is_empty() {
            return false;
        }
        let is_new = |unit: &UnitId| !self.engine.is_among(*unit, &compared);
        if let Some(name) = self
            .units_to_keep()
            .find(is_new)
            .and_then(|unit| self.engine.name(unit))
        {
            debug!("{name} is up and was not when the next userspace's units were read");
            return false;
        }
        let Some(next) = self.engine.difference(compared) else {
            debug!("units have taken other units' names");
            return false;
        };
        if next != NextUserspace::default() {
            self.note_stops();
        }
        self.use_plan();
        // Those that live on without a file are not in what the child wrote.
        self.definitions_since.extend(next.gone.iter().cloned());
        info!(
            "the next userspace begins in this program; units that are new or different: {}, gone: {}",
            next.definitions.len(),
            next.gone.len()
        );
        self.turning_over = Some(stopwatch);
        crate::fault::place("turn-over");
        self.feed(Event::NextUserspace(next));
        true
    }

    /// Before the engine is told.
    pub(crate) fn leave_userspace(&mut self, next: &NextUserspace) {
        if let Some(stopwatch) = &mut self.turning_over {
            stopwatch.lap("comparing");
        }
        let gone: Vec<UnitName> = next.gone.clone();
        for name in gone {
            self.last_words(&name);
        }
        self.timers.forget_engine();
    }

    /// After the engine was told, before it is obeyed: this is what a new program would know of itself.
    pub(crate) fn enter_userspace(&mut self, now: Now) {
        if let Some(stopwatch) = &mut self.turning_over {
            stopwatch.lap("units");
        }
        self.objective = None;
        self.facts.started = now.monotonic;
        self.facts.boot_finished = None;
        self.facts.reexecs = 0;
        self.devices.look = true;
        self.mounts.look_anew();
        crate::fault::place("turned-over");
    }

    /// What survives is looked after again; the boot is asked for.
    pub(crate) fn begin_userspace(&mut self) {
        crate::fault::place("next-userspace");
        let mut stopwatch = self.turning_over.take().unwrap_or_else(Stopwatch::start);
        stopwatch.lap("actions");
        let report = stopwatch.report(Kind::SoftReboot.word());
        info!("turning over took {} us", report.took_usec);
        self.note_taken_over(report);
        info!("soft-reboot {} done", self.engine.soft_reboots());
        self.clients.soft_reboot_has_come();
        // What traffic of the old userspace has used up is not this one's loss.
        for unit in self.timers.take_resumes() {
            self.resume_ports(unit);
        }
        self.find_waiting_clients();
        self.request_boot();
    }

    /// A unit that is not in the next userspace has no number there by which its output could be watched.
    fn last_words(&mut self, name: &UnitName) {
        let Some(unit) = self.engine.unit(name) else {
            return;
        };
        if self.engine.may_have_processes(unit) {
            return;
        }
        while self.log_readable(unit) {}
        let reader = self.log_reader(name).and_then(|entry| self.store.fd(entry));
        self.poll.forget(Source::Log(unit), reader);
    }

    /// Units that are not plainly inactive: a soft-reboot loads them beside the boot's.
    fn units_to_keep(&self) -> impl Iterator<Item = UnitId> {
        self.engine.ids().filter(|unit| self.engine.is_up_or_holds(*unit))
    }

    /// The same by their names.
    pub(super) fn names_to_keep(&self) -> impl Iterator<Item = &UnitName> {
        self.units_to_keep().filter_map(|unit| self.engine.name(unit))
    }
}

/// Whether the verified program is the one that runs. A program that runs cannot be written to (ETXTBSY of open(2)), so the
/// same file has the same contents.
fn is_running(handoff: &Handoff) -> bool {
    let own = rustix::fs::stat("/proc/self/exe");
    let next = rustix::fs::fstat(&handoff.program);
    matches!((own, next), (Ok(own), Ok(next)) if (own.st_dev, own.st_ino) == (next.st_dev, next.st_ino))
}
