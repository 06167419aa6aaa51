use super::*;
use std::path::Path;

/// The smallest relocatable ELF file with a `.modinfo` section.
fn module(modinfo: &str) -> Vec<u8> {
    let names = b"\0.modinfo\0.shstrtab\0";
    let names_at = 64 + modinfo.len();
    let sections_at = (names_at + names.len()).next_multiple_of(8);
    let mut out = vec![0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    out.extend(1u16.to_le_bytes());
    out.extend(62u16.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend([0; 16]);
    out.extend((sections_at as u64).to_le_bytes());
    out.extend(0u32.to_le_bytes());
    for half in [64u16, 0, 0, 64, 3, 2] {
        out.extend(half.to_le_bytes());
    }
    out.extend(modinfo.as_bytes());
    out.extend(names);
    out.resize(sections_at, 0);
    let mut section = |name: u32, kind: u32, offset: usize, size: usize| {
        out.extend(name.to_le_bytes());
        out.extend(kind.to_le_bytes());
        for word in [0, 0, offset as u64, size as u64, 0, 1, 0] {
            let bytes: [u8; 8] = u64::to_le_bytes(word);
            out.extend(bytes);
        }
        // sh_link and sh_info are one word of the seven above.
    };
    section(0, 0, 0, 0);
    section(1, 1, 64, modinfo.len());
    section(10, 3, names_at, names.len());
    out
}

fn put(dir: &Path, path: &str, data: &[u8]) {
    let path = dir.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, data).unwrap();
}

fn fixture() -> tempfile::TempDir {
    let top = tempfile::tempdir().unwrap();
    let dir = top.path().join("6.1.0-test");
    put(
        &dir,
        "kernel/a/virtio-net.ko",
        &module("license=GPL\0depends=virtio,net-failover\0"),
    );
    put(
        &dir,
        "kernel/a/net_failover.ko",
        &module("depends=failover\0name=net_failover\0"),
    );
    put(&dir, "kernel/b/failover.ko", &module("depends=\0"));
    put(&dir, "kernel/b/virtio.ko", &module("depends=virtio_ring\0"));
    put(&dir, "modules.builtin", b"kernel/b/virtio-ring.ko\n");
    top
}

fn names(closure: &Closure) -> Vec<&str> {
    closure
        .modules
        .iter()
        .map(|module| module.name.as_str())
        .collect()
}

#[test]
fn each_module_comes_after_what_it_depends_on() {
    let top = fixture();
    let tree = ModuleTree::open(&top.path().join("6.1.0-test")).unwrap();
    let closure = tree
        .closure([("virtio_net", "the network"), ("failover", "again")])
        .unwrap();
    assert_eq!(
        names(&closure),
        ["virtio", "failover", "net_failover", "virtio_net"]
    );
    assert_eq!(closure.builtin, ["virtio_ring"]);
    assert!(
        closure
            .load_order()
            .ends_with("/usr/lib/modules/6.1.0-test/kernel/a/virtio-net.ko\n")
    );
    assert_eq!(
        closure.modules[1].wanted_by,
        "module net_failover (module virtio_net (the network))"
    );
}

#[test]
fn a_dash_in_a_name_is_an_underscore() {
    let top = fixture();
    let tree = ModuleTree::open(&top.path().join("6.1.0-test")).unwrap();
    assert_eq!(
        tree.closure([("virtio-net", "x")]).unwrap(),
        tree.closure([("virtio_net", "x")]).unwrap()
    );
    assert!(tree.has("virtio-ring") && tree.has("net-failover") && !tree.has("9p"));
}

#[test]
fn an_unknown_module_names_who_wanted_it() {
    let top = fixture();
    let dir = top.path().join("6.1.0-test");
    put(&dir, "kernel/c.ko", &module("depends=lost\0"));
    let tree = ModuleTree::open(&dir).unwrap();
    let text = tree
        .closure([("9p", "the option --share")])
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("9p") && text.contains("--share") && text.contains("6.1.0-test"),
        "{text}"
    );
    let text = tree.closure([("c", "me")]).unwrap_err().to_string();
    assert!(text.contains("lost") && text.contains("module c (me)"), "{text}");
}

#[test]
fn a_ring_is_an_error() {
    let top = fixture();
    let dir = top.path().join("6.1.0-test");
    put(&dir, "kernel/x.ko", &module("depends=y\0"));
    put(&dir, "kernel/y.ko", &module("depends=x\0"));
    let tree = ModuleTree::open(&dir).unwrap();
    assert!(matches!(tree.closure([("x", "me")]), Err(Error::Ring { ring }) if ring == "x, y, x"));
}

#[test]
fn the_map_of_depmod_is_used_where_it_is() {
    let top = fixture();
    let dir = top.path().join("6.1.0-test");
    put(
        &dir,
        "modules.dep",
        b"kernel/b/failover.ko: kernel/b/virtio.ko\nkernel/b/virtio.ko:\n",
    );
    let tree = ModuleTree::open(&dir).unwrap();
    assert_eq!(
        names(&tree.closure([("failover", "me")]).unwrap()),
        ["virtio", "failover"]
    );
}

#[test]
fn compressed_modules_come_out_plain() {
    let top = fixture();
    let dir = top.path().join("6.1.0-test");
    let plain = module("depends=\0");
    put(&dir, "kernel/z.ko.zst", &zstd::encode_all(&plain[..], 3).unwrap());
    let mut xz = Vec::new();
    lzma_rs::xz_compress(&mut &plain[..], &mut xz).unwrap();
    put(&dir, "kernel/w.ko.xz", &xz);
    let tree = ModuleTree::open(&dir).unwrap();
    let closure = tree.closure([("z", "me"), ("w", "me")]).unwrap();
    assert!(closure.modules.iter().all(|module| module.data == plain));
    assert_eq!(
        closure.modules[0].guest_path,
        "/usr/lib/modules/6.1.0-test/kernel/z.ko"
    );
}

#[test]
fn what_is_no_module_is_an_error_that_names_the_file() {
    let top = fixture();
    let dir = top.path().join("6.1.0-test");
    put(&dir, "kernel/bad.ko", b"not an ELF file at all");
    let text = ModuleTree::open(&dir)
        .unwrap()
        .closure([("bad", "me")])
        .unwrap_err()
        .to_string();
    assert!(text.contains("kernel/bad.ko"), "{text}");
}
