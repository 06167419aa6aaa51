//! The new program's side.

use std::time::Instant;

use super::{VARIABLE, Word};
use crate::inherit::Inherited;
use crate::transfer::wire::{Line, sending, short};
use crate::transfer::{Receiver, TransferError};

/// Why the store of the program before this one was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SuccessorError {
    /// The variable has another form.
    #[error("{VARIABLE}={0:?} is not NUMBER:PID")]
    Variable(String),
    /// The socket is not there.
    #[error("{VARIABLE} names descriptor {0}, which is not open or was taken before")]
    Closed(i32),
    /// The transfer failed.
    #[error(transparent)]
    Transfer(#[from] TransferError),
}

/// This program's line to the one that started it. Dropped without a word, it tells the old program nothing; that one
/// learns that this one has ended when it ends.
#[derive(Debug)]
pub struct Successor {
    line: Line,
}

impl Successor {
    /// Takes the store over from the program that started this one with [`super::Upgrade::start`]; `None` when this
    /// program was started in another way. Waits for it until `deadline`.
    ///
    /// Call it early in `main`, before the program opens descriptors of its own.
    pub fn from_env(deadline: Option<Instant>) -> Result<Option<(Inherited, Successor)>, SuccessorError> {
        let Some(value) = std::env::var_os(VARIABLE) else {
            return Ok(None);
        };
        let text = value.to_string_lossy();
        let parsed = text
            .split_once(':')
            .and_then(|(number, pid)| Some((number.parse::<i32>().ok()?, pid.parse::<i32>().ok()?)));
        let Some((number, pid)) = parsed else {
            return Err(SuccessorError::Variable(text.into_owned()));
        };
        // The variable is inherited by this program's own children, for whom it is not meant.
        if rustix::process::getppid().is_none_or(|parent| parent.as_raw_nonzero().get() != pid) {
            return Ok(None);
        }
        let socket = softboot_sys::inherited::take([number])
            .ok()
            .and_then(|mut taken| taken.remove(&number))
            .ok_or(SuccessorError::Closed(number))?;
        let mut receiver = Receiver::new(socket)?;
        receiver.run(deadline)?;
        let (line, inherited) = receiver.into_parts();
        Ok(Some((inherited, Successor { line })))
    }

    /// Tells the old program that this one serves now: it stops accepting, and ends when it is done.
    pub fn ready(self) -> Result<(), TransferError> {
        self.line.send(&Word::Ready {}, &[]).map_err(sending)
    }

    /// Tells the old program to go on, and why. This program should end.
    pub fn failed(self, reason: &str) -> Result<(), TransferError> {
        let reason = short(reason);
        self.line.send(&Word::Failed { reason }, &[]).map_err(sending)
    }
}
