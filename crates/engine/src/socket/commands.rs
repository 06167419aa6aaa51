//! ExecStartPre= to ExecStopPost= of sockets, and what signals do about those that do not end (semantics 1.7).

use softboot_unit::{ExecCommand, SocketSection};

use crate::action::ExecList;
use crate::control::ended_well;
use crate::engine::Engine;
use crate::event::{ExitStatus, ProcId, UnitId};
use crate::socket::SocketState;
use crate::state::SocketResult;

fn list_of(section: &SocketSection, list: ExecList) -> &[ExecCommand] {
    match list {
        ExecList::StartPre => &section.exec_start_pre,
        ExecList::StartPost => &section.exec_start_post,
        ExecList::Stop => &section.exec_stop_pre,
        ExecList::StopPost => &section.exec_stop_post,
        _ => &[],
    }
}

/// The list whose commands run in a state. ExecStopPre= goes by the name of a service's ExecStop=.
fn list_in(state: SocketState) -> Option<ExecList> {
    Some(match state {
        SocketState::StartPre => ExecList::StartPre,
        SocketState::StartPost => ExecList::StartPost,
        SocketState::StopPre => ExecList::Stop,
        SocketState::StopPost => ExecList::StopPost,
        _ => return None,
    })
}

impl Engine {
    fn socket_command(&self, unit: UnitId, list: ExecList, index: u32) -> Option<&ExecCommand> {
        let place = usize::try_from(index).ok()?;
        self.socket_section(unit)
            .and_then(|section| list_of(section, list).get(place))
    }

    fn run_socket_command(&mut self, unit: UnitId, list: ExecList, index: u32) -> bool {
        if self.ending.is_some() || self.socket_command(unit, list, index).is_none() {
            return false;
        }
        let section = self.socket_section(unit);
        let limit = section.map_or(softboot_unit::Usec::INFINITY, |section| section.timeout);
        // Nothing is open before the start, so there is nothing to pass.
        let pass = list != ExecList::StartPre && section.is_some_and(|section| section.pass_fds_to_exec);
        self.set_socket_deadline(unit, limit);
        self.spawn_for(unit, list, index, pass);
        true
    }

    /// Begins a list and enters its state; false when it has no command.
    pub(super) fn run_socket_list(&mut self, unit: UnitId, list: ExecList, state: SocketState) -> bool {
        if !self.run_socket_command(unit, list, 0) {
            return false;
        }
        self.set_socket_state(unit, state);
        true
    }

    /// A command's process ended.
    pub(crate) fn socket_process_ended(&mut self, unit: UnitId, process: ProcId, status: ExitStatus) {
        let Some(ended) = self.control_ended(unit, process) else {
            return;
        };
        let state = self.socket_state(unit);
        let Some(list) = list_in(state) else {
            self.socket_signal_progress(unit);
            return;
        };
        let good = ended_well(self.socket_command(unit, list, ended.index), status);
        let next = ended.index.saturating_add(1);
        if good && self.run_socket_command(unit, list, next) {
            return;
        }
        let result = if good {
            SocketResult::Success
        } else {
            result_of(status)
        };
        match state {
            SocketState::StartPre if good => self.open_the_ports(unit),
            SocketState::StartPre => self.enter_socket_signal(unit, SocketState::FinalSigterm, result),
            SocketState::StartPost if good => self.enter_listening(unit),
            SocketState::StartPost => self.socket_fails(unit, result),
            SocketState::StopPre => self.enter_socket_signal(unit, SocketState::StopPreSigterm, result),
            _ => self.enter_socket_signal(unit, SocketState::FinalSigterm, result),
        }
    }

    /// Sends a signal and waits, unless there is nothing to wait for.
    pub(super) fn enter_socket_signal(&mut self, unit: UnitId, state: SocketState, result: SocketResult) {
        self.note_socket_result(unit, result);
        let Some(section) = self.socket_section(unit) else {
            return;
        };
        let (kill, limit) = (section.kill.clone(), section.timeout);
        let over = self
            .socket(unit)
            .is_none_or(|socket| socket.control.is_over(&kill));
        if over {
            self.after_socket_signal(unit, state);
            return;
        }
        let hard = matches!(state, SocketState::StopPreSigkill | SocketState::FinalSigkill);
        self.signal_control(unit, &kill, hard);
        self.set_socket_deadline(unit, limit);
        self.set_socket_state(unit, state);
    }

    /// A process ended, or the cgroup is empty.
    fn socket_signal_progress(&mut self, unit: UnitId) {
        let state = self.socket_state(unit);
        let kill = self.socket_section(unit).map(|section| section.kill.clone());
        let over = self
            .socket(unit)
            .zip(kill)
            .is_some_and(|(socket, kill)| socket.control.is_over(&kill));
        if state.waits_for_end() && over {
            self.after_socket_signal(unit, state);
        }
    }

    fn after_socket_signal(&mut self, unit: UnitId, state: SocketState) {
        match state {
            SocketState::StopPreSigterm | SocketState::StopPreSigkill => self.enter_socket_stop_post(unit),
            _ => self.socket_is_down(unit),
        }
    }

    pub(crate) fn socket_cgroup_empty(&mut self, unit: UnitId) {
        let signalled = self.socket_state(unit).waits_for_end();
        if self.control_empty(unit, signalled) {
            self.socket_signal_progress(unit);
        }
    }

    /// Something took longer than TimeoutSec=.
    pub(super) fn socket_took_too_long(&mut self, unit: UnitId) {
        use SocketState as S;
        let kills = self
            .socket_section(unit)
            .is_some_and(|section| section.kill.send_sigkill);
        let timeout = SocketResult::Timeout;
        match self.socket_state(unit) {
            S::StartPre => self.enter_socket_signal(unit, S::FinalSigterm, timeout),
            S::StartPost => {
                self.abandon_control(unit);
                self.socket_fails(unit, timeout);
            }
            S::StopPre => self.enter_socket_signal(unit, S::StopPreSigterm, timeout),
            S::StopPreSigterm if kills => self.enter_socket_signal(unit, S::StopPreSigkill, timeout),
            S::StopPreSigterm | S::StopPreSigkill => {
                self.note_socket_result(unit, timeout);
                self.abandon_control(unit);
                self.enter_socket_stop_post(unit);
            }
            S::StopPost => self.enter_socket_signal(unit, S::FinalSigterm, timeout),
            S::FinalSigterm if kills => self.enter_socket_signal(unit, S::FinalSigkill, timeout),
            S::FinalSigterm | S::FinalSigkill => {
                self.note_socket_result(unit, timeout);
                self.abandon_control(unit);
                self.socket_is_down(unit);
            }
            _ => self.socket_fails(unit, timeout),
        }
    }
}

fn result_of(status: ExitStatus) -> SocketResult {
    match status {
        ExitStatus::Exited(_) => SocketResult::ExitCode,
        ExitStatus::Signaled(_) => SocketResult::Signal,
        ExitStatus::Dumped(_) => SocketResult::CoreDump,
    }
}
