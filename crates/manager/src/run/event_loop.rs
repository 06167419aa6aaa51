//! The loop: wait, take what is ready in its order, let the engine decide, obey.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::event::epoll::EventFlags;
use softboot_engine::{Action, Event, ExitStatus, UnitId};
use softboot_sys::memory;
use softboot_unit::Usec;
use tracing::{error, info};

use super::{Alarm, Manager, Source};
use crate::fault;
use crate::journal::Inert;
use crate::{clock, log, owner};

/// What a boot or a handoff sets off is over after this time, as far as PID 1 is concerned: what is let go of earlier comes
/// back at once.
const SETTLED: Usec = Usec::from_millis(250);

impl Manager {
    /// Runs until the machine or this program is over.
    pub(crate) fn run(mut self) -> ! {
        loop {
            // The panic hook has said what it was, and that nothing could be executed anew: one event is lost.
            let _ = catch_unwind(AssertUnwindSafe(|| self.turn()));
        }
    }

    fn turn(&mut self) {
        self.drain();
        self.after_drain();
        self.drain();
        self.journal_turn_over();
        if let Err(error) = self.timers.arm() {
            error!("cannot set the timer: {error}");
        }
        self.cgroups.let_go();
        log::release();
        match self.poll.wait() {
            Ok(ready) => {
                log::hold();
                for (source, flags) in ready {
                    // An earlier turn may have closed it.
                    if self.poll.is_watched(source) {
                        fault::place("dispatch");
                        self.dispatch(source, flags);
                        self.drain();
                    }
                }
            }
            Err(error) => error!("cannot wait for events: {error}"),
        }
    }

    /// Feeds the engine until there is nothing to say and nothing to do.
    pub(crate) fn drain(&mut self) {
        let mut stepped = false;
        while let Some(event) = self.pending.pop_front() {
            let now = clock::now();
            self.step_at = now.monotonic;
            self.journal_step(now);
            fault::place("step");
            let turns_over = match &event {
                Event::NextUserspace(next) => {
                    self.leave_userspace(next);
                    true
                }
                _ => false,
            };
            let actions = self.engine.step(now, event);
            if turns_over {
                self.enter_userspace(now);
            }
            self.obey_each(actions);
            if turns_over {
                self.begin_userspace();
            }
            stepped = true;
        }
        if stepped {
            self.journal_done();
        }
    }

    /// Does what the engine wants after a step that the journal knows.
    pub(crate) fn obey_step(&mut self, actions: Vec<Action>) {
        self.step_at = clock::monotonic();
        self.obey_each(actions);
        self.journal_done();
    }

    fn obey_each(&mut self, actions: Vec<Action>) {
        for (place, action) in actions.into_iter().enumerate() {
            let inert = Inert::from(&action);
            fault::place("act");
            self.obey(action);
            fault::place("acted");
            self.journal_acted(place.saturating_add(1), inert);
        }
        for name in self.engine.collect_garbage() {
            self.definitions_since.remove(&name);
        }
    }

    /// What is due between events, when the engine has nothing more to do.
    fn after_drain(&mut self) {
        self.final_kill_progress();
        self.look_at_devices();
        self.look_at_mounts();
        self.drain();
        self.watch_cycle();
        self.pursue_objective();
        self.handoff_progress();
        if self.facts.boot_finished.is_none() && self.engine.boot_finished() {
            let now = clock::monotonic();
            self.facts.boot_finished = Some(now);
            self.journal_boot_finished(now);
            if !self.recorder.safe_mode() {
                self.close_adoptable();
            }
            self.leave_unclaimed();
            if self.engine.soft_reboots() > 0 {
                self.look_after_ports();
            }
            info!(
                "boot finished in {} ({}, soft-reboots: {})",
                now.minus(self.facts.started),
                self.engine.system_state(),
                self.engine.soft_reboots()
            );
            self.give_back_soon();
        }
        self.answer_boot_waiters();
    }

