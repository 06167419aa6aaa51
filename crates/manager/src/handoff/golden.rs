//! Snapshots of released versions, as files: what one version has written, every later one reads, and the other way
//! round.
//!
//! `golden/VERSION.json` has the payload of a re-exec's snapshot and the definitions beside it,
//! `golden/soft-reboot/VERSION.json` that of a soft-reboot and the definitions of a next root. A new release gets a file of its
//! own: `SOFTBOOT_BLESS=1 cargo test -p softboot-manager golden` writes it if it is not there. The files of releases
//! are never changed: who changes the format of a version that is not out yet deletes its file first.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use softboot_engine::{
    Action, Engine, Event, ExecList, ExitStatus, JobKind, Now, ProcId, RequestId, Resume, Table,
};
use softboot_reexec::{snapshot, unknown};
use softboot_unit::files::MemoryFiles;
use softboot_unit::{Definition, JobMode, Loader, Specifiers, UnitName, Usec};

use super::Kind;
use super::commit::WRITER;
use super::resume::decode_snapshot;
use super::state::{ManagerState, Snapshot};

/// What the units of the snapshot are in, and come back in.
const STATES: [(&str, &str); 8] = [
    ("web.socket", "deferred"),
    ("web.service", "dead"),
    ("other.service", "stop-sigterm"),
    ("slow.service", "start"),
    ("flaky.service", "auto-restart"),
    ("broken.service", "failed"),
    ("done.service", "exited"),
    ("waits.service", "dead"),
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn name(text: &str) -> UnitName {
    UnitName::new(text).unwrap()
}

fn definitions() -> Vec<Definition> {
    let mut files = MemoryFiles::new();
    for (unit, text) in [
        (
            "web.socket",
            "[Socket]\nListenStream=/run/web\nDeferTrigger=yes\nDeferTriggerMaxSec=5min\n",
        ),
        (
            "web.service",
            "[Unit]\nConflicts=other.service\n[Service]\nExecStart=/bin/web\n",
        ),
        (
            "other.service",
            "[Service]\nExecStart=/bin/other --flag \"two words\"\nUser=nobody\nLimitNOFILE=7\nFileDescriptorStoreMax=3\n",
        ),
        (
            "slow.service",
            "[Service]\nType=notify\nExecStart=/bin/slow\nTimeoutStartSec=1h\n",
        ),
        (
            "flaky.service",
            "[Service]\nExecStart=/bin/flaky\nRestart=always\nRestartSec=1min\n",
        ),
        (
            "broken.service",
            "[Unit]\nOnFailure=done.service\n[Service]\nExecStart=/bin/broken\n",
        ),
        (
            "done.service",
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/done\n",
        ),
        (
            "waits.service",
            "[Unit]\nAfter=slow.service\n[Service]\nExecStart=/bin/waits\n",
        ),
    ] {
        let text = text.replacen("[Unit]\n", "[Unit]\nDefaultDependencies=no\n", 1);
        let text = if text.contains("[Unit]") {
            text
        } else {
            format!("[Unit]\nDefaultDependencies=no\n{text}")
        };
        files = files.file(&format!("/u/{unit}"), &text);
    }
    let loader = Loader::new(&files, vec!["/u".to_owned()], Specifiers::default());
    let names: Vec<UnitName> = STATES.iter().map(|(unit, _)| name(unit)).collect();
    loader.load_closure(&names, &|_| false)
}

/// An engine in the middle of everything, with a kernel that answers at once.
struct World {
    engine: Engine,
    mains: Vec<(String, ProcId)>,
    now: u64,
}

impl World {
    fn feed(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.engine.step(clocks(self.now), event) {
                match action {
                    Action::Spawn(spawn) => {
                        let process = spawn.process;
                        let unit = self.engine.name(spawn.unit).unwrap().to_string();
                        let pid = i32::try_from(process.0).unwrap() + 100;
                        if spawn.command.list == ExecList::Start {
                            self.mains.push((unit, process));
                        }
                        events.insert(0, Event::Spawned { process, pid });
                        events.insert(0, Event::Executed { process });
                    }
                    Action::OpenSockets { unit } => events.insert(0, Event::SocketOpened { unit }),
                    _ => {}
                }
            }
        }
    }

    fn start(&mut self, request: u64, unit: &str) {
        self.feed(Event::Request {
            request: RequestId(request),
            kind: JobKind::Start,
            unit: name(unit),
            mode: JobMode::Replace,
            manual: true,
        });
    }

    fn exit(&mut self, unit: &str, status: ExitStatus) {
        let process = self
            .mains
            .iter()
            .rev()
            .find(|(owner, _)| owner == unit)
            .unwrap()
            .1;
        self.feed(Event::Exited { process, status });
        let unit = self.engine.unit(&name(unit)).unwrap();
        self.feed(Event::CgroupEmpty { unit });
    }
}

