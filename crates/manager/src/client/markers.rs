//! Markers: what somebody noted is to be done with units, and `io.systemd.Manager.EnqueueMarkedJobs`, which does it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use softboot_control::api::MethodError;
use softboot_control::systemd::{MarkedReply, Marker, MarkerChange, PropertyError};
use softboot_engine::{Event, JobId, JobKind, RequestError, RequestId};
use softboot_unit::{JobMode, UnitName};

use super::Waiting;
use super::answers::api_error;
use crate::run::Manager;
use crate::tracked::Tracked;

/// The marker of each unit that has one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Markers(pub(crate) Tracked<UnitName, Marker>);

impl Manager {
    /// `io.systemd.Unit.SetProperties`.
    pub(super) fn set_properties(&mut self, client: u64, name: &str, properties: &Value) {
        if UnitName::new(name).is_err() {
            let parameter = "name".to_owned();
            return self.method_error(client, &MethodError::InvalidParameter { parameter });
        }
        let Some(unit) = self
            .find_or_load(name)
            .ok()
            .and_then(|unit| self.engine.name(unit))
        else {
            return self.unit_error(client, "NoSuchUnit", &json!({ "parameter": "name" }));
        };
        let unit = unit.clone();
        match MarkerChange::parse(properties) {
            Ok(None) => {}
            Ok(Some(change)) => {
                let markers = &mut self.clients.markers.0;
                match change.apply(markers.get(&unit).copied()) {
                    Some(marker) => {
                        markers.insert(unit, marker);
                    }
                    None => {
                        markers.remove(&unit);
                    }
                }
            }
            Err(PropertyError::NotSupported(property)) => {
                return self.unit_error(client, "PropertyNotSupported", &json!({ "property": property }));
            }
            Err(PropertyError::Invalid) => {
                let parameter = "properties".to_owned();
                return self.method_error(client, &MethodError::InvalidParameter { parameter });
            }
        }
        self.reply(client, &json!({}));
    }

    /// An error of `io.systemd.Unit`.
    pub(super) fn unit_error(&mut self, client: u64, error: &str, parameters: &Value) {
        let name = format!("io.systemd.Unit.{error}");
        self.send(client, |connection| connection.error(&name, parameters));
    }

    /// `io.systemd.Manager.EnqueueMarkedJobs`: with `more` a reply for each unit, else one at once.
    pub(super) fn enqueue_marked_jobs(&mut self, client: u64, more: bool) {
        let marked: Vec<(UnitName, Marker)> = self
            .clients
            .markers
            .0
            .iter()
            .map(|(unit, marker)| (unit.clone(), *marker))
            .collect();
        let mut wanted = Vec::new();
        for (unit, marker) in marked {
            // The marker goes when the unit changes: one that is not running is not restarted, and stays marked.
            let kind = match marker {
                Marker::NeedsStart => JobKind::Start,
                Marker::NeedsStop => JobKind::Stop,
                Marker::NeedsRestart => JobKind::TryRestart,
                Marker::NeedsReload => match self.engine.unit(&unit) {
                    Some(id) if self.engine.can_reload(id) => JobKind::TryReload,
                    _ => JobKind::TryRestart,
                },
            };
            wanted.push((self.next_request(), kind, unit));
        }
        if more && !wanted.is_empty() {
            let open = wanted.iter().map(|(request, _, unit)| (*request, unit.clone()));
            let open = open.collect();
            self.clients.set_waiting(client, Some(Waiting::Marked { open }));
        } else {
            self.reply(client, &json!({}));
        }
        for (request, kind, unit) in wanted {
            self.feed(Event::Request {
                request,
                kind,
                unit,
                mode: JobMode::Fail,
                manual: true,
            });
        }
    }

    /// One of the requests of somebody who waits for [`Waiting::Marked`] was queued or refused.
    pub(super) fn marked_request_done(
        &mut self,
        client: u64,
        mut open: Vec<(RequestId, UnitName)>,
        request: RequestId,
        outcome: Result<JobId, &RequestError>,
    ) {
        let Some(place) = open.iter().position(|(other, _)| *other == request) else {
            return;
        };
        let (_, unit) = open.remove(place);
        let mut reply = MarkedReply {
            unit_id: Some(unit.to_string()),
            ..MarkedReply::default()
        };
        match outcome {
            Ok(job) => reply.job_id = Some(job.0),
            Err(error) => {
                let error = api_error(error);
                reply.error = Some(error.name());
                reply.error_message = Some(error.to_string());
            }
        }
        if open.is_empty() {
            return self.finish(client, &reply);
        }
        self.clients.set_waiting(client, Some(Waiting::Marked { open }));
        self.send(client, |connection| connection.reply_continues(&reply));
        self.write_client(client);
    }
}
