//! Whose entries a call is about, which ones, and whether the rules allow it.

use std::collections::BTreeSet;

use fdstore::{EntryId, FdName};

use crate::api::{ALL_OWNERS, ApiError, owner_of, uid_of};
use crate::config::{Subject, Verb};
use crate::daemon::Daemon;
use crate::pattern::Pattern;

/// Most bytes of the patterns of one call.
const MAX_PATTERNS: usize = 1_024;

/// What a call is about: some names and ids of one owner.
pub(super) struct Selection {
    owner: String,
    names: Vec<String>,
    ids: Vec<u64>,
}

impl Daemon {
    /// Whose entries a call is about.
    pub(super) fn owner(&self, who: Subject, given: Option<&str>) -> Result<String, ApiError> {
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
    pub(super) fn scope(&self, who: Subject, given: Option<&str>) -> Result<Option<String>, ApiError> {
        match given {
            Some(ALL_OWNERS) if who.uid == 0 => Ok(None),
            Some(ALL_OWNERS) => Err(ApiError::AccessDenied {
                message: format!("user {} may not look at all owners: only root may", who.uid),
            }),
            given => self.owner(who, given).map(Some),
        }
    }

    pub(super) fn check(&self, who: Subject, verb: Verb, name: &str) -> Result<(), ApiError> {
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

    pub(super) fn check_any(&self, who: Subject, verb: Verb) -> Result<(), ApiError> {
        if self.config.access.allows_any(who, verb) {
            return Ok(());
        }
        Err(ApiError::AccessDenied {
            message: format!("user {} may not {verb}: no [[allow]] rule grants it", who.uid),
        })
    }

    pub(super) fn selection(
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
    pub(super) fn select(
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
}

/// Clients' patterns. Their length is bounded, because each name is compared with each of them in one turn.
pub(super) fn to_patterns(texts: Option<Vec<String>>) -> Result<Vec<Pattern>, ApiError> {
    let texts = texts.unwrap_or_default();
    let length = texts
        .iter()
        .fold(0_usize, |sum, text| sum.saturating_add(text.len()));
    if length > MAX_PATTERNS {
        return Err(ApiError::parameter(
            "patterns",
            format!("the patterns have {length} bytes; at most {MAX_PATTERNS} are compared"),
        ));
    }
    Ok(texts.iter().map(|text| Pattern::new(text)).collect())
}