fn clocks(now: u64) -> Now {
    Now {
        monotonic: Usec(now),
        boottime: Usec(now + 5),
        realtime: Usec(1_700_000_000_000_000 + now),
    }
}

fn engine() -> Engine {
    let mut world = World {
        engine: Engine::new(),
        mains: Vec::new(),
        now: 1_000_000,
    };
    world.feed(Event::Loaded(definitions()));
    for (request, unit) in (1..).zip([
        "web.socket",
        "other.service",
        "flaky.service",
        "broken.service",
        "slow.service",
    ]) {
        world.now += 10_000;
        world.start(request, unit);
    }
    world.start(9, "waits.service");
    world.exit("flaky.service", ExitStatus::Exited(1));
    world.exit("broken.service", ExitStatus::Signaled(6));
    world.exit("done.service", ExitStatus::Exited(0));
    // A stop of the other service would destroy an irreversible start of it, so the socket waits.
    world.feed(Event::Request {
        request: RequestId(10),
        kind: JobKind::Restart,
        unit: name("other.service"),
        mode: JobMode::ReplaceIrreversibly,
        manual: true,
    });
    let unit = world.engine.unit(&name("web.socket")).unwrap();
    world.feed(Event::SocketReadable { unit });
    world.engine
}

/// As a manager of this version would have it.
fn manager() -> ManagerState {
    let state = json!({
        "processes": {"2": {
            "unit": "other.service", "pid": 102, "alien": false, "exec_pending": false, "failed": false,
            "pidfd": 12, "exec_status": null
        }},
        "clients": {
            "by_id": {"5": {
                "entry": 20,
                "connection": {
                    "peer": {"pid": 44, "uid": 0, "gid": 0}, "input": [123], "output": [125, 0],
                    "outstanding": false
                },
                "waiting": {"job": {"request": 5, "job": 7, "until_done": true}}
            }},
            "timeline": {"units": {"other.service": {"active": "active", "times": {"activeEnterUsec": 7}}}, "limit": 64},
            "transients": {}
        },
        "logs": {"partial": {"other.service": [[104, 105]]}, "lost": {"other.service": 3}, "written": {}},
        "invocations": {"other.service": "0123456789abcdef0123456789abcdef"},
        "environment": {"LANG": "C.UTF-8"},
        "exit_code": 3,
        "remotes": {"8": {"address": "192.0.2.1", "port": 4000, "cookie": 99}},
        "units": ["other.service", "web.socket"],
        "next_token": 21,
        "program": "/usr/lib/softboot/softbootd",
        "started": 1000,
        "put_off": [38],
        "boot_finished": 2000,
        "reexecs": 3,
        "service_nofile": [1024, 524288],
        "written": 1234567
    });
    serde_json::from_value(state).unwrap()
}

fn written(kind: Kind) -> Value {
    let engine = engine();
    let snapshot = Snapshot {
        kind,
        engine: match kind {
            Kind::Reexec => engine.save_beside_definitions(),
            Kind::SoftReboot => engine.save(),
        },
        manager: manager(),
        definitions: Vec::new(),
    };
    json!({ "snapshot": snapshot, "definitions": definitions() })
}

/// Where the snapshots of a kind are.
fn directory_of(kind: Kind) -> PathBuf {
    match kind {
        Kind::Reexec => directory(),
        Kind::SoftReboot => directory().join(kind.word()),
    }
}

