//! The connection, and the units that are meant.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use softboot_control::api::{ListUnitsReply, Request, UnitReply};
use softboot_control::client::Client;

use super::output::Output;
use crate::error::Error;
use crate::exit;
use crate::names;

/// One run of softctl.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    /// Where results go.
    pub(super) out: Output,
}

impl Session {
    pub(super) fn open(out: Output) -> Result<Session, Error> {
        let client = Client::connect_default().map_err(|error| Error::of_call("connecting", error))?;
        Ok(Session { client, out })
    }

    /// A call and its reply. `doing` names it in errors.
    pub(super) fn call<R: DeserializeOwned>(&mut self, doing: &str, request: &Request) -> Result<R, Error> {
        self.client
            .call(request)
            .map_err(|error| Error::of_call(doing, error))
    }

    /// A call with many replies.
    pub(super) fn call_more<R: DeserializeOwned>(
        &mut self,
        doing: &str,
        request: &Request,
        each: impl FnMut(R) -> bool,
    ) -> Result<(), Error> {
        self.client
            .call_more(request, each)
            .map_err(|error| Error::of_call(doing, error))
    }

    pub(super) fn unit(&mut self, name: &str) -> Result<UnitReply, Error> {
        self.call(
            &format!("looking at {name}"),
            &Request::GetUnit {
                name: name.to_owned(),
            },
        )
    }

    /// Full names of what was typed. A pattern stands for the loaded units it matches; that it matches none is
    /// reported and makes the second value false.
    pub(super) fn expand(&mut self, words: &[String]) -> Result<(Vec<String>, bool), Error> {
        let (mut units, mut all_found) = (Vec::new(), true);
        for word in words {
            let found = if names::is_pattern(word) {
                self.matching(word)?
            } else {
                vec![names::complete(word)]
            };
            if found.is_empty() {
                self.out.complain(&format!("no loaded unit matches {word:?}"));
                all_found = false;
            }
            units.extend(found);
        }
        let mut seen = HashSet::new();
        units.retain(|unit| seen.insert(unit.clone()));
        Ok((units, all_found))
    }

    fn matching(&mut self, pattern: &str) -> Result<Vec<String>, Error> {
        let request = Request::ListUnits {
            patterns: vec![pattern.to_owned()],
            all: true,
        };
        let reply: ListUnitsReply = self.call("list of units", &request)?;
        Ok(reply
            .units
            .into_iter()
            .filter(|unit| unit.load != "not-found")
            .map(|unit| unit.name)
            .collect())
    }

    /// Does something for each unit. A refusal is reported and the next unit has its turn; the first code that is
    /// not zero is the result. `none` is the code where a pattern matched nothing.
    pub(super) fn each(
        &mut self,
        words: &[String],
        none: u8,
        mut act: impl FnMut(&mut Session, &str) -> Result<u8, Error>,
    ) -> Result<u8, Error> {
        let (units, all_found) = self.expand(words)?;
        let mut result = if all_found { exit::OK } else { none };
        for unit in units {
            let code = match act(self, &unit) {
                Ok(code) => code,
                Err(error @ Error::Refused { .. }) => {
                    self.out.complain(&error.to_string());
                    exit::code_of(&error)
                }
                Err(error) => return Err(error),
            };
            if result == exit::OK {
                result = code;
            }
        }
        Ok(result)
    }
}
