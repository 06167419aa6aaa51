//! Signals: HUP reads the configuration again, TERM and INT end.

use rustix::time::{ClockId, clock_gettime};

use super::Daemon;
use crate::config::Config;
use fdstore::notify::Message;

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;
const SIGTERM: i32 = 15;
/// More than one wake-up has to take; the rest comes with the next.
const BATCH: usize = 32;

impl Daemon {
    pub(super) fn receive_signals(&mut self) {
        for _ in 0..BATCH {
            match self.signals.read() {
                Ok(Some(info)) => match info.signal {
                    SIGHUP => self.reload(),
                    SIGINT | SIGQUIT | SIGTERM => self.ended_by = Some(info.signal),
                    _ => {}
                },
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
        self.tell_manager(&[("RELOADING", "1"), ("MONOTONIC_USEC", &monotonic_usec())]);
        match Config::load(self.options.config.as_deref()) {
            Ok(config) => {
                self.config = config;
                tracing::info!("the configuration is read again");
                self.raise_limit();
                self.tell_manager(&[("READY", "1"), ("STATUS", "")]);
            }
            Err(error) => {
                tracing::error!("{error}; the configuration from before stays");
                let status = format!("configuration not reloaded: {error}");
                self.tell_manager(&[("READY", "1"), ("STATUS", &status)]);
            }
        }
    }

    fn tell_manager(&self, assignments: &[(&str, &str)]) {
        let Some(manager) = &self.manager else { return };
        let message = assignments
            .iter()
            .fold(Message::new(), |message, (key, value)| message.with(key, value));
        if let Err(error) = manager.send(&message, &[]) {
            tracing::warn!("telling the manager: {error}");
        }
    }
}

fn monotonic_usec() -> String {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let micros = u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000;
    seconds
        .saturating_mul(1_000_000)
        .saturating_add(micros)
        .to_string()
}
