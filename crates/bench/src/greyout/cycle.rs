//! One soft-reboot, with the probe at work before, during and after it.

use std::time::Duration;

use softboot_greyout::endpoint;
use softboot_greyout::measure::{Window, greyout_within};
use softboot_greyout::result::Span;
use softboot_greyout::{Attempt, Endpoint, Outcome, Prober, clock};

use super::workload::Event;
use super::{Client, System, timeline};
use crate::error::{Context as _, Error};

/// How long a boot may take before it counts as failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// How long the probe runs before the event and after it.
const CONTROL_PERIOD: Duration = Duration::from_millis(300);
/// After its request an event is left alone for so long.
const LEFT_ALONE: Duration = Duration::from_millis(200);
/// One attempt may wait as long as a boot.
pub(super) const ATTEMPT: Duration = PATIENCE;

/// What the probe saw. Times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// All of them, in order.
    pub attempts: Vec<Attempt>,
    /// The request.
    pub begun: u64,
    /// When the system was known to be up again.
    pub ended: u64,
    /// What the manager says of it.
    pub spans: Vec<Span>,
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
    let window = Window {
        begin: begun,
        end: ended,
    };
    if greyout_within(&attempts, window).length.is_none() {
        return Err(Error {
            what: format!("{what}: the service"),
            reason: "it did not answer before and after".to_owned(),
        });
    }
    Ok(Cycle {
        attempts,
        begun,
        ended,
        spans: Vec::new(),
    })
}

/// Between the request and the question whether all is over. To ask takes several processes, which would take the processor
/// from the very boot that they ask about. Where nobody has to ask the time is the same, so that noise is, too.
pub(super) fn leave_alone() {
    std::thread::sleep(LEFT_ALONE);
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
            leave_alone();
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
