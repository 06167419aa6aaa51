//! Signals: HUP reads the configuration again, TERM and INT end.

use fdstore::notify::{Message, Notifier, NotifyError};
use rustix::process::Signal;

use super::Daemon;
use crate::config::Config;

/// More than one wake-up has to take; the rest comes with the next.
const BATCH: usize = 32;

impl Daemon {
    pub(super) fn receive_signals(&mut self) {
        for _ in 0..BATCH {
            match self.signals.read() {
                Ok(Some(info)) if info.signal == Signal::HUP.as_raw() => self.reload(),
                Ok(Some(info)) => {
                    let ends = [Signal::TERM, Signal::INT, Signal::QUIT].map(Signal::as_raw);
                    if ends.contains(&info.signal) {
                        self.ended_by = Some(info.signal);
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::error!("reading signals: {error}");
                    return;
                }
            }
        }
    }

    /// A configuration that is wrong changes nothing.
    fn reload(&mut self) {
        self.tell_manager(Notifier::reloading);
        match Config::load(self.options.config.as_deref()) {
            Ok(config) => {
                self.config = config;
                tracing::info!("the configuration is read again");
                self.raise_limit();
                self.tell_ready("");
            }
            Err(error) => {
                tracing::error!("{error}; the configuration from before stays");
                let status = format!("configuration not reloaded: {error}");
                self.tell_ready(&status);
            }
        }
    }

    fn tell_ready(&self, status: &str) {
        let message = Message::new().with("READY", "1").with("STATUS", status);
        self.tell_manager(|manager| manager.send(&message, &[]));
    }

    fn tell_manager(&self, tell: impl FnOnce(&Notifier) -> Result<(), NotifyError>) {
        if let Some(Err(error)) = self.manager.as_ref().map(tell) {
            tracing::warn!("telling the manager: {error}");
        }
    }
}
