use super::*;
use rustix::event::{EventfdFlags, eventfd};
use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;

fn kind(fd: impl AsFd) -> String {
    Identity::of(fd).unwrap().kind().to_string()
}

#[test]
fn kinds_are_told_apart() {
    assert_eq!(
        kind(TcpListener::bind("127.0.0.1:0").unwrap()),
        "socket inet stream listening"
    );
    assert_eq!(
        kind(UdpSocket::bind("127.0.0.1:0").unwrap()),
        "socket inet datagram"
    );
    assert_eq!(kind(rustix::pipe::pipe().unwrap().0), "pipe");
    assert_eq!(kind(crate::memfd::sealed_memfd("m", b"x").unwrap()), "memfd");
    assert_eq!(kind(tempfile::tempfile().unwrap()), "file");
    assert_eq!(kind(File::open("/").unwrap()), "directory");
    assert_eq!(kind(File::open("/dev/null").unwrap()), "device");
    assert_eq!(kind(eventfd(0, EventfdFlags::empty()).unwrap()), "eventfd");
    assert_eq!(kind(File::open("/proc/self/ns/net").unwrap()), "net namespace");
    let pid = rustix::process::getpid();
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    assert_eq!(kind(pidfd), "pidfd");
    let directory = tempfile::tempdir().unwrap();
    for name in ["a:[1]", "memfd:x"] {
        let file = File::create(directory.path().join(name)).unwrap();
        assert_eq!(kind(file), "file", "{name} is only called so");
    }
}

/// Of everything that looks alike to fstat each is only itself.
#[test]
fn no_descriptor_passes_for_another() {
    use rustix::event::epoll;
    let file = tempfile::NamedTempFile::new().unwrap();
    let all: Vec<OwnedFd> = vec![
        eventfd(0, EventfdFlags::empty()).unwrap(),
        epoll::create(epoll::CreateFlags::empty()).unwrap(),
        file.reopen().unwrap().into(),
        File::open(file.path()).unwrap().into(),
        crate::memfd::sealed_memfd("m", b"x").unwrap(),
        crate::memfd::sealed_memfd("m", b"x").unwrap(),
        File::open("/dev/null").unwrap().into(),
        File::open("/dev/zero").unwrap().into(),
        File::open("/proc/self/ns/net").unwrap().into(),
        File::open("/proc/self/ns/uts").unwrap().into(),
        TcpListener::bind("127.0.0.1:0").unwrap().into(),
        TcpListener::bind("127.0.0.1:0").unwrap().into(),
        UdpSocket::bind("127.0.0.1:0").unwrap().into(),
    ];
    for (i, one) in all.iter().enumerate() {
        let identity = Identity::of(one).unwrap();
        for (j, other) in all.iter().enumerate() {
            assert_eq!(identity.verify(other).is_ok(), i == j, "{i} as {j}: {identity:?}");
        }
    }
}

#[test]
fn a_descriptor_is_recognised_and_another_is_not() {
    let one = UdpSocket::bind("127.0.0.1:0").unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let identity = Identity::of(&one).unwrap();
    assert_eq!(identity.verify(one.try_clone().unwrap()), Ok(()));
    assert!(identity.verify(&other).is_err());
    assert!(
        identity
            .verify(File::open("/dev/null").unwrap())
            .unwrap_err()
            .contains("it was a socket")
    );
}

#[test]
fn one_file_opened_for_less_is_another_thing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let identity = Identity::of(file.as_file()).unwrap();
    let reading = File::open(file.path()).unwrap();
    assert!(identity.verify(reading).unwrap_err().contains("access mode"));
}
