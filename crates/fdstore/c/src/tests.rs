//! Called as C would call.

use std::ffi::{CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, IntoRawFd as _};

use crate::entries::*;
use crate::error::*;
use crate::notify::*;
use crate::state::*;
use crate::store::*;
use crate::upgrade::*;
use rustix::io::Errno;
use softboot_sys::ffi::{CBytes, CInts, CText, CTexts, own_descriptor};

/// What the functions return for this error.
fn negative(errno: Errno) -> c_int {
    -errno.raw_os_error()
}

fn store() -> Box<Store> {
    let startup = fdstore::Startup::from_env("test", None).unwrap();
    Box::new(Store {
        startup,
        owner: "test".to_owned(),
    })
}

fn message() -> String {
    assert!(!fdstore_error_message().is_null());
    current_message()
}

#[test]
fn a_descriptor_goes_in_and_comes_out_as_what_it_is() {
    let mut store = store();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let name = CText::new(c"http");
    assert_eq!(
        fdstore_insert(Some(&mut store), name, listener.into_raw_fd(), None),
        0
    );
    assert_eq!(fdstore_count(Some(&store)), 1);
    let wrong = fdstore_share(Some(&mut store), name, Kind::Udp as c_int);
    assert_eq!(wrong, negative(Errno::PROTOTYPE));
    assert!(message().contains("no UDP socket"), "{}", message());
    let shared = fdstore_share(Some(&mut store), name, Kind::TcpListener as c_int);
    let shared = TcpListener::from(own_descriptor(shared).unwrap());
    assert_eq!(shared.local_addr().unwrap().port(), port);
    let taken = fdstore_take(Some(&mut store), name, Kind::Any as c_int);
    assert!(own_descriptor(taken).is_some());
    let gone = fdstore_take(Some(&mut store), name, Kind::Any as c_int);
    assert_eq!(gone, negative(Errno::NOENT));
    fdstore_free(Some(store));
}

#[test]
fn what_is_refused_stays_the_callers() {
    let mut store = store();
    let options = |limit| Options {
        size: size_of::<Options>(),
        limit,
        expires_usec: 0,
        deduplicate: 1,
        poll: 0,
    };
    let file = tempfile::tempfile().unwrap();
    let mut insert =
        |fd: c_int, options: &Options| fdstore_insert(Some(&mut store), CText::new(c"x"), fd, Some(options));
    let first = file.try_clone().unwrap().into_raw_fd();
    assert_eq!(insert(first, &options(1)), 0);
    assert_eq!(
        insert(file.try_clone().unwrap().into_raw_fd(), &options(1)),
        1,
        "it is there already"
    );
    let other = tempfile::tempfile().unwrap();
    assert_eq!(insert(other.as_raw_fd(), &options(1)), negative(Errno::XFULL));
    assert!(other.metadata().is_ok(), "it is still open");
    let mut old = options(9);
    old.size -= 1;
    assert_eq!(insert(other.as_raw_fd(), &old), negative(Errno::INVAL));
    assert_eq!(insert(1_000_000, &options(9)), negative(Errno::BADF));
}

#[test]
fn nonsense_is_an_error_and_no_crash() {
    let invalid = negative(Errno::INVAL);
    let name = CText::new(c"x");
    let mut store = store();
    for bad in [
        CText::NULL,
        CText::new(c"a:b"),
        CText::new(c"\xff"),
        CText::new(c"\n"),
    ] {
        assert_eq!(fdstore_insert(Some(&mut store), bad, 0, None), invalid);
        assert_eq!(fdstore_remove(Some(&mut store), bad), invalid);
    }
    assert_eq!(fdstore_insert(None, name, 0, None), invalid);
    assert_eq!(fdstore_share(Some(&mut store), name, 99), invalid);
    assert_eq!(fdstore_count(None), invalid);
    assert_eq!(fdstore_each(Some(&store), None, std::ptr::null_mut()), invalid);
    assert_eq!(
        fdstore_each_quarantined(None, None, std::ptr::null_mut()),
        invalid
    );
    assert_eq!(
        fdstore_start(CText::NULL, 0, Some(&mut MaybeUninit::uninit())),
        invalid
    );
    assert_eq!(fdstore_start(CText::new(c"o"), 0, None), invalid);
    assert_eq!(fdstore_ready(None), invalid);
    assert_eq!(
        fdstore_put_state(Some(&mut store), name, CBytes::new(b"x"), usize::MAX),
        invalid
    );
    assert_eq!(fdstore_state(Some(&store), name, None), invalid);
    assert_eq!(fdstore_exec(None, CText::NULL, CTexts::NULL), invalid);
    assert_eq!(fdstore_upgrade(None, CText::NULL, CTexts::NULL, 0, None), invalid);
    assert_eq!(fdstore_notify_ready(None), invalid);
    assert_eq!(
        fdstore_notify_connect(CText::new(c"relative"), Some(&mut MaybeUninit::uninit())),
        invalid
    );
    assert!(!message().is_empty());
    fdstore_free(None);
    fdstore_buffer_free(None);
    fdstore_notify_free(None);
    assert_eq!(fdstore_buffer_size(None), 0);
    assert!(fdstore_buffer_data(None).is_null());
}

