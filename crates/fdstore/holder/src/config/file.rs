//! From the text to a configuration.

use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::access::{Access, Rule, Verb};
use super::accounts::Accounts;
use super::error::Wrong;
use super::{Config, Limits};
use crate::duration;
use crate::pattern::Pattern;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default_expiry: Option<Spanned<String>>,
    #[serde(default)]
    limits: FileLimits,
    #[serde(default)]
    allow: Vec<Spanned<FileRule>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLimits {
    entries: Option<Spanned<u32>>,
    entries_per_uid: Option<Spanned<u32>>,
    connections: Option<Spanned<u32>>,
    connections_per_uid: Option<Spanned<u32>>,
    message_bytes: Option<Spanned<u32>>,
    unsent_bytes: Option<Spanned<u32>>,
    stall: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    uid: Option<Spanned<OneOrMany<u32>>>,
    user: Option<Spanned<OneOrMany<String>>>,
    #[serde(default, rename = "self")]
    own: bool,
    #[serde(default)]
    everyone: bool,
    gid: Option<Spanned<OneOrMany<u32>>>,
    group: Option<Spanned<OneOrMany<String>>>,
    names: Vec<String>,
    verbs: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected one or a list: numbers for uid and gid, names for user and group"
)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// All of them, and where they stand.
fn each<T>(given: Option<Spanned<OneOrMany<T>>>) -> (Range<usize>, Vec<T>) {
    match given {
        None => (0..0, Vec::new()),
        Some(given) => match (given.span(), given.into_inner()) {
            (span, OneOrMany::One(one)) => (span, vec![one]),
            (span, OneOrMany::Many(many)) => (span, many),
        },
    }
}

pub(super) fn parse(text: &str) -> Result<Config, Wrong> {
    let file: File = toml::from_str(text).map_err(|error| Wrong {
        span: error.span(),
        reason: error.message().trim().replace('\n', "; "),
    })?;
    let accounts = Accounts::load();
    let mut rules = Vec::with_capacity(file.allow.len());
    for rule in file.allow {
        rules.push(self::rule(rule, &accounts)?);
    }
    let default_expiry = match file.default_expiry {
        None => None,
        Some(text) if text.get_ref() == "never" => None,
        Some(text) => Some(span(text)?),
    };
    Ok(Config {
        limits: limits(file.limits)?,
        default_expiry,
        access: Access::new(rules, accounts),
        text: text.to_owned(),
    })
}

fn span(text: Spanned<String>) -> Result<Duration, Wrong> {
    duration::parse(text.get_ref())
        .map_err(|error| error.to_string())
        .and_then(|span| match span.is_zero() {
            true => Err("a span of no time makes no sense here".to_owned()),
            false => Ok(span),
        })
        .map_err(|reason| Wrong::new(text.span(), reason))
}

fn limits(file: FileLimits) -> Result<Limits, Wrong> {
    let default = Limits::default();
    let number = |given: Option<Spanned<u32>>, default: usize, least: u32| match given {
        None => Ok(default),
        Some(value) if *value.get_ref() < least => Err(Wrong::new(
            value.span(),
            format!("{} is too low; at least {least} are needed", value.get_ref()),
        )),
        Some(value) => Ok(usize::try_from(value.into_inner()).unwrap_or(usize::MAX)),
    };
    Ok(Limits {
        entries: number(file.entries, default.entries, 0)?,
        entries_per_uid: number(file.entries_per_uid, default.entries_per_uid, 0)?,
        connections: number(file.connections, default.connections, 1)?,
        connections_per_uid: number(file.connections_per_uid, default.connections_per_uid, 1)?,
        // A call with the longest name, and a reply that describes one entry, fit into this.
        message_bytes: number(file.message_bytes, default.message_bytes, 4_096)?,
        unsent_bytes: number(file.unsent_bytes, default.unsent_bytes, 65_536)?,
        stall: file.stall.map(span).transpose()?.unwrap_or(default.stall),
    })
}

fn rule(rule: Spanned<FileRule>, accounts: &Accounts) -> Result<Rule, Wrong> {
    let whole = rule.span();
    let rule = rule.into_inner();
    let (_, mut uids) = each(rule.uid);
    let (place, users) = each(rule.user);
    for user in users {
        uids.push(lookup("user", &place, &user, accounts.uid(&user))?);
    }
    if rule.own {
        uids.push(rustix::process::geteuid().as_raw());
    }
    let (_, mut gids) = each(rule.gid);
    let (place, groups) = each(rule.group);
    for group in groups {
        gids.push(lookup("group", &place, &group, accounts.gid(&group))?);
    }
    if uids.is_empty() && gids.is_empty() && !rule.everyone {
        return Err(Wrong::new(
            whole,
            "this rule names nobody; say uid, user, gid, group, self = true or everyone = true",
        ));
    }
    if rule.everyone && !uids.is_empty() {
        return Err(Wrong::new(
            whole,
            "this rule names everyone and somebody; leave one of them out",
        ));
    }
    for (what, empty) in [("names", rule.names.is_empty()), ("verbs", rule.verbs.is_empty())] {
        if empty {
            return Err(Wrong::new(
                whole,
                format!("this rule allows nothing: its {what} are empty"),
            ));
        }
    }
    let mut verbs = Vec::with_capacity(rule.verbs.len());
    for verb in rule.verbs {
        let known = Verb::parse(verb.get_ref()).ok_or_else(|| {
            let reason = format!(
                "{:?} is no verb; there are put, get, list, remove and watch",
                verb.get_ref()
            );
            Wrong::new(verb.span(), reason)
        })?;
        verbs.push(known);
    }
    Ok(Rule {
        uids,
        gids,
        names: rule.names.iter().map(|name| Pattern::new(name)).collect(),
        verbs,
    })
}

fn lookup(what: &str, place: &Range<usize>, name: &str, found: Option<u32>) -> Result<u32, Wrong> {
    let (file, number) = match what {
        "user" => ("passwd", "uid"),
        _ => ("group", "gid"),
    };
    found.ok_or_else(|| {
        let reason = format!("there is no {what} {name:?} in /etc/{file}; a number is given as {number} = …");
        Wrong::new(place.clone(), reason)
    })
}
