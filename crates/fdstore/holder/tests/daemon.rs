//! Starting, reloading and ending.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers are part of the tests; what goes wrong in them fails a test"
)]

mod common;

use std::process::{Command, Stdio};

use common::{Holder, OWN, directory, fdstored, memfd, text};
use fdstore::notify::Message;
use rustix::process::Signal;

#[test]
fn a_configuration_that_is_wrong_is_not_taken_at_a_reload() {
    let mut holder = Holder::start(OWN);
    let mut client = holder.client();
    client.put("kept", memfd("x")).unwrap();
    std::fs::write(
        holder.path("config"),
        format!("{OWN}\n[limits]\nentries = \"x\"\n"),
    )
    .unwrap();
    holder.signal(Signal::HUP);
    holder.wait_for(Message::reloading);
    let ready = holder.wait_for(Message::ready);
    assert!(
        ready.status().is_some_and(|status| status.contains("config:7: ")),
        "{ready:?}"
    );
    assert!(holder.log().contains("the configuration from before stays"));
    client.put("more", memfd("y")).unwrap();
    // And one that is right is.
    std::fs::write(
        holder.path("config"),
        "[[allow]]\nself = true\nnames = [\"*\"]\nverbs = [\"list\"]\n",
    )
    .unwrap();
    holder.signal(Signal::HUP);
    holder.wait_for(Message::ready);
    assert_eq!(client.put("no", memfd("z")).unwrap_err(), "AccessDenied");
    assert_eq!(holder.names(), ["kept", "more"]);
}

#[test]
fn the_end_says_what_is_lost_and_leaves_no_socket() {
    let mut holder = Holder::start(OWN);
    let mut client = holder.client();
    for n in 0..3 {
        client.put("x", memfd(&n.to_string())).unwrap();
    }
    holder.signal(Signal::TERM);
    holder.wait_for(Message::stopping);
    assert_eq!(holder.child.wait().unwrap().code(), Some(0));
    assert!(
        holder.log().contains("ending with 3 descriptors"),
        "{}",
        holder.log()
    );
    let own = format!("uid:{}: 3", rustix::process::geteuid().as_raw());
    assert!(holder.log().contains(&own));
    assert!(!holder.path("varlink").exists() && !holder.path("notify").exists());
}

fn run(arguments: &[&str]) -> std::process::Output {
    Command::new(fdstored())
        .args(arguments)
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn statuses_tell_configuration_and_sockets_apart() {
    let place = directory();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("bad"), "\nentries = 1\n").unwrap();
    let bad = run(&["--config", &path("bad"), "--check"]);
    assert_eq!(bad.status.code(), Some(6));
    assert!(
        text(&bad.stderr).contains("bad:2: unknown field `entries`"),
        "{bad:?}"
    );
    std::fs::write(path("good"), OWN).unwrap();
    assert_eq!(
        run(&["--config", &path("good"), "--check"]).status.code(),
        Some(0)
    );
    assert_eq!(run(&["--config", &path("none")]).status.code(), Some(6));
    assert_eq!(run(&["--nonsense"]).status.code(), Some(2));
    let socket = |at: &str| run(&["--socket", at, "--notify-socket", &path("n")]);
    let file = socket(&path("good"));
    assert_eq!(file.status.code(), Some(3));
    assert!(text(&file.stderr).contains("is no socket"), "{file:?}");
    assert!(std::fs::read_to_string(path("good")).is_ok_and(|text| text == OWN));
    assert_eq!(socket(&"x".repeat(200)).status.code(), Some(3));
}

#[test]
fn a_second_holder_does_not_take_the_sockets_of_the_first() {
    let mut first = Holder::start(OWN);
    first.client().put("kept", memfd("x")).unwrap();
    let (socket, notify) = (first.path("varlink"), first.path("notify"));
    let second = || {
        let output = run(&[
            "--socket",
            socket.to_str().unwrap(),
            "--notify-socket",
            notify.to_str().unwrap(),
        ]);
        (output.status.code(), text(&output.stderr))
    };
    let (code, says) = second();
    assert_eq!(code, Some(3));
    assert!(says.contains("is another fdstored running?"), "{says}");
    assert_eq!(first.names(), ["kept"]);
    // One that was killed leaves its sockets; nobody listens there any more.
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    assert!(socket.exists() && notify.exists());
    let config = std::fs::read_to_string(first.path("config")).unwrap();
    let place = std::mem::replace(&mut first.directory, directory());
    let again = Holder::start_program(fdstored(), &config, place);
    assert!(again.names().is_empty());
}

#[test]
fn the_printed_configuration_is_one_and_is_the_built_in_one() {
    let output = run(&["--print-config"]);
    assert_eq!(output.status.code(), Some(0));
    let mut holder = Holder::start(&text(&output.stdout));
    let mut client = holder.client();
    client.put("x", memfd("x")).unwrap();
    assert_eq!(text(&output.stdout), holder::config::default_text());
    holder.signal(Signal::HUP);
    holder.wait_for(Message::ready);
    assert_eq!(holder.names(), ["x"]);
}

#[test]
fn the_interface_describes_itself() {
    let holder = Holder::start(OWN);
    let mut client = holder.client();
    let info: (serde_json::Value, _) = client.call(&holder::api::Request::GetInfo {}, &[]).unwrap();
    assert_eq!(info.0["product"], "fdstored");
    for interface in ["io.softboot.FdStore", "org.varlink.service"] {
        let request = holder::api::Request::GetInterfaceDescription {
            interface: interface.to_owned(),
        };
        let (reply, _): (serde_json::Value, _) = client.call(&request, &[]).unwrap();
        let text = reply["description"].as_str().unwrap();
        assert!(text.contains(&format!("\ninterface {interface}\n")), "{text}");
    }
}
