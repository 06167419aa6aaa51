//! Handing over to the next program: re-exec and soft-reboot.
//!
//! | phase | what happens | what a failure means |
//! |---|---|---|
//! | verifying | the next program reads a snapshot in a child and says yes or no | refused; nothing has changed |
//! | reading | (soft-reboot that needs no exec) what the child has read is made ready | there is an exec |
//! | finishing | (soft-reboot) connections that `Accept=yes` sockets have just handed out are served to their end | a crash forgets it |
//! | stopping | (soft-reboot) the stop transaction and the final kill run | the transaction's own error |
//! | ready | at the next quiet moment: snapshot, seal, execveat; or the next userspace begins in this program | reported; this program goes on |
//!
//! Nothing stops before the next side has said yes. The program that was verified is kept open, and the exec is on
//! that descriptor, so what runs is what was asked.

mod ahead;
mod before_stop;
mod brought;
mod check;
mod commit;
mod definitions;
mod fallback;
#[cfg(test)]
mod golden;
#[cfg(feature = "next-version")]
mod next_version;
mod plan;
mod resume;
mod shares;
mod state;
mod stay;
mod stopwatch;
mod turn_over;
mod verify_child;
mod verifying;

pub(crate) use ahead::give_way;
pub(crate) use commit::command_line;
pub(crate) use definitions::{decode_definitions, decode_table};
pub(crate) use fallback::Fallback;
pub(crate) use resume::{decode_snapshot, resume, take};
pub(crate) use shares::{in_shares, places, read_shares};
pub(crate) use state::{ManagerState, Snapshot};
pub(crate) use stopwatch::Stopwatch;
pub(crate) use verify_child::verify_main;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use serde::{Deserialize, Serialize};
use softboot_control::api::ApiError;
use softboot_engine::{Event, Objective, RequestError, RequestId};
use softboot_reexec::verify::Verification;
use softboot_unit::{JobMode, UnitName};
use tracing::{error, info};

use crate::client::Waiting;
use crate::clock;
use crate::cycles::Mark;
use crate::root::{RootChange, RootWish};
use crate::run::{Alarm, Manager, Source};
use crate::shutdown::verification_limit;

/// Which handoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The manager only.
    Reexec,
    /// All of userspace.
    SoftReboot,
}

impl Kind {
    /// What people are shown.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Reexec => "reexec",
            Kind::SoftReboot => "soft-reboot",
        }
    }
}

/// A handoff from its request to the exec.
pub(crate) struct Handoff {
    kind: Kind,
    /// Who asked and waits.
    client: Option<u64>,
    /// The verified program.
    program: OwnedFd,
    /// How long it took to say yes.
    verified_in: Duration,
    asked: Instant,
    /// Only phase one was asked for.
    check_only: bool,
    phase: Phase,
    /// The verifying child has said yes, with this, and has not ended yet.
    answer: Option<serde_json::Value>,
    /// How many processes of PID 1's cgroup the kernel had killed for want of memory before it was asked.
    oom_kills: u64,
    /// The next userspace's definitions, if no exec is needed.
    ahead: ahead::Ahead,
    /// A soft-reboot into another root. Last: closing it may unmount that root, and nobody here may wait for it.
    root: Option<RootChange>,
}

enum Phase {
    Verifying(Verification),
    /// Soft-reboot: a thread reads the next userspace's definitions, while all is answered. With the child's answer.
    Reading(serde_json::Value),
    /// Soft-reboot: instances for connections that have just begun finish.
    Finishing(before_stop::Finishing),
    /// Soft-reboot: the stop transaction of this request runs. `over`: its job is out of the table, because the ending
    /// has begun or because somebody cancelled it.
    Stopping {
        request: RequestId,
        over: bool,
    },
    Ready,
}

impl Manager {
    /// Starts a handoff: the next program is asked whether it can take over.
    pub(crate) fn begin_handoff(&mut self, kind: Kind, client: Option<u64>) {
        self.begin_handoff_with(kind, client, false, &RootWish::default());
    }

