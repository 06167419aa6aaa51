//! Making processes and learning of their end.

use softboot_unit::{ExecCommand, NotifyAccess, ServiceSection, ServiceType, Usec};

use crate::action::{Action, CommandRef, ExecList, Level, Monitored, Spawn};
use crate::engine::Engine;
use crate::event::{ExitStatus, ProcId, UnitId};
use crate::service::{Process, ServiceState};
use crate::state::ServiceResult;
use crate::units::{Machine, Relation};

/// The commands of a list.
pub(super) fn list_of(section: &ServiceSection, list: ExecList) -> &[ExecCommand] {
    match list {
        ExecList::Condition => &section.exec_condition,
        ExecList::StartPre => &section.exec_start_pre,
        ExecList::Start => &section.exec_start,
        ExecList::StartPost => &section.exec_start_post,
        ExecList::Reload => &section.exec_reload,
        ExecList::ReloadPost => &section.exec_reload_post,
        ExecList::Stop => &section.exec_stop,
        ExecList::StopPost => &section.exec_stop_post,
        // A process of the manager's own.
        ExecList::Clean => &[],
    }
}

/// The state in which a list's commands run.
pub(super) fn state_of(list: ExecList) -> ServiceState {
    match list {
        ExecList::Condition => ServiceState::Condition,
        ExecList::StartPre => ServiceState::StartPre,
        ExecList::Start => ServiceState::Start,
        ExecList::StartPost => ServiceState::StartPost,
        ExecList::Reload => ServiceState::Reload,
        ExecList::ReloadPost => ServiceState::ReloadPost,
        ExecList::Stop => ServiceState::Stop,
        ExecList::StopPost => ServiceState::StopPost,
        ExecList::Clean => ServiceState::Cleaning,
    }
}

/// The list whose commands run in a state.
fn list_in(state: ServiceState) -> Option<ExecList> {
    Some(match state {
        ServiceState::Condition => ExecList::Condition,
        ServiceState::StartPre => ExecList::StartPre,
        ServiceState::Start => ExecList::Start,
        ServiceState::StartPost => ExecList::StartPost,
        ServiceState::Reload => ExecList::Reload,
        ServiceState::ReloadPost => ExecList::ReloadPost,
        ServiceState::Stop => ExecList::Stop,
        ServiceState::StopPost => ExecList::StopPost,
        ServiceState::Cleaning => ExecList::Clean,
        _ => return None,
    })
}

impl Engine {
    /// True if the list has a command at `index` that may be run now.
    pub(super) fn has_command(&self, unit: UnitId, list: ExecList, index: u32) -> bool {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        self.ending.is_none()
            && self
                .service_section(unit)
                .is_some_and(|s| list_of(s, list).get(place).is_some())
    }

    fn ignores_failure(&self, unit: UnitId, list: ExecList, index: u32) -> bool {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        self.service_section(unit)
            .and_then(|s| list_of(s, list).get(place))
            .is_some_and(|c| c.ignore_failure)
    }

    /// Runs a list from its first command; false when it has none.
    pub(super) fn run_list(&mut self, unit: UnitId, list: ExecList) -> bool {
        if !self.has_command(unit, list, 0) {
            return false;
        }
        self.run_control(unit, list, 0);
        self.set_service_state(unit, state_of(list));
        true
    }

    fn run_control(&mut self, unit: UnitId, list: ExecList, index: u32) {
        let limit = self
            .service_section(unit)
            .map_or(Usec::INFINITY, |section| match list {
                ExecList::Stop | ExecList::StopPost => section.timeout_stop,
                _ => section.timeout_start,
            });
        self.arm_state_timer(unit, limit);
        let process = self.spawn(unit, list, index);
        if let Some(service) = self.service_mut(unit) {
            service.control = Some(process);
        }
    }

