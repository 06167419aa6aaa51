//! Who may do what to which names. Refusal is the default.

use std::fmt;

use super::accounts::Accounts;
use crate::pattern::Pattern;

/// What one can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Store a descriptor.
    Put,
    /// Get a duplicate.
    Get,
    /// See that it is there.
    List,
    /// Take it out. Getting with `take` needs this and [`Verb::Get`].
    Remove,
    /// Be told what happens to it.
    Watch,
}

impl Verb {
    const ALL: [(Verb, &'static str); 5] = [
        (Verb::Put, "put"),
        (Verb::Get, "get"),
        (Verb::List, "list"),
        (Verb::Remove, "remove"),
        (Verb::Watch, "watch"),
    ];

    pub(super) fn parse(text: &str) -> Option<Verb> {
        Verb::ALL
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(verb, _)| *verb)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Verb::ALL.iter().find(|(verb, _)| verb == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

/// Who asks, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// User.
    pub uid: u32,
    /// First group.
    pub gid: u32,
}

/// One `[[allow]]`.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Empty: everyone.
    pub(super) uids: Vec<u32>,
    /// Empty: whatever the group.
    pub(super) gids: Vec<u32>,
    pub(super) names: Vec<Pattern>,
    pub(super) verbs: Vec<Verb>,
}

/// All rules.
#[derive(Clone, Debug)]
pub struct Access {
    rules: Vec<Rule>,
    accounts: Accounts,
}

impl Access {
    pub(super) fn new(rules: Vec<Rule>, accounts: Accounts) -> Access {
        Access { rules, accounts }
    }

    /// Whether some rule allows this.
    pub fn allows(&self, who: Subject, verb: Verb, name: &str) -> bool {
        self.rules_for(who, verb)
            .any(|rule| rule.names.iter().any(|pattern| pattern.matches(name)))
    }

    /// Whether some rule allows this to some name.
    pub fn allows_any(&self, who: Subject, verb: Verb) -> bool {
        self.rules_for(who, verb).next().is_some()
    }

    fn rules_for(&self, who: Subject, verb: Verb) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| {
            let member = |gid: &u32| *gid == who.gid || self.accounts.is_member(who.uid, *gid);
            rule.verbs.contains(&verb)
                && (rule.uids.is_empty() || rule.uids.contains(&who.uid))
                && (rule.gids.is_empty() || rule.gids.iter().any(member))
        })
    }
}