#[test]
fn state_comes_back() {
    let mut store = store();
    let name = CText::new(c"sessions");
    assert_eq!(
        fdstore_put_state(Some(&mut store), name, CBytes::new(b"abc"), 3),
        0
    );
    let mut out = MaybeUninit::new(None);
    assert_eq!(fdstore_state(Some(&store), name, Some(&mut out)), 0);
    assert_eq!(store.startup.store.state("test", "sessions").unwrap(), b"abc");
    let missing = fdstore_state(
        Some(&store),
        CText::new(c"other"),
        Some(&mut MaybeUninit::new(None)),
    );
    assert_eq!(missing, negative(Errno::NOENT));
}

#[test]
fn each_entry_is_called_for_oldest_first_until_the_callback_ends_it() {
    extern "C" fn count(_: *mut c_void, entry: *const Entry) -> c_int {
        assert!(!entry.is_null());
        7
    }
    let mut store = store();
    assert_eq!(fdstore_each(Some(&store), Some(count), std::ptr::null_mut()), 0);
    let file = tempfile::tempfile().unwrap().into_raw_fd();
    assert_eq!(fdstore_insert(Some(&mut store), CText::new(c"x"), file, None), 0);
    assert_eq!(fdstore_each(Some(&store), Some(count), std::ptr::null_mut()), 7);
}

#[test]
fn an_exec_that_fails_says_why_and_changes_nothing() {
    let mut store = store();
    let file = tempfile::tempfile().unwrap().into_raw_fd();
    assert_eq!(fdstore_insert(Some(&mut store), CText::new(c"x"), file, None), 0);
    let path = CText::new(c"/nowhere/at/all");
    assert_eq!(
        fdstore_exec(Some(&mut store), path, CTexts::NULL),
        negative(Errno::NOENT)
    );
    assert!(message().contains("executing"), "{}", message());
    assert_eq!(fdstore_count(Some(&store)), 1);
    let failed = fdstore_upgrade(Some(&mut store), path, CTexts::NULL, 1_000, None);
    assert_eq!(failed, negative(Errno::IO));
    assert_eq!(fdstore_count(Some(&store)), 1);
}

#[test]
fn a_manager_hears_what_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let mut receiver = fdstore::notify::Receiver::bind(&path, 0o600).unwrap();
    let address = CString::new(path.to_str().unwrap()).unwrap();
    let inner = fdstore::notify::Notifier::connect(path.clone().into()).unwrap();
    let notifier = Notifier(inner);
    assert_eq!(
        fdstore_notify_connect(CText::new(&address), Some(&mut MaybeUninit::new(None))),
        0
    );
    let file = tempfile::tempfile().unwrap();
    let fds = [file.as_raw_fd()];
    let lines = CText::new(c"FDSTORE=1\nFDNAME=x");
    assert_eq!(
        fdstore_notify_send(Some(&notifier), lines, CInts::new(&fds), 1),
        0
    );
    let datagram = receiver.recv().unwrap().unwrap().unwrap();
    assert!(datagram.message.fd_store() && datagram.fds.len() == 1);
    assert_eq!(
        fdstore_notify_store_fd(Some(&notifier), CText::new(c"y"), 1_000_000),
        negative(Errno::BADF)
    );
    assert_eq!(
        fdstore_notify_send(Some(&notifier), lines, CInts::new(&[-1]), 1),
        negative(Errno::BADF)
    );
    assert_eq!(fdstore_notify_ready(Some(&notifier)), 0);
    assert_eq!(fdstore_notify_status(Some(&notifier), CText::new(c"fine")), 0);
    assert!(receiver.recv().unwrap().unwrap().unwrap().message.ready());
    assert_eq!(
        fdstore_notify_barrier(Some(&notifier), 1),
        negative(Errno::TIMEDOUT)
    );
}
