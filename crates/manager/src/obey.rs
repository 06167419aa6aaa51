//! Actions of the engine become calls.

use softboot_engine::{Action, Event, Level, UnitId};
use softboot_unit::UnitName;
use tracing::{error, info, warn};

use crate::owner::Role;
use crate::process::{commands, credentials, directories};
use crate::run::{Alarm, Manager, Source};

impl Manager {
    /// Does what the engine asked for. Answers go into the queue, never straight back into the engine.
    pub(crate) fn obey(&mut self, action: Action) {
        match action {
            Action::CheckConditions { unit } => self.check_conditions(unit),
            Action::Spawn(spawn) => self.spawn(&spawn),
            Action::FindMain { unit } => self.find_main(unit),
            Action::Kill {
                unit,
                whom,
                signal,
                hangup,
            } => self.kill(unit, whom, signal, hangup),
            Action::OpenSockets { unit } => self.open_sockets(unit),
            Action::ReconcileSockets { unit } => self.reconcile_sockets(unit),
            Action::CloseSockets { unit } => self.close_sockets(unit),
            Action::PollSockets { unit, on } => self.poll_sockets(unit, on),
            Action::FlushSockets { unit } => self.flush_sockets(unit),
            Action::CloseConnection(token) => self.close_connection(token),
            Action::ArmTimer { timer, at } => self.timers.set(Alarm::Engine(timer), at),
            Action::CancelTimer(timer) => self.timers.cancel(Alarm::Engine(timer)),
            Action::ReleaseFdStore { unit } => self.release_fd_store(unit),
            Action::Release {
                unit,
                runtime_directories,
            } => self.release(unit, runtime_directories),
            Action::RemoveRuntimeDirectories { unit } => self.remove_runtime_directories(unit),
            Action::Changed { unit } => self.unit_changed(unit),
            Action::JobNew { job, unit, kind } => self.job_changed("job-new", job, unit, kind, None),
            Action::JobDone {
                job,
                unit,
                kind,
                result,
            } => self.job_changed("job-done", job, unit, kind, Some(result)),
            Action::RequestQueued { request, job } => self.request_queued(request, job),
            Action::RequestDone { request, outcome } => self.request_done(request, outcome),
            Action::Objective(objective) => self.objective = Some(objective),
            Action::FindSurvivors => self.find_survivors(),
            Action::FinalKill { spare } => self.begin_final_kill(&spare),
            Action::Log { level, unit, message } => self.log(level, unit, &message),
        }
    }

    fn check_conditions(&mut self, unit: UnitId) {
        let Some(section) = self.engine.definition(unit).map(|definition| &definition.unit) else {
            return;
        };
        let holds = |list| crate::conditions::hold(list, &self.facts.command_line, self.facts.container);
        let (conditions, asserts) = (holds(&section.conditions), holds(&section.asserts));
        self.feed(Event::ConditionsChecked {
            unit,
            conditions,
            asserts,
        });
    }

    pub(crate) fn release_fd_store(&mut self, unit: UnitId) {
        let Some(name) = self.engine.name(unit).cloned() else {
            return;
        };
        let ids: Vec<_> = self
            .store
            .entries_of(&Role::Store.of(&name))
            .map(fdstore::Entry::id)
            .collect();
        for id in ids {
            self.drop_entry(Some(Source::Stored(id)), id);
        }
        self.tell_store_count(unit, &name);
    }

    /// The unit is down: its cgroup, its log pipe, its connection and its directories go.
    fn release(&mut self, unit: UnitId, runtime_directories: bool) {
        let Some(name) = self.engine.name(unit).cloned() else {
            return;
        };
        self.close_connections_of(&name);
        if let Some(relative) = self.cgroup_of(&name)
            && let Err(error) = self.cgroups.remove(&relative)
        {
            info!("cgroup {relative} stays: {error}");
        }
        self.release_log(unit, &name);
        // A service's id stays known until its next run: what OnFailure= starts is told it. Instances are forgotten.
        if self.service_of(&name).is_none() || name.is_instance() {
            self.invocations.remove(&name);
        }
        self.remove_files_of(&name, runtime_directories);
        self.leave_terminal(&name);
    }

    /// What the unit's processes had below /run.
    fn remove_files_of(&self, name: &UnitName, runtime_directories: bool) {
        let definition = self
            .engine
            .unit(name)
            .and_then(|unit| self.engine.definition(unit));
        let Some(exec) = definition.and_then(commands::context_of) else {
            return;
        };
        let mut stay = Vec::new();
        if credentials::any(exec) {
            stay.extend(credentials::remove(name));
        }
        if runtime_directories {
            stay.extend(directories::remove_runtime_directories(exec));
        }
        for line in stay {
            warn!("{name}: {line}");
        }
    }

    /// Between two runs of a service.
    fn remove_runtime_directories(&self, unit: UnitId) {
        let Some(definition) = self.engine.definition(unit) else {
            return;
        };
        let exec = commands::context_of(definition);
        for line in exec
            .map(directories::remove_runtime_directories)
            .unwrap_or_default()
        {
            warn!("{}: {line}", definition.name);
        }
    }

    fn log(&mut self, level: Level, unit: Option<UnitId>, message: &str) {
        let name = unit.and_then(|unit| self.engine.name(unit)).cloned();
        let text = name
            .as_ref()
            .map_or_else(|| message.to_owned(), |name| format!("{name}: {message}"));
        match level {
            Level::Error => error!("{text}"),
            Level::Warning => warn!("{text}"),
            Level::Info => info!("{text}"),
            Level::Debug => tracing::debug!("{text}"),
        }
        if let (Some(name), true) = (name, level != Level::Debug) {
            self.unit_log_line(&name, message);
        }
    }
}
