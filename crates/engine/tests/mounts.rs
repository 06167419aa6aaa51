//! Mounts, devices, and the commands of sockets (semantics 1.7).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

mod common;

use common::World;
use common::build::{command, device, mount, service, socket};
use softboot_engine::*;
use softboot_unit::*;

const MOUNT: &str = "srv-data.mount";

fn mounts() -> World {
    World::new(vec![
        mount(MOUNT).done(),
        service("a.service").requires(&[MOUNT]).after(&[MOUNT]).done(),
        service("b.service")
            .dep(DependencyKind::BindsTo, MOUNT)
            .after(&[MOUNT])
            .done(),
    ])
}

fn seen(world: &mut World, mounted: bool) {
    let unit = world.id(MOUNT);
    world.feed(Event::MountSeen { unit, mounted });
}

/// The command ends, after the mount table was looked at.
fn ends(world: &mut World, code: i32) {
    world.exit_main_or_control(MOUNT, ExitStatus::Exited(code));
}

#[test]
fn a_mount_is_there_when_the_kernel_and_its_command_say_so() {
    let mut world = mounts();
    assert_eq!(world.start("a.service"), None);
    assert_eq!(world.sub(MOUNT), "mounting");
    seen(&mut world, true);
    assert_eq!(world.sub(MOUNT), "mounting-done");
    assert_eq!(world.sub("a.service"), "dead");
    ends(&mut world, 0);
    assert_eq!(
        (world.sub(MOUNT), world.sub("a.service")),
        ("mounted".into(), "running".into())
    );
    world.reexec();
    assert_eq!(world.sub(MOUNT), "mounted");
}

#[test]
fn a_command_that_fails_fails_the_mount_and_what_requires_it() {
    let mut world = mounts();
    world.start("a.service");
    ends(&mut world, 32);
    assert_eq!(
        (world.sub(MOUNT), world.sub("a.service")),
        ("failed".into(), "dead".into())
    );
    assert_eq!(world.status(MOUNT).result.as_deref(), Some("exit-code"));
    // One that failed and mounted all the same is mounted.
    world.start(MOUNT);
    seen(&mut world, true);
    ends(&mut world, 32);
    assert_eq!(world.sub(MOUNT), "mounted");
}

#[test]
fn a_command_that_lies_is_not_believed() {
    let mut world = mounts();
    world.start(MOUNT);
    ends(&mut world, 0);
    assert_eq!(world.status(MOUNT).result.as_deref(), Some("protocol"));
}

#[test]
fn whatever_is_bound_to_a_mount_goes_when_somebody_unmounts_it() {
    let mut world = mounts();
    seen(&mut world, true);
    assert_eq!(world.sub(MOUNT), "mounted", "anybody may mount");
    assert_eq!(world.start("b.service"), Some(Ok(JobResult::Done)));
    seen(&mut world, false);
    assert_eq!(
        (world.sub(MOUNT), world.sub("b.service")),
        ("dead".into(), "dead".into())
    );
}

#[test]
fn a_stop_unmounts_what_is_on_top_and_what_is_below() {
    let mut world = mounts();
    seen(&mut world, true);
    let stop = world.request(JobKind::Stop, MOUNT, JobMode::Replace);
    ends(&mut world, 0);
    assert_eq!(world.sub(MOUNT), "unmounting", "there was another below");
    seen(&mut world, false);
    ends(&mut world, 0);
    assert_eq!(
        (world.sub(MOUNT), &world.done[&stop]),
        ("dead".into(), &Ok(JobResult::Done))
    );

    seen(&mut world, true);
    let stop = world.request(JobKind::Stop, MOUNT, JobMode::Replace);
    ends(&mut world, 32);
    assert_eq!(
        (world.sub(MOUNT), &world.done[&stop]),
        ("mounted".into(), &Ok(JobResult::Failed)),
        "busy is busy"
    );
}

#[test]
fn a_command_that_hangs_is_killed_and_a_failed_remount_changes_nothing() {
    let mut world = mounts();
    world.stubborn.insert(MOUNT.to_owned());
    world.start(MOUNT);
    world.advance(Usec::from_secs(90));
    assert_eq!(world.sub(MOUNT), "mounting-sigterm");
    world.advance(Usec::from_secs(90));
    assert_eq!(
        (world.sub(MOUNT), world.status(MOUNT).result.as_deref()),
        ("failed".into(), Some("timeout"))
    );
    seen(&mut world, true);
    let reload = world.request(JobKind::Reload, MOUNT, JobMode::Replace);
    assert_eq!(world.sub(MOUNT), "remounting");
    ends(&mut world, 1);
    assert_eq!(
        (world.sub(MOUNT), &world.done[&reload]),
        ("mounted".into(), &Ok(JobResult::Failed))
    );
}