    /// Asks for a process.
    pub(super) fn spawn(&mut self, unit: UnitId, list: ExecList, index: u32) -> Process {
        let id = self.allocate_process();
        let access = self.notify_access(unit).unwrap_or(NotifyAccess::None);
        let watchdog = self.watchdog_interval(unit);
        let main = list == ExecList::Start;
        let last = matches!(list, ExecList::Stop | ExecList::StopPost);
        let monitored = matches!(list, ExecList::StartPre | ExecList::Start)
            .then(|| self.monitored(unit))
            .flatten();
        self.processes.insert(id, unit);
        let process = Process { id, pid: None, index };
        let Some(service) = self.service_mut(unit) else {
            return process;
        };
        service.empty = false;
        let spawn = Spawn {
            process: id,
            unit,
            command: CommandRef { list, index },
            pass_fds: main,
            notify_socket: if main {
                access != NotifyAccess::None
            } else {
                matches!(access, NotifyAccess::Exec | NotifyAccess::All)
            },
            connection: service.connection,
            watchdog: if main { watchdog } else { None },
            main_pid: if main {
                None
            } else {
                service.main.and_then(|main| main.pid)
            },
            result: last.then_some(service.result),
            main_status: service.main_status.filter(|_| last),
            new_invocation: std::mem::take(&mut service.new_run),
            socket: service.accepted_by.as_ref().map(|(socket, _)| socket.clone()),
            monitored,
            clean: Vec::new(),
        };
        self.act(Action::Spawn(spawn));
        process
    }

    /// The one service that names this unit in OnFailure= or OnSuccess=. With several nobody could say whose end is meant.
    fn monitored(&self, unit: UnitId) -> Option<Monitored> {
        let known = &self.units[unit];
        let failed = known.partners(Relation::OnFailureOf).iter();
        let mut triggers = failed.chain(known.partners(Relation::OnSuccessOf));
        let first = *triggers.next()?;
        if triggers.any(|other| *other != first) {
            return None;
        }
        let service = self.service(first)?;
        Some(Monitored {
            unit: self.name(first)?.clone(),
            result: service.result,
            main_status: service.main_status,
        })
    }

    pub(crate) fn allocate_process(&mut self) -> ProcId {
        let id = ProcId(self.next_process);
        self.next_process = self.next_process.saturating_add(1);
        id
    }

    pub(crate) fn spawned(&mut self, process: ProcId, pid: i32) {
        let Some(unit) = self.processes.get(&process).copied() else {
            return;
        };
        self.dirty.insert(unit);
        if self.control_spawned(unit, process, pid) {
            return;
        }
        let now = self.now.monotonic;
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        let mut is_main = false;
        if let Some(main) = service.main.as_mut().filter(|main| main.id == process) {
            main.pid = Some(pid);
            service.main_pid = Some(pid);
            service.main_started = Some(now);
            service.main_ended = None;
            is_main = true;
        }
        if let Some(control) = service.control.as_mut().filter(|control| control.id == process) {
            control.pid = Some(pid);
        }
        let simple = matches!(self.service_type(unit), ServiceType::Simple | ServiceType::Idle);
        if !is_main || self.service_state(unit) != ServiceState::Start {
            return;
        }
        if simple {
            self.enter_start_post(unit);
        } else if self
            .service(unit)
            .is_some_and(|service| service.state_deadline.is_none())
        {
            // A reload changed the type since the fork: what it waits for now needs a limit.
            let limit = self
                .service_section(unit)
                .map_or(Usec::INFINITY, |section| section.timeout_start);
            self.arm_state_timer(unit, limit);
        }
    }

    pub(crate) fn executed(&mut self, process: ProcId) {
        let Some(unit) = self.processes.get(&process).copied() else {
            return;
        };
        let is_main = self
            .service(unit)
            .and_then(|s| s.main)
            .is_some_and(|main| main.id == process);
        let waits =
            self.service_type(unit) == ServiceType::Exec && self.service_state(unit) == ServiceState::Start;
        if is_main && waits {
            self.enter_start_post(unit);
        }
    }

    /// As if it had run and ended with `code`.
    pub(crate) fn spawn_failed(&mut self, process: ProcId, error: &str, code: i32) {
        let Some(unit) = self.processes.get(&process).copied() else {
            return;
        };
        self.log(Level::Error, Some(unit), error.to_owned());
        self.exited(process, ExitStatus::Exited(code));
    }