    /// The same, ending after the answer when `check_only`, in the root that is wished for.
    pub(crate) fn begin_handoff_with(
        &mut self,
        kind: Kind,
        client: Option<u64>,
        check_only: bool,
        wish: &RootWish,
    ) {
        if self.handoff.is_some() {
            self.refuse_handoff(client, vec!["another handoff is under way".to_owned()]);
            return;
        }
        if let Err(reason) = self.no_other_end(kind) {
            return self.refuse_handoff(client, vec![reason]);
        }
        if !check_only {
            self.mark(kind, Mark::Verifying);
        }
        if kind == Kind::SoftReboot {
            self.offer_plan();
        }
        let oom_kills = self.cgroups.own_oom_kills();
        let started = match self.wanted_root(kind, wish) {
            Some(path) => self
                .rehearse_root(path)
                .map(|(program, asked, root)| (program, asked, Some(root))),
            None => self
                .start_verification(kind)
                .map(|(program, asked)| (program, asked, None)),
        };
        match started {
            Ok((program, verification, root)) => {
                if let Err(error) =
                    self.poll
                        .watch(Source::Verification, verification.as_fd(), EventFlags::IN)
                {
                    verification.kill();
                    let reason = format!("cannot watch the verifying child: {error}");
                    return self.cannot_ask(kind, client, reason);
                }
                let deadline = clock::monotonic().plus(verification_limit(&self.facts.command_line));
                self.timers.set(Alarm::VerificationDeadline, deadline);
                self.verifier_started(verification.pid());
                let phase = Phase::Verifying(verification);
                self.handoff = Some(Handoff {
                    kind,
                    client,
                    program,
                    verified_in: Duration::ZERO,
                    asked: Instant::now(),
                    check_only,
                    phase,
                    answer: None,
                    oom_kills,
                    ahead: ahead::Ahead::default(),
                    root,
                });
            }
            Err(reason) => self.cannot_ask(kind, client, reason),
        }
    }

    /// The next program was not asked.
    fn cannot_ask(&mut self, kind: Kind, client: Option<u64>, reason: String) {
        let stopped = kind == Kind::SoftReboot && self.objective == Some(Objective::SoftReboot);
        self.refuse_handoff(client, vec![reason.clone()]);
        if stopped {
            // Or it would be asked again and again, with nothing running.
            self.abandon_soft_reboot(&reason);
        }
    }

    /// The root that was rehearsed, if there is one, and its program.
    fn accept_root(&mut self) -> Result<(), String> {
        if let Some(handoff) = &mut self.handoff
            && let Some(root) = &mut handoff.root
            && let Some(program) = root.accept()?
        {
            handoff.program = program;
        }
        Ok(())
    }

    /// For who works on the change of the root.
    pub(crate) fn take_root_change(&mut self) -> Option<RootChange> {
        self.handoff.as_mut()?.root.take()
    }

    /// Gives it back.
    pub(crate) fn put_root_change(&mut self, root: RootChange) {
        if let Some(handoff) = &mut self.handoff {
            handoff.root = Some(root);
        }
    }

    /// The root stays: this is the program to go on with.
    pub(crate) fn execute_instead(&mut self, program: OwnedFd) {
        if let Some(handoff) = &mut self.handoff {
            handoff.program = program;
        }
    }

    fn verified(&mut self, plan: &serde_json::Value) {
        self.stop_watching_verification();
        let Some(handoff) = &mut self.handoff else { return };
        handoff.verified_in = handoff.asked.elapsed();
        let client = handoff.client;
        if handoff.check_only {
            let handoff = self.handoff.take();
            self.drop_plan();
            if let (Some(client), Some(handoff)) = (client, handoff) {
                let reply = self.check_reply(handoff.kind, handoff.root.as_ref(), plan);
                self.finish(client, &reply);
            }
            return;
        }
        let stopped = self.objective == Some(Objective::SoftReboot);
        if stopped || !self.read_ahead() {
            return self.stop_or_go(plan);
        }
        if let Some(handoff) = &mut self.handoff {
            handoff.phase = Phase::Reading(plan.clone());
        }
    }

    /// The stop transaction of a soft-reboot (semantics 7.3).
    fn begin_stopping(&mut self, plan: &serde_json::Value) {
        if let Err(reason) = self.no_other_end(Kind::SoftReboot) {
            // Somebody has asked for it meanwhile.
            self.verification_failed(vec![reason]);
            return self.accept_again();
        }
        let Ok(unit) = UnitName::new("soft-reboot.target") else {
            return;
        };
        self.load_units(std::slice::from_ref(&unit));
        self.keep_sockets_open(plan);
        self.mark(Kind::SoftReboot, Mark::Stopping);
        let request = self.start_own(unit, JobMode::ReplaceIrreversibly);
        let Some(handoff) = &mut self.handoff else { return };
        handoff.phase = Phase::Stopping { request, over: false };
        if let Some(client) = handoff.client {
            let wait = matches!(
                self.clients.waiting(client),
                Some(Waiting::Verification { wait: true })
            );
            self.clients
                .set_waiting(client, Some(Waiting::SoftRebootQueued { request, wait }));
        }
    }