#[test]
fn mounts_stay_over_a_soft_reboot_as_far_as_the_kernel_has_them() {
    let mut world = World::new(vec![mount(MOUNT).done(), mount("srv-b.mount").done()]);
    seen(&mut world, true);
    world.start("srv-b.mount");
    let saved = serde_json::from_str(&serde_json::to_string(&world.engine.save()).unwrap()).unwrap();
    let (engine, _) = Engine::restore(saved, world.definitions(), world.clocks(), Resume::SoftReboot);
    world.engine = engine;
    assert_eq!(
        (world.sub(MOUNT), world.sub("srv-b.mount")),
        ("mounted".into(), "dead".into())
    );
}

#[test]
fn what_is_bound_to_a_device_waits_for_it_and_goes_with_it() {
    let mut world = World::new(vec![
        device("dev-x.device")
            .unit(|u| u.job_running_timeout = Usec::from_secs(90))
            .done(),
        service("a.service")
            .dep(DependencyKind::BindsTo, "dev-x.device")
            .after(&["dev-x.device"])
            .done(),
    ]);
    let unit = world.id("dev-x.device");
    assert_eq!(world.start("a.service"), None);
    world.feed(Event::DeviceSeen { unit, present: true });
    assert_eq!(
        (world.sub("dev-x.device"), world.sub("a.service")),
        ("plugged".into(), "running".into())
    );
    world.feed(Event::DeviceSeen { unit, present: false });
    assert_eq!(
        (world.sub("dev-x.device"), world.sub("a.service")),
        ("dead".into(), "dead".into())
    );
    let request = world.request(JobKind::Start, "a.service", JobMode::Replace);
    world.advance(Usec::from_secs(90));
    assert_eq!(world.done[&request], Ok(JobResult::Dependency), "it never came");
}

fn commanded() -> World {
    World::new(vec![
        socket("s.socket", "s.service")
            .socket(|s| {
                s.exec_start_pre = vec![command("/pre")];
                s.exec_start_post = vec![command("/post")];
                s.exec_stop_pre = vec![command("/stop-pre")];
                s.exec_stop_post = vec![command("/stop-post")];
                s.pass_fds_to_exec = true;
                s.timeout = Usec::from_secs(5);
            })
            .done(),
        service("s.service").done(),
    ])
}

/// Lists and whether they get the ports, and what happened to the ports, in order.
fn story(world: &World) -> Vec<String> {
    world
        .trace
        .iter()
        .filter_map(|action| match action {
            Action::Spawn(spawn) => Some(format!("{:?} {}", spawn.command.list, spawn.pass_fds)),
            Action::OpenSockets { .. } => Some("open".to_owned()),
            Action::CloseSockets { .. } => Some("close".to_owned()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_sockets_commands_run_around_its_ports_as_1_7_says() {
    let mut world = commanded();
    assert_eq!(world.start("s.socket"), Some(Ok(JobResult::Done)));
    assert_eq!(world.sub("s.socket"), "listening");
    world.reexec();
    assert_eq!(world.stop("s.socket"), Some(Ok(JobResult::Done)));
    let expected = [
        "StartPre false",
        "open",
        "StartPost true",
        "Stop true",
        "close",
        "StopPost true",
    ];
    assert_eq!(story(&world), expected);
    assert_eq!(world.sub("s.socket"), "dead");
}

#[test]
fn a_failing_command_fails_the_socket_where_the_table_says() {
    let mut world = commanded();
    world.failing.insert(("s.socket".to_owned(), ExecList::StartPre));
    assert_eq!(world.start("s.socket"), Some(Ok(JobResult::Failed)));
    assert_eq!(
        story(&world),
        ["StartPre false"],
        "nothing was open, so nothing is closed"
    );

    let mut world = commanded();
    world.failing.insert(("s.socket".to_owned(), ExecList::StartPost));
    assert_eq!(world.start("s.socket"), Some(Ok(JobResult::Failed)));
    assert_eq!(world.status("s.socket").result.as_deref(), Some("exit-code"));
    assert!(story(&world).ends_with(&["Stop true".into(), "close".into(), "StopPost true".into()]));
}

#[test]
fn a_stop_in_the_middle_of_a_start_skips_what_is_before_a_stop() {
    let mut world = commanded();
    world.stuck.insert(("s.socket".to_owned(), ExecList::StartPre));
    assert_eq!(world.start("s.socket"), None);
    assert_eq!(world.sub("s.socket"), "start-pre");
    assert_eq!(world.stop("s.socket"), Some(Ok(JobResult::Done)));
    assert_eq!(story(&world), ["StartPre false", "close", "StopPost true"]);
}

#[test]
fn commands_of_sockets_have_a_limit() {
    let mut world = commanded();
    world.stuck.insert(("s.socket".to_owned(), ExecList::Stop));
    world.stubborn.insert("s.socket".to_owned());
    world.start("s.socket");
    world.stop("s.socket");
    assert_eq!(world.sub("s.socket"), "stop-pre");
    world.advance(Usec::from_secs(5));
    assert_eq!(world.sub("s.socket"), "stop-pre-sigterm");
    world.advance(Usec::from_secs(5));
    assert_eq!(
        (world.sub("s.socket"), world.status("s.socket").result.as_deref()),
        ("failed".into(), Some("timeout"))
    );
}
