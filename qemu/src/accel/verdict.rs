//! The cache of verdicts on KVM: a JSON object from what the verdict depends on to the verdict.

use crate::machine::{Accel, Arch};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::UNIX_EPOCH;

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What to take.
    pub accel: Accel,
    /// Why, for the user.
    pub reason: String,
}

/// All that a verdict depends on: the host (its id, processor and kernel), the guest's kernel, QEMU.
pub(super) fn key(kernel: &Path) -> String {
    let first_line = |path: &str, wanted: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .find(|line| line.contains(wanted))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let stamp = std::fs::metadata(kernel).map(|meta| {
        let modified = meta
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        format!(
            "{} bytes of {}",
            meta.len(),
            modified.unwrap_or_default().as_secs()
        )
    });
    let qemu = Command::new(Arch::X86_64.qemu()).arg("--version").output();
    let qemu = qemu.map(|output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    [
        first_line("/etc/machine-id", ""),
        first_line("/proc/cpuinfo", "model name"),
        first_line("/proc/sys/kernel/osrelease", ""),
        kernel.display().to_string(),
        stamp.unwrap_or_default(),
        qemu.unwrap_or_default(),
    ]
    .join(" | ")
}

/// The verdict for `key`, if the cache has one; an unreadable cache has none.
pub(super) fn load(cache: &Path, key: &str) -> Option<Verdict> {
    all(cache).remove(key)
}

/// Keeps a verdict.
pub(super) fn store(cache: &Path, key: &str, verdict: &Verdict) -> io::Result<()> {
    let mut verdicts = all(cache);
    verdicts.insert(key.to_owned(), verdict.clone());
    if let Some(directory) = cache.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(cache, serde_json::to_vec_pretty(&verdicts)?)
}

fn all(cache: &Path) -> BTreeMap<String, Verdict> {
    let text = std::fs::read(cache).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_kept_for_its_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("deep/accel.json");
        let verdict = Verdict {
            accel: Accel::Tcg,
            reason: "it hangs".into(),
        };
        assert_eq!(load(&cache, "a"), None);
        store(&cache, "a", &verdict).unwrap();
        store(
            &cache,
            "b",
            &Verdict {
                accel: Accel::Kvm,
                ..verdict.clone()
            },
        )
        .unwrap();
        assert_eq!(load(&cache, "a"), Some(verdict));
        assert_eq!(load(&cache, "c"), None);
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("accel.json");
        std::fs::write(&cache, "{").unwrap();
        assert_eq!(load(&cache, "a"), None);
    }
}