    pub(crate) fn exited(&mut self, process: ProcId, status: ExitStatus) {
        let Some(unit) = self.processes.remove(&process) else {
            return;
        };
        self.dirty.insert(unit);
        match self.units[unit].machine {
            Machine::Socket(_) => return self.socket_process_ended(unit, process, status),
            Machine::Mount(_) => return self.mount_process_ended(unit, process, status),
            _ => {}
        }
        let state = self.service_state(unit);
        let oneshot = self.service_type(unit) == ServiceType::Oneshot;
        let now = self.now.monotonic;
        let Some(service) = self.service_mut(unit) else {
            return;
        };
        if let Some(main) = service.main.filter(|main| main.id == process) {
            service.main = None;
            service.main_status = Some(status);
            service.main_ended = Some(now);
            let mut result = self.judge(unit, status, !oneshot);
            if result != ServiceResult::Success && self.ignores_failure(unit, ExecList::Start, main.index) {
                result = ServiceResult::Success;
            }
            self.main_exited(unit, main, result);
        } else if let Some(control) = service.control.filter(|control| control.id == process) {
            service.control = None;
            let mut result = self.judge(unit, status, false);
            let list = list_in(state);
            if list == Some(ExecList::Clean) {
                // What counts as success for the service's own processes says nothing about this one.
                result = match status {
                    ExitStatus::Exited(0) => ServiceResult::Success,
                    ExitStatus::Exited(_) => ServiceResult::ExitCode,
                    ExitStatus::Signaled(_) | ExitStatus::Dumped(_) => ServiceResult::Signal,
                };
            } else if let Some(list) = list {
                if result != ServiceResult::Success && self.ignores_failure(unit, list, control.index) {
                    result = ServiceResult::Success;
                }
                let skips = result != ServiceResult::Success && matches!(status, ExitStatus::Exited(1..=254));
                if list == ExecList::Condition && skips {
                    result = ServiceResult::ExecCondition;
                }
            }
            self.control_exited(unit, list, control, result);
        }
    }

    /// What an end means (semantics 4.4). A daemon may also be ended by the signals that ask for its end.
    fn judge(&self, unit: UnitId, status: ExitStatus, daemon: bool) -> ServiceResult {
        const HUP: i32 = 1;
        const INT: i32 = 2;
        const PIPE: i32 = 13;
        const TERM: i32 = 15;
        let section = self.service_section(unit);
        match status {
            ExitStatus::Exited(0) => ServiceResult::Success,
            ExitStatus::Exited(code) if section.is_some_and(|s| s.success_exit_codes.contains(&code)) => {
                ServiceResult::Success
            }
            ExitStatus::Exited(_) => ServiceResult::ExitCode,
            ExitStatus::Signaled(HUP | INT | PIPE | TERM) if daemon => ServiceResult::Success,
            ExitStatus::Signaled(signal) if section.is_some_and(|s| s.success_signals.contains(&signal)) => {
                ServiceResult::Success
            }
            ExitStatus::Signaled(_) => ServiceResult::Signal,
            ExitStatus::Dumped(_) => ServiceResult::CoreDump,
        }
    }

    fn control_exited(
        &mut self,
        unit: UnitId,
        list: Option<ExecList>,
        control: Process,
        result: ServiceResult,
    ) {
        let Some(list) = list else {
            self.stop_progress(unit);
            return;
        };
        let good = result == ServiceResult::Success;
        let next = control.index.saturating_add(1);
        if good && self.has_command(unit, list, next) {
            self.run_control(unit, list, next);
            return;
        }
        match list {
            ExecList::Condition if good => self.enter_start_pre(unit),
            ExecList::StartPre if good => self.enter_start(unit),
            ExecList::Start if good => self.find_main(unit),
            ExecList::StartPost if good => self.enter_running(unit),
            ExecList::Condition | ExecList::StartPre | ExecList::Start | ExecList::StartPost => {
                self.enter_signal(unit, ServiceState::StopSigterm, result);
            }
            ExecList::Reload => self.reload_command_done(unit, good),
            ExecList::ReloadPost => self.reload_ends(unit, !good),
            ExecList::Stop => self.enter_signal(unit, ServiceState::StopSigterm, result),
            ExecList::StopPost => self.enter_signal(unit, ServiceState::FinalSigterm, result),
            ExecList::Clean => self.cleaner_ended(unit, result),
        }
    }

    /// MAINPID= named a process that the engine did not ask for (semantics 3.4).
    pub(crate) fn main_adopted(&mut self, unit: UnitId, process: ProcId, pid: i32) {
        use ServiceState as S;
        let takes = matches!(
            self.service_state(unit),
            S::Start
                | S::StartPost
                | S::Running
                | S::Reload
                | S::ReloadSignal
                | S::ReloadNotify
                | S::ReloadPost
                | S::Stop
                | S::StopSigterm
        );
        let Some(service) = self.service_mut(unit).filter(|_| takes) else {
            return;
        };
        let old = service.main.replace(Process {
            id: process,
            pid: Some(pid),
            index: 0,
        });
        service.main_known = true;
        if let Some(old) = old {
            self.processes.remove(&old.id);
        }
        self.processes.insert(process, unit);
        self.dirty.insert(unit);
        self.main_found(unit);
    }
}
