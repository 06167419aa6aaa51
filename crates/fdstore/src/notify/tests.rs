use super::message::MAX_MESSAGE;
use super::{Message, Notifier, NotifyError, Reason, Receiver};
use crate::name::FdName;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::SendFlags;
use std::os::fd::AsFd as _;
use std::time::Duration;

fn pair() -> (tempfile::TempDir, Receiver, Notifier) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let receiver = Receiver::bind(&path, 0o600).unwrap();
    (
        directory,
        receiver,
        Notifier::connect(path.into_os_string()).unwrap(),
    )
}

#[test]
fn a_message_arrives_with_its_descriptors_and_its_sender() {
    let (_dir, mut receiver, notifier) = pair();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    notifier
        .store_fd(&FdName::new("x").unwrap(), file.as_fd())
        .unwrap();
    let datagram = receiver.recv().unwrap().unwrap().unwrap();
    assert!(datagram.message.fd_store());
    assert_eq!(datagram.message.fd_name().unwrap().unwrap().as_str(), "x");
    assert_eq!(datagram.fds.len(), 1);
    assert_eq!(datagram.credentials.uid, rustix::process::getuid().as_raw());
    assert!(receiver.recv().unwrap().is_none());
}

#[test]
fn a_barrier_ends_when_its_descriptor_is_closed() {
    let (_dir, mut receiver, notifier) = pair();
    let waiting = std::thread::spawn(move || notifier.barrier(Duration::from_secs(20)));
    loop {
        if let Some(datagram) = receiver.recv().unwrap() {
            assert!(datagram.unwrap().message.is_barrier());
            break;
        }
    }
    waiting.join().unwrap().unwrap();
}

#[test]
fn a_barrier_that_nobody_reads_runs_out() {
    let (_dir, _receiver, notifier) = pair();
    assert!(matches!(
        notifier.barrier(Duration::from_millis(1)),
        Err(NotifyError::BarrierTimeout(_))
    ));
}

#[test]
fn a_message_that_is_too_long_is_rejected_on_both_sides() {
    let (_dir, mut receiver, notifier) = pair();
    let long = Message::new().with("STATUS", &"x".repeat(MAX_MESSAGE));
    assert!(matches!(notifier.send(&long, &[]), Err(NotifyError::TooLong(_))));
    let bytes = long.to_bytes();
    rustix::net::send(&notifier, &bytes, SendFlags::empty()).unwrap();
    let rejected = receiver.recv().unwrap().unwrap().unwrap_err();
    assert!(matches!(rejected.reason, Reason::Message(_)));
}

#[test]
fn a_full_queue_is_no_wait_and_room_is_an_event() {
    let (_dir, mut receiver, notifier) = pair();
    let message = Message::new().with("STATUS", "x");
    let full = (0..100_000).find_map(|_| notifier.try_send(&message, &[]).err());
    assert!(matches!(full, Some(NotifyError::WouldBlock)), "{full:?}");
    let room = |notifier: &Notifier| {
        let mut fds = [PollFd::new(notifier, PollFlags::OUT)];
        poll(&mut fds, Some(&Timespec::default())).unwrap()
    };
    assert_eq!(room(&notifier), 0);
    while receiver.recv().unwrap().is_some() {}
    assert_eq!(room(&notifier), 1);
    notifier.try_send(&message, &[]).unwrap();
}

#[test]
fn a_manager_that_made_its_socket_anew_is_found_again() {
    let (directory, receiver, notifier) = pair();
    drop(receiver);
    assert!(matches!(notifier.ready(), Err(NotifyError::Io(_))));
    let mut receiver = Receiver::bind(&directory.path().join("notify"), 0o600).unwrap();
    notifier.ready().unwrap();
    assert!(receiver.recv().unwrap().unwrap().unwrap().message.ready());
}

#[test]
fn what_is_stored_unpolled_comes_one_by_one_in_its_order() {
    let (_dir, mut receiver, notifier) = pair();
    let files = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
    let fds = files.each_ref().map(|file| file.as_fd());
    notifier.store_unpolled(&FdName::new("x").unwrap(), &fds).unwrap();
    for file in &files {
        let datagram = receiver.recv().unwrap().unwrap().unwrap();
        assert!(!datagram.message.fd_poll());
        let identity = crate::Identity::of(file).unwrap();
        assert_eq!(identity.verify(datagram.fds.first().unwrap()), Ok(()));
    }
}

#[test]
fn descriptors_do_not_leave_the_machine() {
    let notifier = Notifier::connect("vsock:2:1".into()).unwrap();
    let file = tempfile::tempfile().unwrap();
    let stored = notifier.store_fd(&FdName::stored(), file.as_fd());
    assert!(matches!(stored, Err(NotifyError::Vsock)));
}