    fn dispatch(&mut self, source: Source, flags: EventFlags) {
        match source {
            Source::ExecStatus(process) => self.exec_status_readable(process),
            Source::Notify => self.receive_notifications(),
            Source::Signals => self.receive_signals(),
            Source::Alien(process) => self.process_ended(process, ExitStatus::Exited(0)),
            Source::Victim(pid) => self.victim_gone(pid),
            Source::PidFiles => self.pid_files_changed(),
            Source::Cgroups => self.cgroups_changed(),
            Source::Mounts => self.mounts.look = true,
            Source::Devices => self.device_events(),
            Source::Timers => self.timers_due(),
            Source::Verification => self.verification_readable(),
            Source::ThreadDone => self.ahead_is_done(),
            Source::RootSwitch => self.root_switch_readable(),
            Source::TearDown => self.tear_down_readable(),
            Source::Log(unit) => {
                self.log_readable(unit);
            }
            Source::Stored(entry) => {
                if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
                    self.stored_hung_up(entry);
                }
            }
            Source::ControlListener => self.accept_clients(owner::CONTROL),
            Source::VarlinkListener => self.accept_clients(owner::VARLINK),
            Source::Client(client) => self.client_ready(client, flags),
            Source::Port(unit, entry) => self.port_ready(unit, entry, flags),
        }
    }

    /// Much memory was used for a short time, and code that will not soon run again: once the system has settled, both go.
    pub(crate) fn give_back_soon(&mut self) {
        self.timers.set(Alarm::GiveBack, clock::monotonic().plus(SETTLED));
    }

    /// Reading units and their transaction, or taking over, took several times what is left of them.
    fn give_back(&mut self) {
        // With many units it takes longer than all that PID 1 did for the boot, and nobody may have asked for it.
        self.complete_cycle();
        self.spent_watch = None;
        self.engine.pack();
        self.forget_room();
        memory::give_back();
    }

    /// Some cgroup may be empty. Deaths come first, or exit codes would be lost (semantics 2.8).
    fn cgroups_changed(&mut self) {
        let changed = self.cgroups.changed();
        for path in changed.oom_killed {
            if let Some(unit) = self.unit_of_cgroup(&path) {
                self.feed(Event::OomKilled { unit });
            }
        }
        self.drain();
        self.reap_all();
        self.drain();
        for path in changed.populated {
            if crate::cgroup::is_populated(&path) {
                continue;
            }
            let relative = path
                .strip_prefix(self.cgroups.root())
                .ok()
                .and_then(|path| path.to_str());
            let name = relative.and_then(crate::cgroup::unit_of_path);
            let unit = name.as_ref().and_then(|name| self.engine.unit(name));
            if let Some(unit) = unit {
                self.feed(Event::CgroupEmpty { unit });
            }
            if let (Some(relative), Some(_)) = (relative, name)
                && !unit.is_some_and(|unit| self.is_up(unit))
            {
                // Processes that outlived their unit (KillMode=process) kept its group until now. Another one that came
                // in between keeps it on: then this fails.
                let _ = self.cgroups.remove(relative);
            }
        }
    }

    fn unit_of_cgroup(&self, path: &std::path::Path) -> Option<UnitId> {
        let relative = path.strip_prefix(self.cgroups.root()).ok()?.to_str()?;
        self.engine.unit(&crate::cgroup::unit_of_path(relative)?)
    }

    fn is_up(&self, unit: UnitId) -> bool {
        self.engine
            .status(unit)
            .is_some_and(|status| !status.active.is_inactive_ish())
    }

    fn timers_due(&mut self) {
        self.timers.acknowledge();
        while let Some(alarm) = self.timers.pop(clock::monotonic()) {
            match alarm {
                Alarm::Engine(timer) => self.feed(Event::Timer(timer)),
                Alarm::FinalKillGrace => self.final_kill_grace_over(),
                Alarm::VerificationDeadline => self.verification_overdue(),
                Alarm::RootSwitch => self.root_switch_overdue(),
                Alarm::TearDown => self.tear_down_overdue(),
                Alarm::Watchdog => self.watchdog_due(),
                Alarm::ResumePort(unit) => self.resume_ports(unit),
                Alarm::ResumeListeners => self.watch_listeners(),
                Alarm::GiveBack => self.give_back(),
                // The turn that it made is all that was wanted.
                Alarm::LetFinish => {}
            }
            self.drain();
        }
    }
}
