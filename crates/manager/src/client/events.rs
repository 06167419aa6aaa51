//! Subscribers: what changes is told to those who asked for it.
//!
//! Nothing is kept for a subscriber but its unread bytes. One that leaves too many of them is dropped, never waited for.

use softboot_control::api::{EventReply, JobEvent, MethodError, SubscribeRequest};
use softboot_engine::{JobId, JobKind, JobResult, UnitId};
use tracing::debug;

use super::Waiting;
use super::describe::word;
use crate::clock;
use crate::run::Manager;

/// Unread bytes of events that a subscriber may leave. A burst of a few thousand changes fits.
const MAX_UNREAD: usize = 1 << 20;

impl Manager {
    /// `Subscribe`: the first reply at once, the others as things happen.
    pub(super) fn subscribe(&mut self, client: u64, more: bool, subscription: SubscribeRequest) {
        if !more {
            return self.method_error(client, &MethodError::ExpectedMore {});
        }
        let first = EventReply {
            event: "subscribed".to_owned(),
            time_usec: clock::monotonic().0,
            ..EventReply::default()
        };
        self.send(client, |connection| connection.reply_continues(&first));
        self.clients
            .set_waiting(client, Some(Waiting::Events(subscription)));
    }

    /// A unit's status changed.
    pub(crate) fn unit_changed(&mut self, unit: UnitId) {
        // One step may end the stop of a unit and begin that of another, whichever of them is told first.
        let now = self.step_at.0;
        self.note_times(unit, now);
        self.tell_transient_waiters(unit);
        self.sweep_transients();
        let Some(name) = self.engine.name(unit).map(ToString::to_string) else {
            return;
        };
        self.publish(&name, |manager| EventReply {
            event: "unit-changed".to_owned(),
            time_usec: now,
            unit: manager.unit_info(unit),
            job: None,
        });
    }

    /// A job came into the table, or left it.
    pub(crate) fn job_changed(
        &mut self,
        event: &str,
        job: JobId,
        unit: UnitId,
        kind: JobKind,
        result: Option<JobResult>,
    ) {
        let Some(name) = self.engine.name(unit).map(ToString::to_string) else {
            return;
        };
        self.publish(&name, |_| EventReply {
            event: event.to_owned(),
            time_usec: clock::monotonic().0,
            unit: None,
            job: Some(JobEvent {
                id: job.0,
                unit: name.clone(),
                kind: word(kind),
                result: result.map(word),
            }),
        });
    }

    /// Tells everybody who wants events of this unit. The event is made only if there is somebody.
    fn publish(&mut self, unit: &str, make: impl Fn(&Manager) -> EventReply) {
        let wants = |waiting: &Waiting| matches!(waiting, Waiting::Events(wanted) if wanted.wants(unit));
        let subscribers = self.clients.waiting_for(wants);
        if subscribers.is_empty() {
            return;
        }
        let event = make(self);
        for (client, _) in subscribers {
            if self.clients.unread(client) > MAX_UNREAD {
                debug!("control client {client} is dropped: it does not read its events");
                self.drop_client(client);
                continue;
            }
            self.send(client, |connection| connection.reply_continues(&event));
            self.write_client(client);
        }
    }
}
