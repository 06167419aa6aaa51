//! Semantics 4.9: whom which signal reaches.

use super::places::service_in;
use super::*;
use KillMode as M;
use KillWhom as W;

#[test]
fn the_kill_modes() {
    // Who is signalled by a stop, and then by force.
    let rows = [
        (M::ControlGroup, vec![(W::Cgroup, 15), (W::Cgroup, 9)]),
        (M::Mixed, vec![(W::Main, 15), (W::Cgroup, 9)]),
        (M::Process, vec![(W::Main, 15), (W::Main, 9)]),
        (M::None, vec![]),
    ];
    for (mode, sent) in rows {
        let mut world = service_in("stop-sigterm", |s| s.kill.mode = mode);
        world.advance(Usec::from_secs(100));
        assert_eq!(signals(&world), sent, "{mode:?}");
    }
}

#[test]
fn each_signal_can_be_set() {
    let mut world = service_in("stop-sigterm", |s| {
        s.kill.signal = 2;
        s.kill.final_signal = 3;
        s.kill.send_sighup = true;
    });
    expire(&mut world, UNIT);
    assert_eq!(signals(&world), [(W::Cgroup, 2), (W::Cgroup, 3)]);
    let hangups: Vec<bool> = world
        .trace
        .iter()
        .filter_map(|action| match action {
            Action::Kill { hangup, .. } => Some(*hangup),
            _ => None,
        })
        .collect();
    assert_eq!(hangups, [true, false], "SIGHUP goes with the first signal alone");

    let world = service_in("stop-watchdog", |s| s.kill.watchdog_signal = 12);
    assert_eq!(signals(&world), [(W::Cgroup, 12)]);
}

#[test]
fn a_restart_has_a_signal_of_its_own() {
    for (kind, signal) in [(JobKind::Restart, 10), (JobKind::Stop, 15)] {
        let mut world = service_in("running", |s| s.kill.restart_signal = Some(10));
        world.request(kind, UNIT, JobMode::Replace);
        assert_eq!(signals(&world)[0], (W::Cgroup, signal), "{kind:?}");
    }
}

/// With KillMode=mixed the rest of the group gets no SIGTERM, and SIGKILL as soon as main is gone.
#[test]
fn mixed_kills_the_rest_at_once() {
    let mut world = service_in("running", |s| s.kill.mode = M::Mixed);
    let rest = ProcId::found(7);
    world
        .processes
        .insert(rest, (UNIT.to_owned(), ExecList::StartPre));
    world.stop(UNIT);
    assert_eq!(signals(&world), [(W::Main, 15), (W::Cgroup, 9)]);
    assert_eq!(world.sub(UNIT), "dead");
    assert!(!world.processes.contains_key(&rest));
}
