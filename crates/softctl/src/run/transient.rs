//! `run`.

use softboot_control::api::{
    EventReply, Request, Setting, SubscribeRequest, TransientReply, TransientRequest,
};

use super::session::Session;
use crate::cli::Run;
use crate::error::Error;
use crate::exit;
use crate::names;
use crate::time;
use crate::view::outcome;

/// Settings of `[Unit]`; all others of a service are in `[Service]`. Those that begin with these words belong there too.
const UNIT_SETTINGS: [&str; 23] = [
    "Description",
    "Documentation",
    "Wants",
    "Requires",
    "Requisite",
    "BindsTo",
    "PartOf",
    "Upholds",
    "Conflicts",
    "Before",
    "After",
    "OnFailure",
    "OnSuccess",
    "DefaultDependencies",
    "SurviveFinalKillSignal",
    "SurviveSoftReboot",
    "IgnoreOnIsolate",
    "AllowIsolate",
    "RefuseManualStart",
    "RefuseManualStop",
    "StopWhenUnneeded",
    "SuccessAction",
    "FailureAction",
];
const UNIT_PREFIXES: [&str; 6] = [
    "Condition",
    "Assert",
    "StartLimit",
    "JobTimeout",
    "JobRunningTimeout",
    "CollectMode",
];

pub(super) fn run(session: &mut Session, run: &Run) -> Result<u8, Error> {
    let request = request(run)?;
    if run.wait {
        return run_and_wait(session, request);
    }
    let doing = format!("start of {}", run.command.join(" "));
    let reply: TransientReply = session.call(&doing, &Request::StartTransient(request))?;
    if session.out.json() {
        session.out.print_json(&reply)?;
    } else {
        session.out.note(&format!("Running as {}.", reply.name));
    }
    let word = reply.result.as_deref().unwrap_or("done");
    if outcome::succeeded(word) {
        return Ok(exit::OK);
    }
    if let Some(text) = outcome::explain(&reply.name, "start", word) {
        session.out.complain(&text);
    }
    Ok(exit::FAILURE)
}

fn request(run: &Run) -> Result<TransientRequest, Error> {
    if let Some(option) = run.command.first().filter(|word| word.starts_with('-')) {
        return Err(Error::Usage(format!(
            "there is no option {option}; `softctl run --help` shows those there are"
        )));
    }
    let mut settings = Vec::new();
    if let Some(text) = &run.description {
        settings.push(setting(&format!("Description={text}"))?);
    } else {
        let words = run.command.join(" ").replace('%', "%%");
        // A description is one line and ends in no backslash.
        let line: String = words.chars().filter(|c| !c.is_control() && *c != '\\').collect();
        settings.push(setting(&format!("Description={line}"))?);
    }
    for text in &run.properties {
        settings.push(setting(text)?);
    }
    for text in &run.environment {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
        settings.push(setting(&format!("Environment=\"{escaped}\""))?);
    }
    let mut command = run.command.clone();
    if let Some(program) = command.first_mut()
        && program.contains('/')
        && !program.starts_with('/')
    {
        // softbootd is somewhere else.
        let here = std::env::current_dir()?;
        *program = here.join(&*program).to_string_lossy().into_owned();
    }
    let name = run.unit.as_deref().map(names::complete);
    // Its end cannot be missed if its name is known before it begins.
    let own = || format!("run-p{}-{}.service", std::process::id(), time::monotonic_now());
    Ok(TransientRequest {
        name: name.or_else(|| run.wait.then(own)),
        command,
        settings,
        wait: !run.no_block,
        ..TransientRequest::default()
    })
}

