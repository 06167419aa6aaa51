//! The console for a person, or for a script that stands in for one.

use super::state::State;
use super::terminal::{Keys, RawTerminal};
use super::vm::Vm;
use crate::error::VmError;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// After the end of a script's input, the console's silence that ends the run.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a guest may take to boot before a script's input is sent to its console.
const BOOT_TIME: Duration = Duration::from_secs(300);

const READING: u8 = 0;
const ENDED: u8 = 1;
const LEFT: u8 = 2;

impl Vm {
    /// Connects standard input to the guest's console until the guest powers off or the user types Ctrl-A X.
    /// The machine must have been made with an interactive console, which shows its output.
    ///
    /// Without a terminal the input is sent once the guest is ready, and the run ends five seconds after the
    /// console falls silent behind the end of the input, so that no run waits for keys that nobody will press.
    ///
    /// # Errors
    /// The machine failed or rebooted.
    pub fn interact(&self) -> Result<(), VmError> {
        let terminal = RawTerminal::new(std::io::stdin());
        if terminal.is_none() {
            self.wait_ready_count(1, BOOT_TIME)?;
        }
        let input = Arc::new(AtomicU8::new(READING));
        let (console, shared, flag) = (self.console.clone(), Arc::clone(&self.shared), Arc::clone(&input));
        let is_terminal = terminal.is_some();
        // Blocked in a read when the guest ends first; it then ends with the process.
        std::thread::spawn(move || {
            let mut keys = Keys::default();
            let mut buffer = [0; 1024];
            let mut end = ENDED;
            while let Ok(count @ 1..) = std::io::stdin().read(&mut buffer) {
                let bytes = buffer.get(..count).unwrap_or_default();
                // A script's bytes are its own; only a person can want to leave.
                let (bytes, leave) = if is_terminal {
                    keys.typed(bytes)
                } else {
                    (bytes.to_vec(), false)
                };
                console.send(bytes);
                if leave {
                    end = LEFT;
                    break;
                }
            }
            flag.store(end, Ordering::Release);
            shared.change(|_| ());
        });
        self.shared.wait("the guest to power off", None, |state| {
            let done = match input.load(Ordering::Acquire) {
                LEFT => true,
                ENDED => !is_terminal && console_silent(state),
                _ => false,
            };
            let off = state.stopped.as_deref() == Some("guest-shutdown");
            let off =
                off && state.exit.is_some() && state.console_closed && state.console.trouble().is_none();
            (done || off).then_some(())
        })
    }
}

fn console_silent(state: &State) -> bool {
    state.console_moved.elapsed() >= SILENCE
}
