//! `--wait` of verbs that start units.

use std::collections::BTreeSet;

use softboot_control::api::{EventReply, Request, SubscribeRequest, UnitInfo};

use super::session::Session;
use crate::error::Error;
use crate::exit;

/// Waits until each of the units is down again; the code says whether one has failed.
pub(super) fn until_down(session: &mut Session, units: Vec<String>) -> Result<u8, Error> {
    if units.is_empty() {
        return Ok(exit::OK);
    }
    let mut looker = Session::open(session.out)?;
    let mut waiting = Waiting::of(&units);
    let subscription = Request::Subscribe(SubscribeRequest { units });
    let mut subscribed = false;
    session.call_more("waiting for the end", &subscription, |event: EventReply| {
        if !std::mem::replace(&mut subscribed, true) {
            // From the first reply on nothing is missed; what had happened by then is looked at.
            for name in waiting.left.clone() {
                match looker.unit(&name) {
                    Ok(reply) => waiting.take(&reply.unit),
                    Err(_) => waiting.is_gone(&name),
                }
            }
        } else if let Some(unit) = &event.unit {
            waiting.take(unit);
        }
        !waiting.left.is_empty()
    })?;
    Ok(waiting.code)
}

/// Units that are still up.
#[derive(Debug)]
struct Waiting {
    left: BTreeSet<String>,
    code: u8,
}

impl Waiting {
    fn of(units: &[String]) -> Waiting {
        Waiting {
            left: units.iter().cloned().collect(),
            code: exit::OK,
        }
    }

    fn take(&mut self, unit: &UnitInfo) {
        let failed = match unit.active.as_str() {
            "failed" => true,
            "inactive" => false,
            _ => return,
        };
        if self.left.remove(&unit.name) && failed {
            self.code = exit::FAILURE;
        }
    }

    fn is_gone(&mut self, name: &str) {
        self.left.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_when_the_last_is_down_and_a_failure_is_not_forgotten() {
        let unit = |name: &str, active: &str| UnitInfo {
            name: name.to_owned(),
            active: active.to_owned(),
            ..UnitInfo::default()
        };
        let mut waiting = Waiting::of(&["a.service".to_owned(), "b.service".to_owned()]);
        for (name, active, left) in [
            ("a.service", "active", 2),
            ("a.service", "deactivating", 2),
            ("c.service", "failed", 2),
            ("a.service", "failed", 1),
            ("b.service", "inactive", 0),
        ] {
            waiting.take(&unit(name, active));
            assert_eq!(waiting.left.len(), left, "{name} {active}");
        }
        assert_eq!(waiting.code, exit::FAILURE);
    }
}
