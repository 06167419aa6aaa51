//! What each call does.

mod get;
mod put;

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use fdstore::{Entry, EntryId, FdName, boottime_usec};
use serde::Serialize;
use serde_json::{Value, json};
use softboot_varlink::descriptors::FdCall;

use super::Daemon;
use super::watch::Watch;
use crate::api::{
    ALL_OWNERS, ApiError, DESCRIPTION, EntryInfo, Event, INTERFACE, ListReply, PAGE, RemoveReply, Request,
    SERVICE, SERVICE_DESCRIPTION, WatchReply, owner_of, uid_of,
};
use crate::config::{Subject, Verb};
use crate::pattern::Pattern;

/// What becomes of a call.
enum Answer {
    /// This is the reply.
    Reply(Value, Vec<OwnedFd>),
    /// Replies come later, or have been given.
    Later,
}

/// What a call is about: some names and ids of one owner.
struct Selection {
    owner: String,
    names: Vec<String>,
    ids: Vec<u64>,
}

impl Daemon {
    pub(super) fn answer(&mut self, id: u64, call: FdCall) {
        let result = match call.refusal {
            Some(refusal) => {
                self.closer.close(call.fds);
                Err(ApiError::BadDescriptor {
                    message: refusal.to_string(),
                })
            }
            None => match Request::decode(&call.call.method, call.call.parameters) {
                Ok(request) => {
                    let many = call.call.more && !call.call.oneway;
                    self.carry_out(id, request, many, call.fds)
                }
                Err(error) => {
                    self.closer.close(call.fds);
                    Err(error)
                }
            },
        };
        // What was done may have cost the client its place.
        let Some(client) = self.clients.get_mut(&id) else {
            if let Ok(Answer::Reply(_, fds)) = result {
                self.closer.close(fds);
            }
            return;
        };
        let sent = match result {
            Ok(Answer::Reply(parameters, fds)) => client.connection.reply(&parameters, fds),
            Ok(Answer::Later) => Ok(()),
            Err(error) => {
                let (name, parameters) = error.to_wire();
                client.connection.error(&name, &parameters)
            }
        };
        if let Err(error) = sent {
            self.drop_for(id, &error);
        }
    }

    fn carry_out(
        &mut self,
        id: u64,
        request: Request,
        many: bool,
        fds: Vec<OwnedFd>,
    ) -> Result<Answer, ApiError> {
        let who = match self.clients.get(&id) {
            Some(client) => client.subject(),
            None => return Ok(Answer::Later),
        };
        if let Request::Put { entries, owner } = request {
            return self.put(who, entries, owner.as_deref(), fds);
        }
        // No other call has any.
        self.closer.close(fds);
        match request {
            Request::GetInfo {} => reply(&json!({
                "vendor": "softboot",
                "product": "fdstored",
                "version": env!("CARGO_PKG_VERSION"),
                "url": "",
                "interfaces": [SERVICE, INTERFACE],
            })),
            Request::GetInterfaceDescription { interface } => match interface.as_str() {
                INTERFACE => reply(&json!({ "description": DESCRIPTION })),
                SERVICE => reply(&json!({ "description": SERVICE_DESCRIPTION })),
                _ => Err(ApiError::InterfaceNotFound { interface }),
            },
            Request::Put { .. } => Ok(Answer::Later),
            Request::Get {
                names,
                ids,
                take,
                owner,
            } => {
                let selection = self.selection(who, names, ids, owner.as_deref())?;
                self.get(id, who, &selection, take.unwrap_or(false))
            }
            Request::List {
                patterns,
                owner,
                after,
            } => self.list(who, patterns, owner.as_deref(), after),
            Request::Remove { names, ids, owner } => {
                let selection = self.selection(who, names, ids, owner.as_deref())?;
                self.remove(who, &selection)
            }
            Request::Watch { .. } if !many => Err(ApiError::ExpectedMore {}),
            Request::Watch { patterns, owner } => self.watch(id, who, patterns, owner.as_deref()),
            Request::Upgrade {} => self.begin_upgrade(id, who).map(|()| Answer::Later),
        }
    }

    /// Whose entries a call is about.
    fn owner(&self, who: Subject, given: Option<&str>) -> Result<String, ApiError> {
        let own = owner_of(who.uid);
        match given {
            None => Ok(own),
            Some(given) if given == own => Ok(own),
            Some(given) if uid_of(given).is_none() => Err(ApiError::parameter(
                "owner",
                format!("{given:?} is no owner; owners look like {own:?}"),
            )),
            Some(given) if who.uid == 0 => Ok(given.to_owned()),
            Some(given) => Err(ApiError::AccessDenied {
                message: format!("user {} may not act for {given}: only root may", who.uid),
            }),
        }
    }

    /// Whose entries somebody looks at; `None` for all.
    fn scope(&self, who: Subject, given: Option<&str>) -> Result<Option<String>, ApiError> {
        match given {
            Some(ALL_OWNERS) if who.uid == 0 => Ok(None),
            Some(ALL_OWNERS) => Err(ApiError::AccessDenied {
                message: format!("user {} may not look at all owners: only root may", who.uid),
            }),
            given => self.owner(who, given).map(Some),
        }
    }

    fn check(&self, who: Subject, verb: Verb, name: &str) -> Result<(), ApiError> {
        if self.config.access.allows(who, verb, name) {
            return Ok(());
        }
        Err(ApiError::AccessDenied {
            message: format!(
                "user {} may not {verb} {name:?}: no [[allow]] rule grants it",
                who.uid
            ),
        })
    }

    fn check_any(&self, who: Subject, verb: Verb) -> Result<(), ApiError> {
        if self.config.access.allows_any(who, verb) {
            return Ok(());
        }
        Err(ApiError::AccessDenied {
            message: format!("user {} may not {verb}: no [[allow]] rule grants it", who.uid),
        })
    }

