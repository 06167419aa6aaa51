//! Definitions travel over a re-exec: what an older program wrote, without what was added later, is read.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use softboot_unit::files::MemoryFiles;
use softboot_unit::{Definition, KindSection, Loader, Specifiers, UnitName, UnitSection, default_paths};

/// The members of the first version, section by section.
const DEFINITION: &str = "name aliases load fragment drop_ins diagnostics unit kind";
const UNIT: &str = "description documentation dependencies default_dependencies conditions asserts allow_isolate \
    ignore_on_isolate refuse_manual_start refuse_manual_stop stop_when_unneeded survive_final_kill_signal start_limit \
    job_timeout job_running_timeout job_timeout_action start_limit_action success_action failure_action \
    on_failure_job_mode on_success_job_mode";
const SERVICE: &str = "service_type exec_condition exec_start_pre exec_start exec_start_post exec_reload exec_stop \
    exec_stop_post restart restart_delay remain_after_exit timeout_start timeout_stop runtime_max watchdog \
    notify_access fd_store_max fd_store_preserve non_blocking sockets success_exit_codes success_signals \
    restart_prevent_codes restart_force_codes kill pid_file bus_name slice delegate memory_max tasks_max exec";
const SOCKET: &str = "ports accept service fd_name backlog ipv6_only reuse_port free_bind no_delay keep_alive \
    pass_credentials receive_buffer send_buffer socket_mode directory_mode remove_on_stop flush_pending \
    max_connections max_connections_per_source trigger_limit poll_limit timeout defer_trigger defer_trigger_max slice";
const EXEC: &str = "user group environment environment_files working_directory working_directory_optional \
    root_directory stdin stdout stderr tty_path umask limits nice oom_score_adjust no_new_privileges ignore_sigpipe \
    runtime_directory runtime_directory_mode runtime_directory_preserve";

fn load(unit: &str, text: &str) -> Definition {
    let files = MemoryFiles::new().file(&format!("/etc/systemd/system/{unit}"), text);
    Loader::new(&files, default_paths(), Specifiers::default()).load(&UnitName::new(unit).unwrap())
}

/// Takes away what the first version did not write. What has its default may be missing anyway.
fn keep(value: Option<&mut Value>, members: &str) {
    if let Some(object) = value.and_then(Value::as_object_mut) {
        object.retain(|name, _| members.split_whitespace().any(|member| member == name));
    }
}

fn as_written_first(unit: &Definition) -> Value {
    let mut value = serde_json::to_value(unit).unwrap();
    keep(Some(&mut value), DEFINITION);
    keep(value.pointer_mut("/unit"), UNIT);
    match &unit.kind {
        KindSection::Service(_) => {
            keep(value.pointer_mut("/kind/settings"), SERVICE);
            keep(value.pointer_mut("/kind/settings/exec"), EXEC);
        }
        KindSection::Socket(_) => keep(value.pointer_mut("/kind/settings"), SOCKET),
        _ => {}
    }
    value
}

#[test]
fn the_first_version_is_read_with_the_defaults_of_today() {
    for (unit, text) in [
        ("a.service", "[Service]\nExecStart=/x\nNice=3\n"),
        ("a.socket", "[Socket]\nListenStream=1\n"),
        ("a.target", "[Unit]\nDescription=x\n"),
    ] {
        let now = load(unit, text);
        let then: Definition = serde_json::from_value(as_written_first(&now)).unwrap();
        assert_eq!(then, now, "{unit}");
    }
    let slice = r#"{"type":"slice"}"#;
    assert_eq!(
        serde_json::from_str::<KindSection>(slice).unwrap(),
        KindSection::Slice
    );
    let name = UnitName::new("a.target").unwrap();
    assert_eq!(
        load("a.target", "[Unit]\n").unit.collect_mode,
        UnitSection::empty(&name).collect_mode
    );
}
