//! Chooses what runs the guest's instructions.
//!
//! `/dev/kvm` that opens proves little: hosts that are virtual machines themselves sometimes offer it and
//! then hang every guest. So KVM is believed only after a guest kernel has printed its first line under it,
//! and the verdict is kept for this host, kernel and QEMU.

mod verdict;

use crate::machine::{Accel, Machine};
use crate::run::Vm;
use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;
pub use verdict::Verdict;

/// How long a kernel may take to print its first line under KVM; where KVM works it takes a tenth of this.
const PROBE_TIME: Duration = Duration::from_secs(5);

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// KVM if it is proven to work, else the emulator.
    Auto,
    /// This one, without a question.
    Exactly(Accel),
}

impl std::str::FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Exactly(Accel::Kvm)),
            "tcg" => Ok(Self::Exactly(Accel::Tcg)),
            other => Err(format!("{other:?} is none of auto, kvm, tcg")),
        }
    }
}

/// What was taken, and why, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What was taken.
    pub accel: Accel,
    /// Why.
    pub reason: String,
}

/// Chooses for `kernel`; verdicts are kept in the file `cache`. `note` is told before a probe begins.
pub fn choose(wish: Wish, kernel: &Path, cache: &Path, note: impl FnOnce(&str)) -> Choice {
    let choice = |accel, reason: &str| Choice {
        accel,
        reason: reason.to_owned(),
    };
    if let Wish::Exactly(accel) = wish {
        return choice(accel, "asked for");
    }
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        return choice(Accel::Tcg, &format!("/dev/kvm cannot be opened: {error}"));
    }
    let key = verdict::key(kernel);
    if let Some(known) = verdict::load(cache, &key) {
        return choice(
            known.accel,
            &format!("{} (found in an earlier run)", known.reason),
        );
    }
    note("checking whether KVM runs a guest here");
    let verdict = probe(kernel);
    // Without the cache the next run checks again; no reason to fail this one.
    if let Err(error) = verdict::store(cache, &key, &verdict) {
        note_cache(&error);
    }
    Choice {
        accel: verdict.accel,
        reason: verdict.reason,
    }
}

fn note_cache(error: &std::io::Error) {
    eprintln!("The verdict on KVM cannot be kept ({error}); the next run will check again.");
}

/// Boots the kernel under KVM with nothing else, and looks for its first line.
fn probe(kernel: &Path) -> Verdict {
    // The kernel is to speak before its drivers run, and has no root file system: it ends by itself.
    let machine = Machine::builder(kernel)
        .accel(Accel::Kvm)
        .memory_mb(256)
        .append("earlyprintk=ttyS0");
    let spoke = Vm::boot(&machine).and_then(|vm| vm.wait_kernel(PROBE_TIME));
    match spoke {
        Ok(()) => Verdict {
            accel: Accel::Kvm,
            reason: "a guest kernel runs under KVM".to_owned(),
        },
        Err(crate::error::VmError::Timeout { .. }) => Verdict {
            accel: Accel::Tcg,
            reason: format!(
                "/dev/kvm opens, but a guest kernel printed nothing under it for {} s",
                PROBE_TIME.as_secs()
            ),
        },
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Verdict {
                accel: Accel::Tcg,
                reason: format!("no guest starts under KVM: {first}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_taken_without_a_probe() {
        let nowhere = Path::new("/nonexistent");
        let choice = choose(Wish::Exactly(Accel::Kvm), nowhere, nowhere, |_| panic!("probed"));
        assert_eq!(choice.accel, Accel::Kvm);
    }
}
