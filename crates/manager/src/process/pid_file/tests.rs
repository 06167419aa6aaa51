use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pid");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

#[test]
fn a_pid_file_has_one_number() {
    let (_directory, path) = file(" 4711\n");
    assert_eq!(read_pid(&path).unwrap().pid, 4711);
    for wrong in ["x\n", "1 2", "-", "99999999999999999999", &"1".repeat(100)] {
        let (_directory, path) = file(wrong);
        assert!(
            read_pid(&path).unwrap_err().contains("no process number"),
            "{wrong}"
        );
    }
}

#[test]
fn what_is_not_there_or_not_written_yet_is_no_news() {
    let (directory, path) = file("");
    assert_eq!(read_pid(&path).unwrap_err(), "");
    assert_eq!(read_pid(&directory.path().join("y.pid")).unwrap_err(), "");
    assert_eq!(read_pid(&directory.path().join("no/y.pid")).unwrap_err(), "");
}

#[test]
fn a_fifo_is_refused_without_waiting_for_a_writer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    assert!(read_pid(&path).unwrap_err().contains("regular"));
}

#[test]
fn a_file_behind_a_symlink_or_open_to_others_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, path) = file("4711");
    let link = directory.path().join("link.pid");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let found = read_pid(&link).unwrap();
    assert_eq!((found.pid, found.trusted), (4711, false));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(!read_pid(&path).unwrap().trusted);
}

#[test]
fn paths_are_below_run() {
    assert_eq!(path_of("x.pid"), Path::new("/run/x.pid"));
    assert_eq!(path_of("/var/run/x/y.pid"), Path::new("/run/x/y.pid"));
    assert_eq!(path_of("/srv/x.pid"), Path::new("/srv/x.pid"));
}

#[test]
fn the_nearest_directory_is_watched() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = PidFiles::default();
    let path = directory.path().join("new/x.pid");
    files.wait(UnitId(1), &path).unwrap();
    assert_eq!(files.drain(), [UnitId(1)]);
    std::fs::create_dir(directory.path().join("new")).unwrap();
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let seen = inotify::Reader::new(files.events().unwrap(), &mut buffer)
        .next()
        .is_ok();
    assert!(seen, "the directory that was missing was made");
    files.wait(UnitId(1), &path).unwrap();
    files.stop(UnitId(1));
    assert!(files.drain().is_empty());
}
