//! What a workload file may say, and what it is told when it is wrong.

use super::*;
use crate::endpoint::Endpoint;

const WHOLE: &str = r#"
case = "socket kept"
cycles = 12
quiet = "1500ms"

[[service]]
name = "echo.service"
exec = "/usr/bin/echo --slow"
settings = { TimeoutStopSec = "3s" }

[[socket]]
name = "echo.socket"
listen = "tcp:127.0.0.1:7000"
kept = true

[[socket]]
name = "idle.socket"
listen = "unix:/run/idle"
service = "echo.service"
copies = 3

[[probe]]
name = "echo"
endpoint = "tcp:127.0.0.1:7000"
rate = 500

[[probe]]
name = "outside"
endpoint = "tcp:127.0.0.1:17000"
view = "host"
timeout = "250ms"

[[event]]
do = "soft-reboot"

[[event]]
do = "restart"
unit = "echo.service"
name = "plain restart"
"#;

fn faults(text: &str) -> Vec<String> {
    match Workload::parse(text, Path::new("w.toml")) {
        Err(WorkloadError::Faults { faults }) => faults.iter().map(Fault::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_file_is_understood() {
    let workload = Workload::parse(WHOLE, Path::new("w.toml")).unwrap();
    assert_eq!(
        (workload.cycles, workload.quiet),
        (12, Duration::from_millis(1500))
    );
    assert_eq!(workload.sockets[0].service, "echo.service");
    let survivor = workload.seen_from(View::Survivor);
    assert_eq!(survivor.len(), 1);
    assert_eq!(survivor[0].interval, Duration::from_millis(2));
    assert!(matches!(survivor[0].endpoint, Endpoint::Echo(_)));
    assert_eq!(
        workload.seen_from(View::Host)[0].timeout,
        Duration::from_millis(250)
    );
    assert_eq!(workload.events[1].what, What::Restart("echo.service".to_owned()));
    assert_eq!(workload.events[1].name, "plain restart");
}

#[test]
fn unit_files_say_what_the_workload_says() {
    let units = Workload::parse(WHOLE, Path::new("w.toml")).unwrap().units();
    let text = |name: &str| units.iter().find(|unit| unit.name == name).unwrap().text.clone();
    assert_eq!(units.len(), 5);
    assert!(text("echo.service").contains("ExecStart=/usr/bin/echo --slow\nTimeoutStopSec=3s\n"));
    let kept = text("echo.socket");
    assert!(kept.contains("DefaultDependencies=no") && kept.contains("DeferTrigger=yes"));
    assert!(kept.contains("ListenStream=127.0.0.1:7000\nService=echo.service"));
    assert!(text("idle-2.socket").contains("ListenStream=/run/idle-2\n"));
    assert!(!text("idle-2.socket").contains("DeferTrigger"));
}

#[test]
fn a_service_for_each_connection_is_a_template_that_talks_to_it() {
    let text = WHOLE.replace("kept = true", "accept = true");
    let units = Workload::parse(&text, Path::new("w.toml")).unwrap().units();
    let service = units.iter().find(|unit| unit.name == "echo@.service").unwrap();
    assert!(service.text.contains("StandardInput=socket"));
}

#[test]
fn every_fault_has_its_file_line_and_reason() {
    let wrong = WHOLE
        .replace("name = \"echo.service\"", "name = \"echo\"")
        .replace("\"1500ms\"", "\"soon\"")
        .replace("rate = 500", "rate = 0")
        .replace("view = \"host\"", "view = \"moon\"")
        .replace("do = \"soft-reboot\"", "do = \"reboot\"");
    let faults = faults(&wrong);
    let has = |place: &str, reason: &str| {
        assert!(
            faults
                .iter()
                .any(|fault| fault.starts_with(place) && fault.contains(reason)),
            "{place} {reason} is missing in {faults:#?}"
        );
    };
    has("w.toml:4:9:", "no span of time");
    has("w.toml:7:8:", "no name of a unit");
    has("w.toml:12:8:", "no [[service]] of that name");
    has("w.toml:25:8:", "not between 1 and 100000");
    has("w.toml:30:8:", "survivor or host");
    has("w.toml:34:6:", "soft-reboot, re-exec or restart");
}

#[test]
fn what_does_not_fit_together_is_a_fault() {
    let one = |from: &str, to: &str| faults(&WHOLE.replacen(from, to, 1)).join("\n");
    assert!(one("quiet", "quite").contains("w.toml:4:1: unknown field `quite`"));
    assert!(one("cycles = 12", "cycles = ").contains("w.toml:3:"));
    assert!(one("unix:/run/idle", "tcp:127.0.0.1:9").contains("copies need a path"));
    assert!(one("name = \"outside\"", "name = \"echo\"").contains("two probes"));
    assert!(one("unit = \"echo.service\"", "unit = \"other.service\"").contains("no unit \"other.service\""));
    assert!(one("exec = \"/usr/bin/echo --slow\"", "exec = \"a\\nb\"").contains("one line"));
    assert!(faults("case = \"x\"").join("").contains("nothing is probed"));
    let quiet = &WHOLE[..WHOLE.find("[[event]]").unwrap()];
    assert!(faults(quiet).join("").contains("nothing happens"));
}

#[test]
fn the_example_of_the_documentation_is_a_workload() {
    let document = include_str!("../../../../docs/greyout.md");
    let example = document
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let workload = Workload::parse(example, Path::new("docs/greyout.md")).unwrap();
    assert_eq!(
        (
            workload.services.len(),
            workload.sockets.len(),
            workload.events.len()
        ),
        (1, 1, 1)
    );
}
