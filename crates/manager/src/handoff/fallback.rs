//! What to go back to while a handoff is taken over.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use fdstore::FdStore;
use rustix::fs::{Mode, OFlags};
use softboot_sys::crash;
use tracing::error;

use super::commit::{PREVIOUS, command_line};
use crate::journal::{Tries, Trust};
use crate::run::Lost;

/// The variable with the number of the manifest.
pub(super) const MANIFEST: &str = "FDSTORE_HANDOFF";

/// Until this program is in charge a crash leads to the program before, with the same snapshot; if this is that program, to
/// itself, which believes less of it each time.
pub(crate) struct Fallback {
    goes_back: bool,
    tries: Tries,
    /// A duplicate of the manifest: taking the store over closes that, and nothing else that another try needs. Of this
    /// program also itself.
    held: Vec<OwnedFd>,
}

impl Fallback {
    /// From now on a crash, and a deadline that the program before has set, lead back. `None` when there is nothing to go
    /// back to.
    pub(crate) fn arm(inherited: &BTreeMap<i32, OwnedFd>) -> Option<Fallback> {
        let number = |variable: &str| std::env::var(variable).ok()?.parse::<i32>().ok();
        let manifest = inherited.get(&number(MANIFEST)?)?.try_clone().ok()?;
        inherited
            .values()
            .for_each(|fd| crash::note_descriptor(fd.as_fd()));
        crash::note_descriptor(manifest.as_fd());
        let before = number(PREVIOUS).and_then(|number| inherited.get(&number));
        if let Some(before) = before {
            arm(before.as_fd(), &manifest, None).ok()?;
            crash::await_deadline();
            return Some(Fallback {
                goes_back: true,
                tries: Tries::default(),
                held: vec![manifest],
            });
        }
        let tries = match std::env::var(crash::VARIABLE) {
            Ok(why) => Tries::after_crash(&why),
            Err(_) => Tries::default(),
        };
        let own = rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        arm(own.as_fd(), &manifest, Some(&tries)).ok()?;
        Some(Fallback {
            goes_back: false,
            tries,
            held: vec![manifest, own],
        })
    }

    /// How often it was tried.
    pub(crate) fn tries(&self) -> &Tries {
        &self.tries
    }

    /// What is left when this program must not try to take over once more.
    pub(crate) fn refuse(&self, inherited: BTreeMap<i32, OwnedFd>) -> Result<BTreeMap<i32, OwnedFd>, Lost> {
        let reason = || self.tries.reason();
        match self.tries.trust() {
            Trust::All | Trust::NotTheLastStep | Trust::NotTheQueue => Ok(inherited),
            Trust::Descriptors | Trust::Manifest => Err(descriptors(inherited, reason())),
            Trust::Nothing | Trust::GiveUp => {
                Err(Lost::the_list(reason(), inherited.into_values().collect()))
            }
        }
    }

    /// Taking over has failed. Goes back, if it can; else gives what is left, and the crashes.
    pub(crate) fn go_back(self, lost: Lost) -> Lost {
        if self.goes_back {
            // The program before knows better what to do with its state. It finds all descriptors: `lost` has them.
            let failed = crash::replace(&format!("it cannot take over: {}", lost.reason));
            error!("cannot go back to the program before: {failed}");
        }
        lost.with((self.tries, self.held))
    }
}

fn arm(program: BorrowedFd<'_>, manifest: &OwnedFd, tries: Option<&Tries>) -> io::Result<()> {
    let (argv, mut env) = command_line(&[]).map_err(io::Error::other)?;
    env.push(CString::new(format!("{MANIFEST}={}", manifest.as_raw_fd()))?);
    env.extend(tries.map(Tries::assignment).transpose()?);
    crash::arm(program, &argv, &env)
}

/// What came over without its state.
fn descriptors(inherited: BTreeMap<i32, OwnedFd>, reason: String) -> Lost {
    let number = std::env::var(MANIFEST).ok().and_then(|text| text.parse().ok());
    match FdStore::inherit(inherited, number.unwrap_or(-1)) {
        Ok(taken) => Lost::the_state(reason, taken.store, taken.unclaimed),
        Err(error) => {
            let reason = format!("{reason}; and {}", error.reason);
            Lost::the_list(reason, error.descriptors.into_values().collect())
        }
    }
}
