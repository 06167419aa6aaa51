//! The question to the next program, from the manager's side: a child that answers, that may be killed, or hang.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};
use softboot_engine::{ExitStatus, Objective};
use softboot_reexec::verify::{Answer, Verification};
use tracing::info;

use super::{Handoff, Kind, Phase, commit};
use crate::run::{Alarm, Manager, Source};
use crate::shutdown::verification_limit;

const SIGKILL: i32 = 9;

impl Manager {
    pub(super) fn start_verification(&mut self, kind: Kind) -> Result<(OwnedFd, Verification), String> {
        let path = &self.facts.program;
        let program = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| format!("the next program {} cannot be opened: {error}", path.display()))?;
        self.with_snapshot(kind, |manager| {
            let handoff = manager.store.handoff().map_err(|error| error.to_string())?;
            let (argv, env) = commit::command_line(&["--verify"])?;
            crate::fault::kernel("child")?;
            Verification::start(program.as_fd(), &argv, &env, &handoff).map_err(|error| error.to_string())
        })
        .map(|verification| (program, verification))
    }

    /// The verifying child said something.
    pub(crate) fn verification_readable(&mut self) {
        let Some(Handoff {
            phase: Phase::Verifying(verification),
            ..
        }) = &mut self.handoff
        else {
            return;
        };
        let answer = match verification.read() {
            Ok(answer) => answer,
            Err(error) => Answer::No(vec![format!(
                "reading the answer of the verifying child: {error}"
            )]),
        };
        match answer {
            Answer::Pending => {}
            Answer::Yes(plan) => {
                self.forget_verification();
                if let Some(handoff) = &mut self.handoff {
                    handoff.answer = Some(plan);
                }
            }
            Answer::No(reasons) => self.verification_failed(reasons),
            Answer::Silent => self.forget_verification(),
        }
    }

    /// The next program has said yes, and the child that said it is gone.
    fn answered(&mut self, plan: &serde_json::Value) {
        info!("the next program can take over: {plan}");
        let kind = self.handoff.as_ref().map_or(Kind::Reexec, |handoff| handoff.kind);
        match self.no_other_end(kind).and_then(|()| self.accept_root()) {
            Ok(()) => self.verified(plan),
            Err(reason) => self.verification_failed(vec![reason]),
        }
    }

    /// The child ended; its answer, if any, is still in the pipe. Nothing goes on before this: it held every descriptor open,
    /// and a port that is closed and opened again has to be free.
    pub(crate) fn verification_child_ended(&mut self, pid: i32, status: ExitStatus) {
        let Some(Handoff {
            phase: Phase::Verifying(verification),
            ..
        }) = &self.handoff
        else {
            return;
        };
        if verification.pid() != pid {
            return;
        }
        if !self.has_answered() {
            self.verification_readable();
        }
        if let Some(plan) = self.handoff.as_mut().and_then(|handoff| handoff.answer.take()) {
            self.answered(&plan);
        } else if self.is_verifying() {
            // It said nothing, or something that it started holds the pipe open.
            let killed = status == ExitStatus::Signaled(SIGKILL) && self.kernel_wanted_memory();
            self.verification_failed(vec![without_answer(status, killed)]);
        }
    }

    /// Whether the kernel has killed something beside PID 1 for want of memory since the question began.
    fn kernel_wanted_memory(&self) -> bool {
        let before = self.handoff.as_ref().map(|handoff| handoff.oom_kills);
        before.is_some_and(|before| self.cgroups.own_oom_kills() > before)
    }

    fn has_answered(&self) -> bool {
        self.handoff
            .as_ref()
            .is_some_and(|handoff| handoff.answer.is_some())
    }

    fn is_verifying(&self) -> bool {
        matches!(
            &self.handoff,
            Some(Handoff {
                phase: Phase::Verifying(_),
                ..
            })
        )
    }

    /// The child had its time.
    pub(crate) fn verification_overdue(&mut self) {
        if !self.is_verifying() {
            return;
        }
        let limit = verification_limit(&self.facts.command_line);
        let reason = match self.has_answered() {
            true => format!("the next program said yes and did not end in {limit}"),
            false => format!("the next program gave no answer in {limit}"),
        };
        self.verification_failed(vec![reason]);
    }

    pub(super) fn verification_failed(&mut self, reasons: Vec<String>) {
        self.stop_watching_verification();
        let Some(handoff) = self.handoff.take() else {
            return;
        };
        if let Phase::Verifying(verification) = &handoff.phase {
            // A child that said no, or nonsense, and stays would hold every descriptor open.
            verification.kill();
        }
        self.refuse_handoff(handoff.client, reasons.clone());
        if self.objective == Some(Objective::SoftReboot) {
            self.abandon_soft_reboot(&reasons.join("; "));
        }
    }

    pub(super) fn stop_watching_verification(&mut self) {
        self.journal_verifier(None);
        self.timers.cancel(Alarm::VerificationDeadline);
        self.forget_verification();
    }

    fn forget_verification(&mut self) {
        let fd = match &self.handoff {
            Some(Handoff {
                phase: Phase::Verifying(verification),
                ..
            }) => Some(verification.as_fd()),
            _ => None,
        };
        self.poll.forget(Source::Verification, fd);
    }
}

fn without_answer(status: ExitStatus, wanted_memory: bool) -> String {
    let how = match status {
        ExitStatus::Exited(code) => format!("exit code {code}"),
        ExitStatus::Signaled(_) if wanted_memory => {
            "the kernel killed it for want of memory, of the machine or of PID 1's cgroup".to_owned()
        }
        ExitStatus::Signaled(signal) | ExitStatus::Dumped(signal) => format!("signal {signal}"),
    };
    format!("the next program ended without an answer: {how}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ends_without_an_answer_has_a_reason() {
        for (status, wanted_memory, said) in [
            (ExitStatus::Exited(2), false, "exit code 2"),
            (ExitStatus::Signaled(9), false, "signal 9"),
            (ExitStatus::Signaled(9), true, "for want of memory"),
            (ExitStatus::Dumped(11), false, "signal 11"),
        ] {
            let reason = without_answer(status, wanted_memory);
            assert!(
                reason.contains("ended without an answer") && reason.contains(said),
                "{reason}"
            );
        }
    }
}