    fn selection(
        &self,
        who: Subject,
        names: Option<Vec<String>>,
        ids: Option<Vec<u64>>,
        owner: Option<&str>,
    ) -> Result<Selection, ApiError> {
        let selection = Selection {
            owner: self.owner(who, owner)?,
            names: names.unwrap_or_default(),
            ids: ids.unwrap_or_default(),
        };
        if selection.names.is_empty() && selection.ids.is_empty() {
            return Err(ApiError::parameter("names", "neither names nor ids are given"));
        }
        Ok(selection)
    }

    /// The entries that are meant, oldest first. Each name and id has to be there, and to be allowed for each verb.
    fn select(
        &self,
        who: Subject,
        selection: &Selection,
        verbs: &[Verb],
    ) -> Result<BTreeSet<EntryId>, ApiError> {
        let missing = |name: String| ApiError::NoSuchEntry { name };
        let names: BTreeSet<&str> = selection.names.iter().map(String::as_str).collect();
        for name in &names {
            FdName::new(name).map_err(|error| ApiError::parameter("names", error.to_string()))?;
            // First of all: who may not ask does not learn whether it is there.
            verbs.iter().try_for_each(|verb| self.check(who, *verb, name))?;
        }
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        if !names.is_empty() {
            for entry in self.store.entries_of(&selection.owner) {
                if let Some(name) = names.get(entry.name().as_str()) {
                    found.insert(entry.id());
                    seen.insert(*name);
                }
            }
        }
        if let Some(name) = names.difference(&seen).next() {
            return Err(missing(format!("{name:?}")));
        }
        for id in &selection.ids {
            let entry = self
                .store
                .entry(EntryId(*id))
                .filter(|entry| entry.owner() == selection.owner)
                .ok_or_else(|| missing(format!("with the id {id}")))?;
            verbs
                .iter()
                .try_for_each(|verb| self.check(who, *verb, entry.name().as_str()))?;
            found.insert(entry.id());
        }
        Ok(found)
    }

    fn list(
        &self,
        who: Subject,
        patterns: Option<Vec<String>>,
        owner: Option<&str>,
        after: Option<u64>,
    ) -> Result<Answer, ApiError> {
        let scope = self.scope(who, owner)?;
        self.check_any(who, Verb::List)?;
        let patterns = to_patterns(patterns);
        let after = EntryId(after.unwrap_or(0));
        let fits = |entry: &&Entry| {
            let name = entry.name().as_str();
            entry.id() > after
                && (patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name)))
                && self.config.access.allows(who, Verb::List, name)
        };
        let entries: Box<dyn Iterator<Item = &Entry>> = match &scope {
            Some(owner) => Box::new(self.store.entries_of(owner)),
            None => Box::new(self.store.entries()),
        };
        // A quarter of what may wait for one client, so that a page is never what gets it dropped.
        let room = self.config.limits.unsent_bytes / 4;
        let mut used = 0_usize;
        let mut page = Vec::new();
        let mut next = None;
        for entry in entries.filter(fits) {
            let info = EntryInfo::from(entry);
            let length = serde_json::to_vec(&info).map_or(0, |bytes| bytes.len());
            if page.len() >= PAGE || (!page.is_empty() && used.saturating_add(length) > room) {
                next = page.last().map(|last: &EntryInfo| last.id);
                break;
            }
            used = used.saturating_add(length);
            page.push(info);
        }
        reply(&ListReply { entries: page, next })
    }

    fn remove(&mut self, who: Subject, selection: &Selection) -> Result<Answer, ApiError> {
        let ids = self.select(who, selection, &[Verb::Remove])?;
        let mut removed: u64 = 0;
        for id in ids {
            if let Some(entry) = self.store.detach(id) {
                self.let_go(entry, Event::Removed);
                removed = removed.saturating_add(1);
            }
        }
        reply(&RemoveReply { removed })
    }

    fn watch(
        &mut self,
        id: u64,
        who: Subject,
        patterns: Option<Vec<String>>,
        owner: Option<&str>,
    ) -> Result<Answer, ApiError> {
        let owner = self.scope(who, owner)?;
        self.check_any(who, Verb::Watch)?;
        let Some(client) = self.clients.get_mut(&id) else {
            return Ok(Answer::Later);
        };
        client.watch = Some(Watch {
            patterns: to_patterns(patterns),
            owner,
        });
        let ready = WatchReply {
            event: Event::Ready,
            entry: None,
        };
        match client.connection.reply_continues(&ready) {
            Ok(()) => drop(self.watchers.insert(id)),
            Err(error) => self.drop_for(id, &error),
        }
        Ok(Answer::Later)
    }

    /// When something that is stored now is to leave; 0 means never, nothing means the default.
    pub(super) fn expiry(&self, in_usec: Option<u64>) -> Option<u64> {
        let span = match in_usec {
            Some(0) => None,
            Some(span) => Some(span),
            None => self.config.default_expiry.map(crate::duration::usec),
        };
        span.map(|span| boottime_usec().saturating_add(span))
    }
}

fn to_patterns(texts: Option<Vec<String>>) -> Vec<Pattern> {
    texts
        .unwrap_or_default()
        .iter()
        .map(|text| Pattern::new(text))
        .collect()
}

fn reply(parameters: &impl Serialize) -> Result<Answer, ApiError> {
    Ok(Answer::Reply(encode(parameters), Vec::new()))
}

/// The types of the interface have text keys only: encoding them does not fail.
fn encode(parameters: &impl Serialize) -> Value {
    serde_json::to_value(parameters).unwrap_or_default()
}
