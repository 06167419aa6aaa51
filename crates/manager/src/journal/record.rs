//! What the journal says.

use std::borrow::Cow;
use std::path::PathBuf;

use fdstore::Change;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use softboot_control::api::Cycle;
use softboot_control::systemd::Marker;
use softboot_engine::{Action, Event, FdToken, Now, Objective, ProcId, RequestId};
use softboot_unit::{UnitName, Usec};

use crate::client::Client;
use crate::environment::Remote;
use crate::process::Process;
use crate::unit_log::Lines;

/// One thing that happened, or that is so now. A record of the journal is a list of these, all or none of which are
/// read again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Entry<'a> {
    /// What everything after it is about; the first entry.
    Begin(Box<Begin>),
    /// An event is in the queue.
    Fed(Cow<'a, Event>),
    /// The engine is told the oldest event of the queue; all actions of the step before are done.
    Step(Now),
    /// So many of the step's actions are done.
    Acted(usize),
    /// All of them are.
    Done,
    /// A program goes on with this journal after a crash; so often has one crashed in the action that is next.
    Attempt(u32),
    /// A process of ours.
    Process(ProcId, Option<Cow<'a, Process>>),
    /// A control client, with what it has said and not been told yet.
    Client(u64, #[serde(borrow)] Option<Kept<'a, Client>>),
    /// Something is being read from it or written to it. Until its state follows nobody knows where the two are.
    Touched(u64),
    /// INVOCATION_ID of a unit that runs.
    Invocation(UnitName, Option<Cow<'a, str>>),
    /// A variable that every service starts with.
    Variable(String, Option<Cow<'a, str>>),
    /// What a container ends with.
    ExitCode(u8),
    /// Signals for the next userspace.
    PutOff(Vec<i32>),
    /// Who is behind an accepted connection.
    Remote(FdToken, Option<Cow<'a, Remote>>),
    /// A service that a client made.
    Transient(UnitName, Option<Option<RequestId>>),
    /// What is to be done with a unit some time.
    Marker(UnitName, Option<Marker>),
    /// The start of a line of a unit's output.
    Partial(UnitName, Option<Cow<'a, Lines>>),
    /// Lines of a unit that could not be written.
    Lost(UnitName, Option<usize>),
    /// Bytes ever written to a unit's log.
    Written(UnitName, Option<u64>),
    /// The fd store.
    Store(#[serde(borrow)] Kept<'a, Change>),
    /// The next token.
    Token(u64),
    /// The boot was complete at this moment.
    BootFinished(Usec),
    /// A handoff or a crash that is over, or of which more is known now.
    Cycle(Cow<'a, Cycle>),
    /// The child that verifies a handoff, or none.
    Verifier(Option<i32>),
}

/// What a later entry often overtakes: when it is read it stays a text until somebody asks for it.
#[derive(Debug)]
pub(crate) enum Kept<'a, T> {
    /// To be written.
    Whole(&'a T),
    /// As it was written.
    Text(&'a RawValue),
}

impl<T: Serialize> Serialize for Kept<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Kept::Whole(whole) => whole.serialize(serializer),
            Kept::Text(text) => text.serialize(serializer),
        }
    }
}

impl<'de: 'a, 'a, T> Deserialize<'de> for Kept<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kept<'a, T>, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Kept::Text)
    }
}

impl<'a, T> Kept<'a, T> {
    /// The text of one that was read.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self {
            Kept::Whole(_) => None,
            Kept::Text(text) => Some(text.get()),
        }
    }
}

/// What the rest of a journal is about. Numbers are those of descriptors, which stay open over the crash.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// The manifest of the fd store as it was then.
    pub(crate) manifest: i32,
    /// The state as it was then.
    pub(crate) base: Base,
    /// Where this program came from.
    pub(crate) program: PathBuf,
    /// CLOCK_MONOTONIC when this userspace began.
    pub(crate) started: Usec,
    /// Re-execs of this userspace.
    pub(crate) reexecs: u32,
    /// Soft and hard limit of descriptors that services start with.
    pub(crate) service_nofile: (u64, u64),
    /// This boot came after the state was lost.
    pub(crate) anew: bool,
}

/// The state that a journal begins with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Base {
    /// A boot: nothing.
    Nothing,
    /// What a handoff brought: the snapshot, the definitions, and the clocks when they were read.
    Snapshot {
        /// The sealed snapshot.
        snapshot: i32,
        /// The sealed definitions.
        definitions: i32,
        /// Restoring an engine is a function of the clocks too.
        now: Now,
        /// After a soft-reboot: the units among the definitions that were loaded, in their order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        units: Option<Vec<UnitName>>,
    },
    /// An exact copy: [`super::image::Image`].
    Image(i32),
}

impl Base {
    /// The descriptors that it is made of.
    pub(crate) fn numbers(&self) -> Vec<i32> {
        match self {
            Base::Nothing => Vec::new(),
            Base::Snapshot {
                snapshot,
                definitions,
                ..
            } => vec![*snapshot, *definitions],
            Base::Image(image) => vec![*image],
        }
    }
}

/// What was not done yet when an image was made.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Unfinished {
    /// Actions of the step that was under way.
    pub(crate) todo: Vec<Action>,
    /// How many programs have crashed by themselves with the first of them still to do.
    pub(crate) attempts: u32,
    /// The clocks of that step.
    pub(crate) step: Option<Now>,
    /// Events that the engine has not seen.
    pub(crate) pending: Vec<Event>,
    /// What the engine wants of the manager.
    pub(crate) objective: Option<Objective>,
    /// The final kill that is under way: whom it spares.
    pub(crate) final_kill: Option<Vec<softboot_engine::UnitId>>,
}
