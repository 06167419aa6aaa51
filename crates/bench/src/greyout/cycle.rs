//! One soft-reboot, with the probe at work before, during and after it.

use std::time::Duration;

use softboot_greyout::endpoint;
use softboot_greyout::result::Span;
use softboot_greyout::{Attempt, Endpoint, Outcome, Prober, clock};

use super::workload::Event;
use super::{Client, System, timeline};
use crate::error::{Context as _, Error};

/// How long a boot may take before it counts as failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// How long the probe runs before the event and after it.
const CONTROL_PERIOD: Duration = Duration::from_millis(300);
/// One attempt may wait as long as a boot.
pub(super) const ATTEMPT: Duration = PATIENCE;

/// What the probe saw. Times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// The longest time between two good replies, from the request of the soft-reboot on.
    pub grey_out: u64,
    /// The same before it: what probe and machine add by themselves.
    pub quiet: u64,
    /// Attempts without a good reply.
    pub failed: usize,
    /// All of them, in order.
    pub attempts: Vec<Attempt>,
    /// The request.
    pub begun: u64,
    /// When the system was known to be up again.
    pub ended: u64,
    /// What the manager says of it.
    pub spans: Vec<Span>,
}

impl Cycle {
    /// In milliseconds.
    pub fn grey_out_ms(&self) -> f64 {
        self.grey_out as f64 / 1e6
    }

    /// In milliseconds.
    pub fn quiet_ms(&self) -> f64 {
        self.quiet as f64 / 1e6
    }

    /// For a [`crate::record::Record`].
    pub fn failed_count(&self) -> f64 {
        self.failed as f64
    }

    /// From the probe's record, and the instant of the request. `None` if the service was not answering before and
    /// after.
    fn of(attempts: &[Attempt], event: u64) -> Option<Cycle> {
        let (before, after): (Vec<Attempt>, Vec<Attempt>) =
            attempts.iter().partition(|attempt| attempt.finished <= event);
        let last_before = before.iter().rfind(|attempt| attempt.is_good()).copied();
        // The gap may begin with a reply before the request.
        let from_request: Vec<Attempt> = last_before.into_iter().chain(after.iter().copied()).collect();
        after.iter().rfind(|attempt| attempt.is_good())?;
        last_before?;
        Some(Cycle {
            grey_out: softboot_greyout::measure::longest_silence(&from_request)?,
            quiet: softboot_greyout::measure::longest_silence(&before)?,
            failed: after.iter().filter(|attempt| !attempt.is_good()).count(),
            begun: event,
            ..Cycle::default()
        })
    }
}

/// Probes an endpoint before, during and after an event.
pub(super) fn observe(
    endpoint: Endpoint,
    interval: Duration,
    what: &str,
    event: impl FnOnce() -> Result<(), Error>,
) -> Result<Cycle, Error> {
    // Ready before it is measured.
    let first = endpoint::Client::new(endpoint.clone(), PATIENCE).attempt();
    if first != Outcome::Good {
        return Err(Error {
            what: format!("{what}: the service"),
            reason: format!("{first:?}"),
        });
    }
    let prober = Prober::start(endpoint, interval, ATTEMPT);
    std::thread::sleep(CONTROL_PERIOD);
    let begun = clock::now();
    let result = event();
    let ended = clock::now();
    if result.is_ok() {
        std::thread::sleep(CONTROL_PERIOD);
    }
    let attempts = prober.stop();
    result?;
    let cycle = Cycle::of(&attempts, begun).context(&format!("{what}: good replies before and after"))?;
    Ok(Cycle {
        attempts,
        ended,
        ..cycle
    })
}

impl System {
    /// One soft-reboot, or what else happens in its case.
    pub(super) fn cycle(&mut self) -> Result<Cycle, Error> {
        let event = self.case.event();
        let what = format!("{} of {}", event.name(), self.name);
        let endpoint = self.case.endpoint(self.container.path(self.case.probed()));
        let mut cycle = observe(endpoint, self.case.interval(), &what, || {
            let command = [self.client.program(), event.verb()];
            let asked = self.container.exec(&command, PATIENCE).context(&what)?;
            if !asked.status.success() {
                return Err(Error {
                    what: what.clone(),
                    reason: String::from_utf8_lossy(&asked.stderr).into_owned(),
                });
            }
            let wanted = self.reboots.saturating_add(u64::from(event == Event::SoftReboot));
            let state = self.container.wait_up(wanted, PATIENCE).context(&what)?;
            self.reboots = state.soft_reboots;
            Ok(())
        })?;
        cycle.spans = self.spans(cycle.begun);
        Ok(cycle)
    }

    /// What the manager says of the soft-reboot that has just been; nothing if it says nothing.
    fn spans(&self, begun: u64) -> Vec<Span> {
        let said = |command: &[&str]| -> String {
            let ran = self.container.exec(command, PATIENCE);
            ran.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned())
                .unwrap_or_default()
        };
        match self.client {
            Client::Softctl => timeline::of_softbootd(&said(&["softctl", "--json", "greyout"])),
            // Its time stamps are those of its last start.
            Client::Systemctl if self.case.event() == Event::Reexec => Vec::new(),
            Client::Systemctl => timeline::of_systemd(
                &said(&["systemctl", "show"]),
                &said(&["systemctl", "show", "echo.service", "echo.socket"]),
                begun,
            ),
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn attempt(finished: u64, outcome: Outcome) -> Attempt {
        Attempt {
            due: finished,
            started: finished,
            finished,
            outcome,
        }
    }

    #[test]
    fn the_longest_silence_after_the_request_counts_and_not_the_first() {
        let good = |at| attempt(at, Outcome::Good);
        let refused = |at| attempt(at, Outcome::Refused);
        // Asked at 25; still answering at 30, away until 90.
        let record = [
            good(10),
            good(20),
            good(30),
            refused(40),
            refused(50),
            good(90),
            good(100),
        ];
        let cycle = Cycle::of(&record, 25).unwrap();
        assert_eq!((cycle.grey_out, cycle.quiet, cycle.failed), (60, 10, 2));
    }

    #[test]
    fn a_service_that_does_not_come_back_has_no_figure() {
        let record = [
            attempt(10, Outcome::Good),
            attempt(20, Outcome::Good),
            attempt(40, Outcome::Refused),
        ];
        assert_eq!(Cycle::of(&record, 25), None);
    }
}
