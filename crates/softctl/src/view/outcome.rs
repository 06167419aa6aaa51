//! How a job ended.

use softboot_control::api::UnitInfo;

use crate::text::clean;

/// Whether a result is a success (semantics 8.2).
pub(crate) fn succeeded(result: &str) -> bool {
    matches!(result, "done" | "skipped")
}

/// What to say about a job that did not end with `done`; nothing where it did.
pub(crate) fn explain(unit: &str, job: &str, result: &str) -> Option<String> {
    let unit = clean(unit);
    let look = format!("softctl status {unit}\n  softctl logs {unit}");
    let text = match result {
        "done" => return None,
        "skipped" => return Some(format!("{unit} is not active: nothing to {job}.")),
        "failed" => return Some(failed(&unit, job, None)),
        "timeout" => format!("{job} of {unit} took longer than it may. To see where it stands:\n  {look}"),
        "dependency" => format!(
            "{job} of {unit} failed: a unit it needs did not start. To see which:\n  softctl list-units --failed"
        ),
        "canceled" => format!(
            "{job} of {unit} was cancelled, by a later job or by hand. To see what goes on:\n  softctl list-jobs"
        ),
        "assert" => format!("{job} of {unit} failed: an assertion in its file does not hold. See:\n  {look}"),
        "unsupported" => {
            format!("{job} of {unit} failed: this system cannot have such a unit. See:\n  {look}")
        }
        "invalid" => {
            format!("{job} of {unit} failed: it cannot do this in its present state. See:\n  {look}")
        }
        "once" => format!("{job} of {unit} failed: it may run only once in a boot. See:\n  {look}"),
        other => format!(
            "{job} of {unit} ended with \"{}\". To see why:\n  {look}",
            clean(other)
        ),
    };
    Some(text)
}

/// What to say about a job that failed, with the end of the unit where it is known.
pub(crate) fn failed(unit: &str, job: &str, end: Option<&UnitInfo>) -> String {
    let unit = clean(unit);
    let result = end
        .and_then(|end| end.result.as_deref())
        .filter(|result| *result != "success");
    let status = end.and_then(|end| end.main_status.as_deref());
    let known: Vec<String> = result.into_iter().chain(status).map(clean).collect();
    let why = match known.as_slice() {
        [] => String::new(),
        known => format!(" ({})", known.join(", ")),
    };
    format!("{job} of {unit} failed{why}. To see why:\n  softctl status {unit}\n  softctl logs {unit}")
}

/// After a stop: what may start the unit again. Nothing where nothing may.
pub(crate) fn may_start_again(unit: &str, active_triggers: &[String]) -> Option<String> {
    if active_triggers.is_empty() {
        return None;
    }
    let triggers = clean(&active_triggers.join(", "));
    Some(format!(
        "Note: {} may be started again by {triggers}.",
        clean(unit)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_job_names_the_command_that_shows_why() {
        let text = explain("a.service", "start", "failed").unwrap();
        assert_eq!(
            text,
            "start of a.service failed. To see why:\n  softctl status a.service\n  softctl logs a.service"
        );
        let mut end = UnitInfo {
            result: Some("exit-code".to_owned()),
            main_status: Some("exited 3".to_owned()),
            ..UnitInfo::default()
        };
        assert!(
            failed("a.service", "start", Some(&end))
                .starts_with("start of a.service failed (exit-code, exited 3). ")
        );
        end.result = Some("success".to_owned());
        end.main_status = None;
        assert_eq!(failed("a.service", "start", Some(&end)), text);
        assert!(
            explain("a.service", "start", "dependency")
                .unwrap()
                .contains("softctl list-units --failed")
        );
        assert!(
            explain("a.service", "start", "novel\x1b")
                .unwrap()
                .contains("\"novel\\x1b\"")
        );
    }

    #[test]
    fn only_done_and_skipped_are_successes() {
        assert_eq!(explain("a.service", "start", "done"), None);
        for result in [
            "canceled",
            "timeout",
            "failed",
            "dependency",
            "invalid",
            "assert",
            "unsupported",
            "once",
        ] {
            assert!(!succeeded(result) && explain("a", "start", result).is_some());
        }
        assert!(succeeded("done") && succeeded("skipped"));
    }

    #[test]
    fn a_stop_mentions_what_starts_it_again() {
        assert_eq!(may_start_again("a.service", &[]), None);
        let note = may_start_again("a.service", &["a.socket".to_owned()]).unwrap();
        assert_eq!(note, "Note: a.service may be started again by a.socket.");
    }
}
