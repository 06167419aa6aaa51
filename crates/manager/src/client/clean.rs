//! `Clean`.

use softboot_control::api::{ApiError, Empty};
use softboot_engine::{Event, JobResult, RequestId};
use softboot_unit::{Cleanable, UnitName};

use super::Waiting;
use crate::run::Manager;

impl Manager {
    /// Removes what a unit that is not running leaves behind (semantics 3.8, 8.2); the answer comes when it is gone.
    pub(super) fn clean_unit(&mut self, client: u64, name: &str, what: &[String]) {
        let (name, what) = match self.try_clean(name, what) {
            Ok(known) => known,
            Err(error) => return self.reply_error(client, &error),
        };
        let request = self.next_request();
        let unit = name.clone();
        self.clients
            .set_waiting(client, Some(Waiting::Clean { request, unit }));
        self.feed(Event::Clean {
            request,
            unit: name,
            what,
        });
    }

    fn try_clean(&mut self, name: &str, what: &[String]) -> Result<(UnitName, Vec<Cleanable>), ApiError> {
        let what = Cleanable::parse(what).map_err(|word| {
            let known: Vec<&str> = Cleanable::ALL.iter().map(|kind| kind.word()).collect();
            let message = format!(
                "{word:?} cannot be cleaned; what can be: {}, all",
                known.join(", ")
            );
            ApiError::Failed { message }
        })?;
        let unit = self.find_or_load(name)?;
        let known = self.engine.name(unit).cloned();
        let gone = || ApiError::Failed {
            message: format!("{name} is gone"),
        };
        Ok((known.ok_or_else(gone)?, what))
    }

    /// It is over, or was never begun.
    pub(super) fn clean_done(&mut self, client: u64, unit: &UnitName, result: JobResult) {
        let message = match result {
            JobResult::Done => return self.finish(client, &Empty {}),
            JobResult::Timeout => {
                format!("{unit}: cleaning took longer than TimeoutCleanSec=; what is left stays")
            }
            JobResult::Canceled => format!("{unit}: a stop ended the cleaning; what is left stays"),
            _ => format!("{unit}: not all could be removed; `softctl logs {unit}` says what and why"),
        };
        self.finish_error(client, &ApiError::Failed { message });
    }

    /// The client that waits for it is gone; it goes on.
    pub(super) fn clean_dropped(&mut self, request: RequestId) {
        self.feed(Event::RequestDropped(request));
    }
}
