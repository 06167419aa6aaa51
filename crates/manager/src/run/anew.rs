//! A boot in the middle of life: the state is lost, but descriptors are open and services run.

use std::os::fd::OwnedFd;

use fdstore::FdStore;
use softboot_sys::signals::SignalFd;
use softboot_unit::{JobMode, UnitName};
use tracing::error;

use super::begin::prepare;
use super::{Facts, Manager};
use crate::journal::{Start, Tries, Trust};
use crate::owner;

/// With more crashes than this in a minute nothing is started.
const SAFE_BOOTS: u32 = 10;

/// What is left when nobody can go on from what the program before has left.
pub(crate) struct Lost {
    /// Why.
    pub(crate) reason: String,
    /// Descriptors need no state to be what they are, beside the list of them.
    store: Box<FdStore>,
    /// Those that are on no list.
    pub(crate) left_open: Vec<OwnedFd>,
    /// The crashes, and what another program needs to try again until this one has a journal.
    tries: Option<Box<(Tries, Vec<OwnedFd>)>>,
}

impl Lost {
    /// There is no list of the descriptors either.
    pub(crate) fn the_list(reason: String, left_open: Vec<OwnedFd>) -> Lost {
        Lost::the_state(reason, FdStore::new(), left_open)
    }

    /// All but the descriptors.
    pub(crate) fn the_state(reason: String, store: FdStore, left_open: Vec<OwnedFd>) -> Lost {
        Lost {
            reason,
            store: Box::new(store),
            left_open,
            tries: None,
        }
    }

    /// After these crashes.
    pub(crate) fn with(self, tries: (Tries, Vec<OwnedFd>)) -> Lost {
        let tries = Some(Box::new(tries));
        Lost { tries, ..self }
    }
}

/// Boots with what is left.
pub(super) fn boot_anew(facts: Facts, signals: SignalFd, lost: Lost) -> Result<Manager, String> {
    if let Some(tries) = &lost.tries
        && tries.0.trust() == Trust::GiveUp
    {
        return Err(format!("{}, and so have new boots", lost.reason));
    }
    error!(
        "the state of the program before cannot be taken over, booting anew with its descriptors: {}",
        lost.reason
    );
    let owner::Salvaged {
        store,
        mut ports,
        sockets,
    } = owner::salvage(*lost.store);
    ports.extend(lost.left_open);
    let mut manager = prepare(facts, signals, store, ports)?;
    manager.recorder.anew = true;
    if let Some(tries) = lost.tries {
        let (tries, held) = *tries;
        manager.recorder.crashed(&tries, held);
    }
    crate::fault::place("boot");
    manager.begin_journal(Start::Nothing);
    manager.look_for_unclaimed();
    manager.start_what_there_was(&sockets);
    Ok(manager)
}

impl Manager {
    /// As far as anybody can tell. After too many crashes only what runs, or what somebody needs to look into it, and after
    /// still more nothing.
    fn start_what_there_was(&mut self, sockets: &[UnitName]) {
        let crashes = self.recorder.crashes();
        if !self.recorder.safe_mode() {
            self.request_default();
            self.request_unclaimed(sockets);
        } else {
            self.enter_safe_mode();
            if crashes > SAFE_BOOTS {
                error!("{crashes} crashes in a minute: nothing is started but what somebody asks for");
            } else {
                // Sockets of nobody's that runs are open as well.
                let what = match self.request_unclaimed(sockets) {
                    true => "sockets.target",
                    false => "emergency.target",
                };
                if let Ok(unit) = UnitName::new(what) {
                    self.load_units(std::slice::from_ref(&unit));
                    self.start_own(unit, JobMode::Fail);
                }
            }
        }
        self.tell_stored();
    }
}
