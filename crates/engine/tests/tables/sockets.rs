//! Semantics 1.7 to 1.9: sockets, and the services that they start.

use super::common::build::{command, oneshot, service, socket};
use super::*;

const SOCKET: &str = "a.socket";

fn both(change: impl FnOnce(&mut SocketSection), service: common::build::Builder) -> World {
    let socket = socket(SOCKET, UNIT).socket(change);
    World::new(vec![socket.done(), service.done()])
}

/// A start of the socket is refused while its service is active in any way.
#[test]
fn a_socket_is_not_opened_beside_its_running_service() {
    let refused = |stuck: Option<ExecList>, stop: bool| {
        let unit = service(UNIT).service(|s| {
            s.exec_start_pre = vec![command("/p")];
            s.exec_stop_post = vec![command("/y")];
        });
        let mut world = both(|_| {}, unit);
        world.stuck.extend(stuck.map(|list| (UNIT.to_owned(), list)));
        world.request(JobKind::Start, UNIT, JobMode::IgnoreDependencies);
        if stop {
            world.request(JobKind::Stop, UNIT, JobMode::IgnoreDependencies);
        }
        let started = world.request(JobKind::Start, SOCKET, JobMode::IgnoreDependencies);
        (
            world.sub(UNIT),
            world.done.get(&started) == Some(&Ok(JobResult::Failed)),
        )
    };
    let state = |sub: &str, refused: bool| (sub.to_owned(), refused);
    assert_eq!(refused(Some(ExecList::StartPre), false), state("start-pre", true));
    assert_eq!(refused(None, false), state("running", true));
    assert_eq!(refused(Some(ExecList::StopPost), true), state("stop-post", true));
    assert_eq!(refused(None, true), state("dead", false));

    let unit = service(UNIT).service(|s| s.restart = RestartPolicy::Always);
    let mut world = both(|_| {}, unit);
    world.start(UNIT);
    world.exit_main(UNIT, ExitStatus::Exited(1));
    assert_eq!(world.sub(UNIT), "auto-restart");
    assert_eq!(
        world.start(SOCKET),
        Some(Ok(JobResult::Done)),
        "between two runs it is not active"
    );
}

#[test]
fn a_socket_needs_a_service_that_can_be_used() {
    for load in [LoadState::NotFound, LoadState::Masked] {
        let mut definition = service(UNIT).done();
        definition.load = load.clone();
        let mut world = World::new(vec![socket(SOCKET, UNIT).done(), definition]);
        assert_eq!(world.start(SOCKET), Some(Ok(JobResult::Failed)), "{load:?}");
    }
}

/// Each start that fails is a step from activating to failed, for OnFailure=.
#[test]
fn a_port_that_cannot_be_opened_fails_the_socket_each_time() {
    let unit = socket(SOCKET, UNIT)
        .socket(|s| s.exec_stop_post = vec![command("/y")])
        .dep(DependencyKind::OnFailure, "told.service");
    let mut world = World::new(vec![
        unit.done(),
        service(UNIT).done(),
        oneshot("told.service").done(),
    ]);
    let unit = world.id(SOCKET);
    for count in 1..=2 {
        world.queue_request(JobKind::Start, SOCKET, JobMode::Replace);
        assert_eq!(world.sub(SOCKET), "start-open");
        world.pending.clear();
        let error = "in use".to_owned();
        world.feed(Event::SocketOpenFailed { unit, error });
        assert_eq!(
            (world.sub(SOCKET).as_str(), result(&world, SOCKET).as_str()),
            ("failed", "resources")
        );
        assert_eq!(world.starts.len(), count);
    }
    assert!(lists(&world).contains(&ExecList::StopPost));
}

#[test]
fn an_error_on_a_port_fails_the_socket() {
    for state in ["listening", "running"] {
        let mut world = both(|_| {}, service(UNIT));
        world.start(SOCKET);
        if state == "running" {
            world.connect(SOCKET);
        }
        assert_eq!(world.sub(SOCKET), state);
        let unit = world.id(SOCKET);
        let error = "hang-up".to_owned();
        world.feed(Event::SocketBroken { unit, error });
        assert_eq!(
            (world.sub(SOCKET).as_str(), result(&world, SOCKET).as_str()),
            ("failed", "resources")
        );
    }
}

/// The limit of each state, and what follows at once.
#[test]
fn the_limits_of_a_socket() {
    use ExecList as L;
    let rows = [
        (L::StartPre, "start-pre", "final-sigterm"),
        (L::StartPost, "start-post", "stop-pre"),
        (L::Stop, "stop-pre", "stop-pre-sigterm"),
        (L::StopPost, "stop-post", "final-sigterm"),
    ];
    for (list, state, next) in rows {
        let commands = |s: &mut SocketSection| {
            s.exec_start_pre = vec![command("/pre")];
            s.exec_start_post = vec![command("/post")];
            s.exec_stop_pre = vec![command("/stop-pre")];
            s.exec_stop_post = vec![command("/stop-post")];
        };
        let mut world = both(commands, service(UNIT));
        world.stuck.insert((SOCKET.to_owned(), list));
        world.start(SOCKET);
        if matches!(list, L::Stop | L::StopPost) {
            world.stop(SOCKET);
        }
        assert_eq!(world.sub(SOCKET), state);
        expire(&mut world, SOCKET);
        assert_eq!(world.sub(SOCKET), next, "{state}");
        world.settle();
        assert_eq!(
            (world.sub(SOCKET).as_str(), result(&world, SOCKET).as_str()),
            ("failed", "timeout")
        );
        assert!(world.processes.is_empty(), "{state}");
    }
}