fn setting(text: &str) -> Result<Setting, Error> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| Error::Usage(format!("{text:?} is no setting; expected NAME=VALUE")))?;
    let of_unit = UNIT_SETTINGS.contains(&key) || UNIT_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    Ok(Setting {
        section: if of_unit { "Unit" } else { "Service" }.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

/// What is known of the end of a service, from its events.
#[derive(Debug, Default)]
struct Watch {
    begun: bool,
    /// The exit code, and what to say.
    end: Option<(u8, Option<String>)>,
}

impl Watch {
    /// Whether more events are wanted.
    fn take(&mut self, name: &str, event: &EventReply) -> bool {
        if let Some(unit) = &event.unit {
            let over = matches!(unit.active.as_str(), "inactive" | "failed");
            self.begun |= !over;
            if over && self.begun {
                let code = unit.main_status.as_deref().and_then(exit_code);
                let result = unit.result.as_deref().unwrap_or("success");
                let how = unit.main_status.as_deref().unwrap_or("never ran");
                let text = format!("{name}: {how}, result: {result}");
                let good = result == "success";
                let code = code.unwrap_or(if good { exit::OK } else { exit::FAILURE });
                self.end = Some((code, (!good).then_some(text)));
            }
        }
        if let Some(job) = event.job.as_ref().filter(|job| job.kind == "start")
            && let Some(result) = job.result.as_deref().filter(|_| !self.begun)
        {
            // A condition that does not hold, or a job that failed before anything ran.
            let good = outcome::succeeded(result);
            let code = if good { exit::OK } else { exit::FAILURE };
            self.end = Some((code, outcome::explain(name, "start", result)));
        }
        self.end.is_none()
    }
}

/// `exited 3` is 3.
fn exit_code(status: &str) -> Option<u8> {
    status.strip_prefix("exited ")?.parse().ok()
}

fn run_and_wait(session: &mut Session, request: TransientRequest) -> Result<u8, Error> {
    let name = request.name.clone().unwrap_or_default();
    let mut starter = Session::open(session.out)?;
    let subscription = Request::Subscribe(SubscribeRequest {
        units: vec![name.clone()],
    });
    let mut request = Some(TransientRequest {
        wait: false,
        ..request
    });
    let mut started = Ok(());
    let mut watch = Watch::default();
    session.call_more("waiting for the end", &subscription, |event: EventReply| {
        if let Some(request) = request.take() {
            // The first reply: from now on nothing is missed.
            let doing = format!("start of {name}");
            started = starter
                .call::<TransientReply>(&doing, &Request::StartTransient(request))
                .map(|reply| starter.out.note(&format!("Running as {}.", reply.name)));
            return started.is_ok();
        }
        watch.take(&name, &event)
    })?;
    started?;
    let (code, text) = watch
        .end
        .unwrap_or((exit::FAILURE, Some(format!("the end of {name} was missed"))));
    if let Some(text) = text {
        session.out.complain(&text);
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Verb};
    use clap::Parser as _;
    use softboot_control::api::{JobEvent, UnitInfo};

    fn asked(words: &[&str]) -> TransientRequest {
        let words = ["softctl", "run"].iter().chain(words);
        let Verb::Run(run) = Cli::try_parse_from(words).unwrap().verb else {
            panic!()
        };
        request(&run).unwrap()
    }

    #[test]
    fn settings_go_to_their_section() {
        let request = asked(&[
            "-p",
            "After=a.target",
            "-p",
            "Type=oneshot",
            "-p",
            "ConditionPathExists=/x",
            "-E",
            "A=b \"c\"",
            "/bin/x",
            "%n",
        ]);
        let lines: Vec<String> = request
            .settings
            .iter()
            .map(|s| format!("{} {}={}", s.section, s.key, s.value))
            .collect();
        assert_eq!(
            lines,
            [
                "Unit Description=/bin/x %%n",
                "Unit After=a.target",
                "Service Type=oneshot",
                "Unit ConditionPathExists=/x",
                "Service Environment=\"A=b \\\"c\\\"\"",
            ]
        );
        assert_eq!((request.name, request.wait), (None, true));
        assert!(setting("nothing").is_err());
    }

    #[test]
    fn one_who_waits_names_the_service() {
        assert!(asked(&["--wait", "true"]).name.unwrap().ends_with(".service"));
        assert_eq!(
            asked(&["--unit=x", "--wait", "true"]).name.as_deref(),
            Some("x.service")
        );
    }

    fn changed(active: &str, result: &str, status: Option<&str>) -> EventReply {
        EventReply {
            unit: Some(UnitInfo {
                active: active.to_owned(),
                result: Some(result.to_owned()),
                main_status: status.map(str::to_owned),
                ..UnitInfo::default()
            }),
            ..EventReply::default()
        }
    }

    #[test]
    fn the_code_is_that_of_the_command() {
        for (last, code) in [
            (changed("inactive", "success", Some("exited 0")), 0),
            (changed("failed", "exit-code", Some("exited 3")), 3),
            (changed("failed", "signal", Some("killed SIGKILL")), 1),
            (changed("failed", "timeout", None), 1),
        ] {
            let mut watch = Watch::default();
            assert!(watch.take("a", &changed("inactive", "success", None)));
            assert!(watch.take("a", &changed("active", "success", None)));
            assert!(!watch.take("a", &last));
            assert_eq!(watch.end.unwrap().0, code);
        }
    }

    #[test]
    fn a_start_that_comes_to_nothing_ends_the_wait() {
        let mut watch = Watch::default();
        let job = EventReply {
            job: Some(JobEvent {
                kind: "start".to_owned(),
                result: Some("dependency".to_owned()),
                ..JobEvent::default()
            }),
            ..EventReply::default()
        };
        assert!(!watch.take("a", &job));
        assert_eq!(watch.end.unwrap().0, 1);
    }
}