fn versions(kind: Kind) -> Vec<String> {
    let files = std::fs::read_dir(directory_of(kind)).unwrap();
    let paths = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file());
    paths
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn golden(kind: Kind, version: &str) -> Value {
    let path = directory_of(kind).join(format!("{version}.json"));
    if version == WRITER && std::env::var_os("SOFTBOOT_BLESS").is_some() && !path.exists() {
        std::fs::create_dir_all(directory_of(kind)).unwrap();
        let text = serde_json::to_string_pretty(&written(kind)).unwrap();
        let beside = path.with_extension(format!("{:?}", std::thread::current().id()));
        std::fs::write(&beside, text + "\n").unwrap();
        std::fs::rename(&beside, &path).unwrap();
    }
    let text = std::fs::read_to_string(&path);
    serde_json::from_str(&text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// Through an envelope of that version, as a handoff goes.
fn read(version: &str, golden: &Value) -> (Snapshot, Vec<Definition>) {
    let envelope = snapshot::write(version, golden.get("snapshot").unwrap()).unwrap();
    let snapshot = decode_snapshot(envelope).unwrap();
    let definitions = serde_json::from_value(golden.get("definitions").unwrap().clone()).unwrap();
    (snapshot, definitions)
}

fn restored(snapshot: Snapshot, written: Vec<Definition>) -> Engine {
    let Snapshot {
        engine, definitions, ..
    } = snapshot;
    let (engine, _) = Engine::restore_beside(engine, Table::new(written), definitions, clocks(2_000_000));
    engine
}

fn check_states(engine: &Engine) {
    for (unit, state) in STATES {
        let status = engine.status(engine.unit(&name(unit)).unwrap()).unwrap();
        assert_eq!(status.sub, state, "{unit}");
    }
}

#[test]
fn the_golden_snapshot_of_this_version_is_what_it_writes() {
    check_states(&engine());
    for kind in [Kind::Reexec, Kind::SoftReboot] {
        let (written, golden) = (written(kind), golden(kind, WRITER));
        assert!(
            written == golden,
            "the format has changed: {}",
            serde_json::to_string_pretty(&written).unwrap()
        );
    }
}

/// As this version would write it again.
fn check_nothing_is_lost(version: &str, golden: &Value, snapshot: &Snapshot, definitions: &[Definition]) {
    let mut again = json!({ "snapshot": snapshot, "definitions": definitions });
    if let Some(carried) = &snapshot.manager.carried {
        let snapshot = again.get_mut("snapshot").unwrap();
        snapshot
            .get_mut("manager")
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove("carried");
        unknown::graft(snapshot, carried);
    }
    assert_eq!(unknown::residue(golden, &again), None, "{version}");
}

#[test]
fn every_golden_snapshot_of_a_soft_reboot_is_a_new_userspace_with_what_lives_on() {
    golden(Kind::SoftReboot, WRITER);
    for version in versions(Kind::SoftReboot) {
        let golden = golden(Kind::SoftReboot, &version);
        let (snapshot, definitions) = read(&version, &golden);
        check_nothing_is_lost(&version, &golden, &snapshot, &definitions);
        let state = |engine: &Engine, unit: &str| {
            let unit = engine.unit(&name(unit))?;
            Some(engine.status(unit)?.sub)
        };
        let saved = golden.pointer("/snapshot/engine").unwrap();
        for next_root in [definitions, Vec::new()] {
            let knows = !next_root.is_empty();
            let saved = serde_json::from_value(saved.clone()).unwrap();
            let (engine, _) = Engine::restore(saved, next_root, clocks(2_000_000), Resume::SoftReboot);
            // Ports and processes live on, whether the next root has their files or not.
            assert_eq!(
                state(&engine, "web.socket").as_deref(),
                Some("deferred"),
                "{version}"
            );
            assert_eq!(
                state(&engine, "other.service").as_deref(),
                Some("stop-sigterm"),
                "{version}"
            );
            // Everything else is as if never started, but what failed has; what the next root does not know is not there.
            for (unit, sub) in [
                ("flaky.service", "dead"),
                ("broken.service", "failed"),
                ("done.service", "dead"),
                ("waits.service", "dead"),
            ] {
                let wanted = knows.then_some(sub);
                assert_eq!(state(&engine, unit).as_deref(), wanted, "{version}: {unit}");
            }
            assert_eq!(engine.jobs().len(), 0, "{version}: no job comes over");
            assert_eq!(engine.soft_reboots(), 1);
        }
    }
}

#[test]
fn every_golden_snapshot_is_read_and_nothing_of_it_is_lost() {
    golden(Kind::Reexec, WRITER);
    for version in versions(Kind::Reexec) {
        let golden = golden(Kind::Reexec, &version);
        let (snapshot, definitions) = read(&version, &golden);
        check_nothing_is_lost(&version, &golden, &snapshot, &definitions);
        let engine = restored(snapshot, definitions);
        check_states(&engine);
        assert_eq!(
            engine.jobs().len(),
            3,
            "{version}: a start, one behind it, and a restart that the socket waits for"
        );
    }
}

/// What a later version may add at any place: members of objects, units of unknown kinds, dependencies with more parts.
#[test]
fn a_later_version_is_read_and_what_it_added_is_written_again() {
    let mut later = golden(Kind::Reexec, WRITER);
    let snapshot = later.get_mut("snapshot").unwrap();
    let units = snapshot
        .pointer("/engine/units")
        .unwrap()
        .as_array()
        .unwrap()
        .len();
    for number in 0..units {
        let unit = snapshot.pointer_mut(&format!("/engine/units/{number}")).unwrap();
        unit.as_object_mut()
            .unwrap()
            .insert("mood".to_owned(), json!(number));
    }
    for place in ["", "/engine", "/manager", "/manager/clients"] {
        let object = snapshot.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.insert("weather".to_owned(), json!({ "at": place }));
    }
    let (read, definitions) = read("99.0.0", &later);
    let carried = read.manager.carried.clone().unwrap();
    assert_eq!(carried.pointer("/engine/units/0/mood"), Some(&json!(0)));
    for place in ["", "/engine", "/manager", "/manager/clients"] {
        let weather = carried.pointer(&format!("{place}/weather/at"));
        assert_eq!(weather, Some(&json!(place)), "{carried}");
    }
    check_states(&restored(read, definitions));
}
