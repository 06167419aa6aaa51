use super::*;
use crate::InsertOptions;
use rustix::net::{AddressFamily, SocketType};

fn stored(fd: impl Into<OwnedFd>) -> FdStore {
    let mut store = FdStore::new();
    let name = FdName::new("x").unwrap();
    store
        .insert("o", &name, fd.into(), InsertOptions::default())
        .unwrap();
    store
}

/// One of each, by the name of the only type that it is.
fn kinds() -> Vec<(&'static str, OwnedFd)> {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("[::1]:0").unwrap_or_else(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    vec![
        (
            TcpStream::WHAT,
            TcpStream::connect(listener.local_addr().unwrap()).unwrap().into(),
        ),
        (TcpListener::WHAT, listener.into()),
        (UdpSocket::WHAT, UdpSocket::bind("127.0.0.1:0").unwrap().into()),
        (
            UnixListener::WHAT,
            UnixListener::bind(directory.path().join("s")).unwrap().into(),
        ),
        (UnixStream::WHAT, UnixStream::pair().unwrap().0.into()),
        (UnixDatagram::WHAT, UnixDatagram::pair().unwrap().0.into()),
        (File::WHAT, tempfile::tempfile().unwrap().into()),
        (File::WHAT, crate::memfd::sealed_memfd("m", b"").unwrap()),
        ("nothing else", rustix::pipe::pipe().unwrap().0),
        ("nothing else", File::open("/").unwrap().into()),
        (
            "nothing else",
            rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap(),
        ),
    ]
}

fn only<T: Adopt>() {
    for (what, fd) in kinds() {
        let mut store = stored(fd);
        let suits = what == T::WHAT;
        assert_eq!(store.share::<T>("o", "x").is_ok(), suits, "{what} as {}", T::WHAT);
        assert_eq!(store.count("o"), 1);
        match store.take::<T>("o", "x") {
            Ok(_) => assert!(suits, "{what} as {}", T::WHAT),
            Err(error) => assert!(matches!(error, AdoptError::Mismatch { .. }), "{error}"),
        }
        assert_eq!(
            store.count("o"),
            usize::from(!suits),
            "a mismatch stays in the store"
        );
        if !suits {
            assert!(store.take::<OwnedFd>("o", "x").is_ok());
        }
    }
}

#[test]
fn each_type_takes_its_own_kind_and_no_other() {
    only::<TcpListener>();
    only::<TcpStream>();
    only::<UdpSocket>();
    only::<UnixListener>();
    only::<UnixStream>();
    only::<UnixDatagram>();
    only::<File>();
}

#[test]
fn the_reason_says_what_is_different() {
    let bound = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let error = stored(bound).take::<TcpListener>("o", "x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"x\" is no listening TCP socket: it does not listen"
    );
    let error = stored(UdpSocket::bind("127.0.0.1:0").unwrap())
        .take::<File>("o", "x")
        .unwrap_err();
    assert!(
        error.to_string().ends_with("it is a socket inet datagram"),
        "{error}"
    );
}

#[test]
fn what_is_not_there_is_missing() {
    let mut store = stored(tempfile::tempfile().unwrap());
    for (owner, name) in [("o", "y"), ("p", "x"), ("o", "a:b")] {
        let error = store.take::<File>(owner, name).unwrap_err();
        assert!(matches!(error, AdoptError::Missing { .. }), "{error}");
    }
}

#[test]
fn the_oldest_of_a_name_comes_first() {
    let mut store = FdStore::new();
    let name = FdName::new("x").unwrap();
    for text in ["1", "2"] {
        let fd = crate::memfd::sealed_memfd("m", text.as_bytes()).unwrap();
        store.insert("o", &name, fd, InsertOptions::default()).unwrap();
    }
    for text in ["1", "2"] {
        let file: File = store.take("o", "x").unwrap();
        assert_eq!(crate::memfd::read_sealed(&file, 9).unwrap(), text.as_bytes());
    }
}

#[test]
fn an_o_path_descriptor_is_no_file() {
    use rustix::fs::{Mode, OFlags, open};
    let fd = open("/etc/passwd", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut store = stored(fd);
    assert!(
        store
            .take::<File>("o", "x")
            .unwrap_err()
            .to_string()
            .contains("O_PATH")
    );
    assert!(store.take::<OwnedFd>("o", "x").is_ok());
}
