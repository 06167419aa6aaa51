//! What a unit leaves behind that can be removed by `clean` (semantics 8.2).

use serde::{Deserialize, Serialize};

use super::{ExecContext, ServiceSection};

/// A kind of what a unit leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cleanable {
    /// `RuntimeDirectory=`.
    Runtime,
    /// `StateDirectory=`.
    State,
    /// `CacheDirectory=`.
    Cache,
    /// `LogsDirectory=`.
    Logs,
    /// `ConfigurationDirectory=`.
    Configuration,
    /// The descriptors in its fd store.
    Fdstore,
}

impl Cleanable {
    /// All kinds, in the order in which they are listed.
    pub const ALL: [Cleanable; 6] = [
        Cleanable::Runtime,
        Cleanable::State,
        Cleanable::Cache,
        Cleanable::Logs,
        Cleanable::Configuration,
        Cleanable::Fdstore,
    ];

    /// What is cleaned unless something else is asked for: what comes again by itself.
    pub const USUAL: [Cleanable; 3] = [Cleanable::Runtime, Cleanable::Cache, Cleanable::Fdstore];

    /// The word that tools use.
    pub fn word(self) -> &'static str {
        match self {
            Cleanable::Runtime => "runtime",
            Cleanable::State => "state",
            Cleanable::Cache => "cache",
            Cleanable::Logs => "logs",
            Cleanable::Configuration => "configuration",
            Cleanable::Fdstore => "fdstore",
        }
    }

    /// What it is, for people.
    pub fn about(self) -> &'static str {
        match self {
            Cleanable::Runtime => "the directories of RuntimeDirectory=",
            Cleanable::State => "those of StateDirectory=",
            Cleanable::Cache => "those of CacheDirectory=",
            Cleanable::Logs => "those of LogsDirectory=",
            Cleanable::Configuration => "those of ConfigurationDirectory=",
            Cleanable::Fdstore => "the descriptors that softbootd keeps for the unit",
        }
    }

    /// Words, where `all` stands for every kind and no word for [`Cleanable::USUAL`]; the word that is none is the error.
    pub fn parse(words: &[String]) -> Result<Vec<Cleanable>, &str> {
        if words.is_empty() {
            return Ok(Cleanable::USUAL.to_vec());
        }
        let mut kinds = Vec::new();
        for word in words {
            match Cleanable::ALL.into_iter().find(|kind| kind.word() == word) {
                Some(kind) => kinds.push(kind),
                None if word == "all" => kinds.extend(Cleanable::ALL),
                None => return Err(word),
            }
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(kinds)
    }

    /// Whether processes with these settings leave anything of this kind on disks or below /run.
    pub fn is_in(self, exec: &ExecContext) -> bool {
        match self {
            Cleanable::Runtime => !exec.runtime_directory.is_empty(),
            Cleanable::State => !exec.state_directory.entries.is_empty(),
            Cleanable::Cache => !exec.cache_directory.entries.is_empty(),
            Cleanable::Logs => !exec.logs_directory.entries.is_empty(),
            Cleanable::Configuration => !exec.configuration_directory.entries.is_empty(),
            Cleanable::Fdstore => false,
        }
    }

    /// What can be cleaned of a service.
    pub fn of(service: &ServiceSection) -> Vec<Cleanable> {
        let has = |kind: &Cleanable| match kind {
            Cleanable::Fdstore => service.fd_store_max > 0,
            kind => kind.is_in(&service.exec),
        };
        Cleanable::ALL.into_iter().filter(has).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kinds_once_each() {
        let parse = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Cleanable::parse(&words).map_err(str::to_owned)
        };
        assert_eq!(parse(&[]), Ok(Cleanable::USUAL.to_vec()));
        assert_eq!(
            parse(&["logs", "state", "logs"]),
            Ok(vec![Cleanable::State, Cleanable::Logs])
        );
        assert_eq!(parse(&["cache", "all"]), Ok(Cleanable::ALL.to_vec()));
        assert_eq!(parse(&["state", "stat"]), Err("stat".to_owned()));
    }
}