    /// The request for the soft-reboot's transaction is over, one way or the other.
    pub(crate) fn handoff_request_done(&mut self, done: RequestId, outcome: Result<(), &RequestError>) {
        let Some(Handoff {
            phase: Phase::Stopping { request, over },
            ..
        }) = &mut self.handoff
        else {
            return;
        };
        if *request != done {
            return;
        }
        *over = true;
        if let Err(error) = outcome {
            error!("soft-reboot refused: {error}");
            self.keep_no_socket_open();
            self.handoff = None;
            self.drop_plan();
        }
    }

    /// The job left the table and no ending followed: somebody cancelled it, and everything stays as it is now.
    fn notice_cancelled_soft_reboot(&mut self) {
        let over = match &self.handoff {
            Some(handoff) => matches!(handoff.phase, Phase::Stopping { over: true, .. }),
            // After a crash only the engine knows of it, and who waits.
            None => {
                let known = self.clients.wait_for_soft_reboot() || self.engine.is_any_socket_to_stay();
                known && !self.engine.is_stopping()
            }
        };
        if !over || self.final_kill.is_some() || self.objective.is_some() {
            return;
        }
        info!("the soft-reboot was cancelled");
        self.keep_no_socket_open();
        self.handoff = None;
        self.drop_plan();
        self.refuse_soft_reboot_waiters("the soft-reboot was cancelled before userspace ended");
    }

    fn refuse_handoff(&mut self, client: Option<u64>, reasons: Vec<String>) {
        if self.handoff.is_none() {
            self.drop_plan();
        }
        error!(
            "handoff refused, the running manager is unchanged: {}",
            reasons.join("; ")
        );
        if let Some(client) = client {
            let message = "handoff refused".to_owned();
            self.finish_error(client, &ApiError::HandoffRefused { reasons, message });
        }
    }

    /// Everything has stopped but the next program cannot run: this one boots again what it stopped.
    fn abandon_soft_reboot(&mut self, reason: &str) {
        self.objective = None;
        // First: a program that crashes after the next event knows only that there is no soft-reboot any more. And all of
        // them: after a crash nobody knows which asked for it.
        let message =
            format!("the soft-reboot failed, the running manager boots again what it stopped: {reason}");
        self.refuse_soft_reboot_waiters(&message);
        self.feed(Event::ObjectiveAborted {
            reason: reason.to_owned(),
        });
        crate::fault::place("abandoned");
        self.give_back_signals();
        self.request_default();
    }

    fn refuse_soft_reboot_waiters(&mut self, message: &str) {
        let waiting = self
            .clients
            .waiting_for(|waiting| *waiting == Waiting::SoftReboot);
        for (client, _) in waiting {
            let message = message.to_owned();
            self.finish_error(client, &ApiError::Failed { message });
        }
    }

    /// An objective of the engine: a handoff, or the end of the machine.
    pub(crate) fn pursue_objective(&mut self) {
        match self.objective {
            None => {}
            Some(Objective::SoftReboot) => match &mut self.handoff {
                Some(handoff) if matches!(handoff.phase, Phase::Stopping { .. }) => {
                    handoff.phase = Phase::Ready
                }
                Some(_) => {}
                // Asked for by a unit or a signal, so nobody has asked the next program yet.
                None => self.begin_handoff(Kind::SoftReboot, None),
            },
            Some(other) => self.end_machine(other),
        }
    }

    /// At a quiet moment: nothing waits for the engine, every process it asked for has been made.
    pub(crate) fn handoff_progress(&mut self) {
        self.finishing_progress();
        self.notice_cancelled_soft_reboot();
        if !matches!(
            &self.handoff,
            Some(Handoff {
                phase: Phase::Ready,
                ..
            })
        ) {
            return;
        }
        if !self.root_is_ready() || self.is_looking_ahead() {
            return;
        }
        let Some(mut handoff) = self.handoff.take() else {
            return;
        };
        self.give_back_signals();
        if self.turn_over(&mut handoff) {
            return;
        }
        let reason = self.commit(&handoff);
        error!("handoff failed, this softbootd goes on: {reason}");
        if let Some(client) = handoff.client {
            let message = format!("handoff failed, the running manager goes on: {reason}");
            self.finish_error(
                client,
                &ApiError::HandoffRefused {
                    reasons: vec![reason.clone()],
                    message,
                },
            );
        }
        if handoff.kind == Kind::SoftReboot {
            // The definitions are those of the next userspace.
            self.all_definitions_changed();
            if handoff.root.as_ref().is_some_and(RootChange::is_done) {
                // What goes on here goes on in the next root, by its unit files.
                self.reload();
                self.let_go_of_old_root();
            }
            self.abandon_soft_reboot(&reason);
        }
    }
}
