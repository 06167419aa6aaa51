use super::*;
use crate::cpio;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn archive(image: &Image) -> Vec<u8> {
    let mut out = Vec::new();
    image.write_cpio(&mut out).unwrap();
    out
}

fn paths(image: &Image) -> Vec<&str> {
    image.entries().map(|entry| entry.path.as_str()).collect()
}

#[test]
fn parents_come_by_themselves_and_before_their_children() {
    let mut image = Image::new();
    image.add_file("/a/b/c", 0o644, &b"x"[..], "test").unwrap();
    image.add_file("/a-b", 0o644, &b"x"[..], "test").unwrap();
    assert_eq!(paths(&image), ["a", "a-b", "a/b", "a/b/c"]);
}

#[test]
fn equal_images_are_equal_archives_whatever_the_order_of_adding() {
    let mut first = Image::new();
    first.add_dir("/d", 0o700, "one").unwrap();
    first.add_file("/d/f", 0o755, &b"data"[..], "one").unwrap();
    first.add_hardlink("/d/g", "/d/f", "one").unwrap();
    let mut second = Image::new();
    second.add_file("/d/f", 0o755, &b"data"[..], "two").unwrap();
    second.add_hardlink("/d/g", "/d/f", "two").unwrap();
    second.add_dir("/d", 0o700, "two").unwrap();
    assert_eq!(archive(&first), archive(&second));
}

#[test]
fn a_conflict_names_both_wanters() {
    let mut image = Image::new();
    image.add_file("/f", 0o644, &b"x"[..], "package one").unwrap();
    image.add_file("/f", 0o644, &b"x"[..], "package two").unwrap();
    let text = image
        .add_file("/f", 0o644, &b"y"[..], "package three")
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("package one") && text.contains("package three"),
        "{text}"
    );
    assert!(image.add_dir("/f", 0o755, "package four").is_err());
}

#[test]
fn a_missing_file_names_who_wanted_it() {
    let text = Image::new()
        .add_file("/bin/x", 0o755, Path::new("/nonexistent/x"), "the unit x.service")
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("the unit x.service") && text.contains("/nonexistent/x"),
        "{text}"
    );
}

#[test]
fn a_path_below_a_link_lands_where_the_link_points() {
    let mut image = Image::new();
    image.add_symlink("/lib", "usr/lib", "usr-merge").unwrap();
    image.add_file("/lib/a/b", 0o644, &b"x"[..], "test").unwrap();
    image.add_dir("/lib", 0o755, "test").unwrap();
    assert_eq!(
        paths(&image),
        ["lib", "usr", "usr/lib", "usr/lib/a", "usr/lib/a/b"]
    );
    assert!(image.get("/lib/a/b").is_some());
}

#[test]
fn nothing_goes_outside_or_below_a_file() {
    let mut image = Image::new();
    for path in ["x", "/", "/../x", "/a/../../x", ""] {
        assert!(
            matches!(image.add_dir(path, 0o755, "test"), Err(Error::BadPath { .. })),
            "{path:?}"
        );
    }
    image.add_file("/f", 0o644, &b"x"[..], "first").unwrap();
    let text = image
        .add_file("/f/g", 0o644, &b"x"[..], "second")
        .unwrap_err()
        .to_string();
    assert!(text.contains("first") && text.contains("second"), "{text}");
    image.add_symlink("/loop", "loop", "test").unwrap();
    assert!(image.add_dir("/loop/x", 0o755, "test").is_err());
}

#[test]
fn hard_links_share_a_number_and_the_last_carries_the_data() {
    let mut image = Image::new();
    image.add_file("/m", 0o755, &b"data"[..], "test").unwrap();
    image.add_hardlink("/a", "/m", "test").unwrap();
    image.add_hardlink("/z", "/a", "test").unwrap();
    let records = cpio::read(&archive(&image)).unwrap();
    let inos: Vec<u32> = records.iter().map(|record| record.header.ino).collect();
    assert_eq!(inos, [1, 1, 1]);
    assert!(records.iter().all(|record| record.header.nlink == 3));
    let data: Vec<&[u8]> = records.iter().map(|record| record.data.as_slice()).collect();
    assert_eq!(data, [&b""[..], b"", b"data"]);
    assert!(matches!(
        image.add_hardlink("/q", "/none", "test"),
        Err(Error::LinkTarget { .. })
    ));
}

#[test]
fn owners_devices_and_links_are_in_the_archive() {
    let mut image = Image::new();
    image
        .add_device("/dev/null", 0o666, Device::character(1, 3), "test")
        .unwrap();
    image.add_dir("/var/www", 0o750, "test").unwrap();
    image.set_owner("/var/www", 33, 34).unwrap();
    image.add_symlink("/l", "target", "test").unwrap();
    let records = cpio::read(&archive(&image)).unwrap();
    let find = |name: &str| records.iter().find(|record| record.header.name == name).unwrap();
    let null = &find("dev/null").header;
    assert_eq!((null.mode, null.device), (cpio::S_IFCHR | 0o666, (1, 3)));
    let www = &find("var/www").header;
    assert_eq!((www.mode, www.uid, www.gid), (cpio::S_IFDIR | 0o750, 33, 34));
    assert_eq!(find("l").data, b"target");
}

#[test]
fn the_list_of_an_image_and_of_its_archive_agree() {
    let mut image = Image::new();
    image.add_file("/d/f", 0o4755, &b"12345"[..], "me").unwrap();
    image.add_symlink("/l", "d", "me").unwrap();
    image
        .add_device("/n", 0o600, Device::character(5, 1), "me")
        .unwrap();
    let mut ours = image.list();
    assert_eq!(ours.total, 5);
    assert!(ours.rows.iter().all(|row| row.reason == "me"));
    for row in &mut ours.rows {
        row.reason.clear();
    }
    assert_eq!(Listing::of_archive(&cpio::read(&archive(&image)).unwrap()), ours);
}

#[test]
fn unpacking_makes_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let mut image = Image::new();
    image.add_dir("/tmp", 0o1777, "test").unwrap();
    image.add_dir("/locked", 0o555, "test").unwrap();
    image.add_file("/locked/f", 0o640, &b"x"[..], "test").unwrap();
    image.add_hardlink("/a", "/locked/f", "test").unwrap();
    image.add_symlink("/l", "locked/f", "test").unwrap();
    image
        .add_device("/null", 0o666, Device::character(1, 3), "test")
        .unwrap();
    image.unpack(dir.path(), Devices::Skip).unwrap();
    let meta = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap();
    assert_eq!(meta("tmp").permissions().mode() & 0o7777, 0o1777);
    assert_eq!(meta("locked").permissions().mode() & 0o7777, 0o555);
    assert_eq!(meta("a").ino(), meta("locked/f").ino());
    assert_eq!(meta("l").len(), 1);
    assert!(!dir.path().join("null").exists());
    // So that the directory can be removed again by a caller who is not root.
    std::fs::set_permissions(dir.path().join("locked"), PermissionsExt::from_mode(0o755)).unwrap();
}

use std::path::Path;
