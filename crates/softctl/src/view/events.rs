//! `events`.

use softboot_control::api::EventReply;

use super::Now;
use crate::text::clean;
use crate::time::log_timestamp;

/// One line; none for the reply that only says that events will come.
pub(crate) fn event(event: &EventReply, now: Now) -> String {
    let what = match (&event.unit, &event.job) {
        (Some(unit), _) => {
            let result = unit.result.as_deref().filter(|result| *result != "success");
            let result = result.map_or_else(String::new, |result| format!(", result: {}", clean(result)));
            format!(
                "{} is {} ({}{result})",
                clean(&unit.name),
                clean(&unit.active),
                clean(&unit.sub)
            )
        }
        (None, Some(job)) => {
            let end = match &job.result {
                Some(result) => format!("ended: {}", clean(result)),
                None => "is queued".to_owned(),
            };
            format!("{}: {} job {} {end}", clean(&job.unit), clean(&job.kind), job.id)
        }
        (None, None) => return String::new(),
    };
    format!("{} {what}\n", log_timestamp(now.realtime_of(event.time_usec)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{VIEW, unit};
    use super::*;
    use softboot_control::api::JobEvent;

    #[test]
    fn each_event_is_a_line() {
        let mut changed = EventReply {
            event: "unit-changed".to_owned(),
            time_usec: VIEW.now.monotonic,
            unit: Some(unit("a.service", "failed", "failed")),
            job: None,
        };
        if let Some(unit) = &mut changed.unit {
            unit.result = Some("exit-code".to_owned());
        }
        assert_eq!(
            event(&changed, VIEW.now),
            "2026-11-23 02:10:52.000 a.service is failed (failed, result: exit-code)\n"
        );
        let job = |result: Option<&str>| EventReply {
            time_usec: VIEW.now.monotonic,
            job: Some(JobEvent {
                id: 7,
                unit: "a.service".to_owned(),
                kind: "start".to_owned(),
                result: result.map(str::to_owned),
            }),
            ..EventReply::default()
        };
        assert!(event(&job(None), VIEW.now).ends_with("a.service: start job 7 is queued\n"));
        assert!(event(&job(Some("done")), VIEW.now).ends_with("start job 7 ended: done\n"));
        assert_eq!(event(&EventReply::default(), VIEW.now), "");
    }
}