/// Semantics 1.8, rule 1.
#[test]
fn traffic_that_meets_a_stop_is_thrown_away() {
    let slow = oneshot("slow.service").after(&[SOCKET]);
    let mut world = World::new(vec![
        socket(SOCKET, UNIT).done(),
        service(UNIT).done(),
        slow.done(),
    ]);
    world.start(SOCKET);
    world.hold.insert("slow.service".to_owned());
    world.start("slow.service");
    // The stop of the socket waits for that of what is ordered after it.
    world.stuck.insert(("slow.service".to_owned(), ExecList::Start));
    world.stubborn.insert("slow.service".to_owned());
    world.request(JobKind::Stop, "slow.service", JobMode::Replace);
    world.request(JobKind::Stop, SOCKET, JobMode::Replace);
    assert_eq!(world.sub(SOCKET), "listening");
    world.connect(SOCKET);
    let unit = world.id(SOCKET);
    assert!(world.trace.contains(&Action::FlushSockets { unit }));
    assert!(!world.starts.contains(&UNIT.to_owned()));
}

/// Semantics 1.8, rule 4a: a service that is on its way gets no other job.
#[test]
fn traffic_for_a_service_that_starts_makes_no_job() {
    let mut world = both(|_| {}, common::build::notify(UNIT));
    world.start(SOCKET);
    world.hold.insert(UNIT.to_owned());
    world.start(UNIT);
    let jobs = world.engine.jobs();
    world.connect(SOCKET);
    assert_eq!(world.engine.jobs(), jobs);
    assert_eq!(world.sub(SOCKET), "running");
}

/// Semantics 1.8, rule 4d.
#[test]
fn a_start_that_is_refused_fails_the_socket() {
    let unit = service(UNIT).requires(&["gone.service"]);
    let mut world = both(|_| {}, unit);
    world.start(SOCKET);
    world.connect(SOCKET);
    assert_eq!(
        (world.sub(SOCKET).as_str(), result(&world, SOCKET).as_str()),
        ("failed", "resources")
    );
}

/// Semantics 1.9, rule 3: which states of the service let the socket listen again.
#[test]
fn when_a_socket_listens_again() {
    use ExecList as L;
    let world = |list: Option<L>, restart: RestartPolicy| {
        let unit = service(UNIT).service(|s| {
            s.restart = restart;
            s.exec_stop = vec![command("/x")];
            s.exec_stop_post = vec![command("/y")];
        });
        let mut world = both(|s| s.flush_pending = true, unit);
        world.stuck.extend(list.map(|list| (UNIT.to_owned(), list)));
        world.start(SOCKET);
        world.connect(SOCKET);
        assert_eq!(world.sub(SOCKET), "running");
        world.trace.clear();
        world
    };
    let socket_is = |world: &World, service: &str, socket: &str| {
        assert_eq!(
            (world.sub(UNIT).as_str(), world.sub(SOCKET).as_str()),
            (service, socket)
        );
    };
    for (list, state) in [(L::Stop, "stop"), (L::StopPost, "stop-post")] {
        let mut world = world(Some(list), RestartPolicy::No);
        world.exit_main(UNIT, ExitStatus::Exited(0));
        socket_is(&world, state, "running");
    }
    let mut dead = world(None, RestartPolicy::No);
    dead.exit_main(UNIT, ExitStatus::Exited(0));
    socket_is(&dead, "dead", "listening");
    let unit = dead.id(SOCKET);
    assert!(
        dead.trace.contains(&Action::FlushSockets { unit }),
        "FlushPending=yes"
    );
    let mut failed = world(None, RestartPolicy::No);
    failed.exit_main(UNIT, ExitStatus::Exited(1));
    socket_is(&failed, "failed", "listening");
    let mut again = world(None, RestartPolicy::Always);
    again.exit_main(UNIT, ExitStatus::Exited(1));
    socket_is(&again, "auto-restart", "listening");
    again.advance(Usec::from_millis(100));
    socket_is(&again, "running", "running");

    // What is left of the cgroup is being killed: somebody who comes now starts the service anew.
    let mut tail = world(Some(L::StopPost), RestartPolicy::No);
    tail.exit_main(UNIT, ExitStatus::Exited(0));
    tail.stubborn.insert(UNIT.to_owned());
    tail.processes
        .insert(ProcId::found(7), (UNIT.to_owned(), L::Start));
    let post = *tail
        .processes
        .iter()
        .find(|(_, (_, list))| *list == L::StopPost)
        .unwrap()
        .0;
    tail.end(post, ExitStatus::Exited(0));
    tail.settle();
    socket_is(&tail, "final-sigterm", "listening");
}

/// Semantics 1.9, rule 4.
#[test]
fn a_service_that_is_started_by_hand_takes_the_socket() {
    let mut world = both(|_| {}, service(UNIT));
    world.start(SOCKET);
    world.start(UNIT);
    assert_eq!(world.sub(SOCKET), "running");
}

/// Semantics 1.8, rules 2 and 3: what the kernel had said before PID 1 stopped listening costs no trigger.
#[test]
fn traffic_that_is_told_too_late_costs_no_trigger() {
    let mut world = both(|_| {}, service(UNIT));
    world.start(SOCKET);
    world.connect(SOCKET);
    assert_eq!(world.sub(SOCKET), "running");
    let unit = world.id(SOCKET);
    for _ in 0..100 {
        world.feed(Event::SocketReadable { unit });
    }
    assert_eq!(world.sub(SOCKET), "running");
    world.stop(UNIT);
    assert_eq!(world.sub(SOCKET), "listening");
    world.connect(SOCKET);
    assert_eq!(
        (world.sub(SOCKET), world.sub(UNIT)),
        ("running".to_owned(), "running".to_owned())
    );
}
