//! Random units.

use softboot_unit::{
    DeferTrigger, Definition, Dependency, DependencyKind as D, ExecCommand, KindSection, LoadState,
    NotifyAccess, Origin, RateLimit, RestartPolicy, ServiceSection, ServiceType, SocketSection, UnitName,
    UnitSection, Usec,
};

use crate::random::Random;

/// The units of every scene: services 0 to 5, the sockets of services 0 and 1, and targets.
const NAMES: [&str; 11] = [
    "s0.service",
    "s1.service",
    "s2.service",
    "s3.service",
    "s4.service",
    "s5.service",
    "s0.socket",
    "s1.socket",
    "t0.target",
    "t1.target",
    "shutdown.target",
];

/// Their names.
pub fn names() -> Vec<UnitName> {
    NAMES.iter().filter_map(|text| UnitName::new(text).ok()).collect()
}

pub(crate) fn command(path: &str) -> ExecCommand {
    ExecCommand {
        path: path.to_owned(),
        argv: vec![path.to_owned()],
        ignore_failure: false,
        no_substitution: false,
        full_privileges: false,
        keep_user: false,
    }
}

/// The definitions of a seed. Orders lead from later to earlier units only: circles have tests of their own.
pub fn definitions(seed: u64) -> Vec<Definition> {
    let mut random = Random::new(seed ^ 0x5CE4E);
    let names = names();
    let mut list = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let mut unit = UnitSection::empty(name);
        unit.start_limit = RateLimit {
            interval: Usec::from_secs(10),
            burst: 5,
        };
        unit.allow_isolate = random.percent(30);
        unit.stop_when_unneeded = random.percent(8);
        unit.survive_final_kill_signal = random.percent(25);
        let earlier = names.get(..index).unwrap_or_default();
        for other in earlier {
            if random.percent(25) {
                push(&mut unit, D::After, other);
            }
            let kinds = [
                D::Requires,
                D::Wants,
                D::Conflicts,
                D::BindsTo,
                D::PartOf,
                D::Upholds,
                D::Requisite,
                D::OnFailure,
                D::OnSuccess,
                D::PropagatesStopTo,
                D::PropagatesReloadTo,
            ];
            if random.percent(25)
                && let Some(kind) = random.pick(&kinds)
            {
                push(&mut unit, kind, other);
            }
        }
        let text = name.as_str();
        let kind = if text.ends_with(".service") {
            KindSection::Service(service(&mut random).into())
        } else if let Some(stem) = text.strip_suffix(".socket") {
            let Ok(triggered) = UnitName::new(&format!("{stem}.service")) else {
                continue;
            };
            push(&mut unit, D::Triggers, &triggered);
            push(&mut unit, D::Before, &triggered);
            // A service that is ordered before its socket would be a circle.
            unit.dependencies
                .retain(|dependency| dependency.kind != D::After || dependency.on != triggered);
            KindSection::Socket(socket(&mut random, name, triggered).into())
        } else {
            KindSection::Target
        };
        list.push(Definition {
            name: name.clone(),
            aliases: Vec::new(),
            load: LoadState::Loaded,
            fragment: None,
            drop_ins: Vec::new(),
            diagnostics: Vec::new(),
            unit,
            slice: None,
            kind,
        });
    }
    list
}

fn push(unit: &mut UnitSection, kind: D, on: &UnitName) {
    unit.dependencies.push(Dependency {
        kind,
        on: on.clone(),
        origin: Origin::File,
    });
}

fn service(random: &mut Random) -> ServiceSection {
    let types = [
        ServiceType::Simple,
        ServiceType::Exec,
        ServiceType::Oneshot,
        ServiceType::Notify,
        ServiceType::NotifyReload,
        ServiceType::Forking,
    ];
    let restarts = [
        RestartPolicy::No,
        RestartPolicy::OnFailure,
        RestartPolicy::OnAbnormal,
        RestartPolicy::OnSuccess,
    ];
    let some = |random: &mut Random, path: &str, percent| {
        if random.percent(percent) {
            vec![command(path)]
        } else {
            Vec::new()
        }
    };
    ServiceSection {
        service_type: random.pick(&types).unwrap_or(ServiceType::Simple),
        exec_start: vec![command("/bin/main")],
        exec_start_pre: some(random, "/bin/pre", 20),
        exec_start_post: some(random, "/bin/post", 20),
        exec_reload: some(random, "/bin/reload", 40),
        exec_stop: some(random, "/bin/stop", 20),
        exec_stop_post: some(random, "/bin/after", 20),
        restart: random.pick(&restarts).unwrap_or(RestartPolicy::No),
        restart_delay: Usec::from_millis(100),
        remain_after_exit: random.percent(40),
        timeout_start: Usec::from_secs(1 + random.below(30)),
        timeout_stop: Usec::from_secs(1 + random.below(5)),
        watchdog: if random.percent(10) {
            Usec::from_secs(20)
        } else {
            Usec::ZERO
        },
        notify_access: NotifyAccess::Main,
        ..ServiceSection::default()
    }
}

fn socket(random: &mut Random, name: &UnitName, service: UnitName) -> SocketSection {
    SocketSection {
        service,
        defer_trigger: if random.percent(40) {
            DeferTrigger::Yes
        } else {
            DeferTrigger::No
        },
        defer_trigger_max: Usec::from_secs(20),
        flush_pending: random.percent(20),
        ..SocketSection::empty(name)
    }
}
