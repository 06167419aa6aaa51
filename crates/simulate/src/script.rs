//! Random inputs. Each is small and means something in every world, so that any part of a script is a script.

use softboot_engine::JobKind;
use softboot_unit::JobMode;

use crate::random::Random;

/// One thing that happens. Numbers choose among what there is, modulo how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody asks for a job of a unit.
    Request(JobKind, u64, JobMode),
    /// The oldest answer of one of the lanes of answers on their way arrives.
    Deliver(u64),
    /// A process ends by itself, with this code.
    Exit(u64, i32),
    /// The kernel kills a process for want of memory.
    OutOfMemory(u64),
    /// Milliseconds pass.
    Advance(u64),
    /// The real-time clock is set, by seconds forth or back.
    SetClock(i64),
    /// The machine sleeps: the boot clock goes on, the monotonic one does not.
    Sleep(u64),
    /// Somebody connects to a socket.
    Connect(u64),
    /// A process of a unit says it is ready: the main one, or one that may not.
    Ready(u64, bool),
    /// A process of a service says that another one is main.
    Lie(u64),
    /// Somebody mounts what is not mounted, or unmounts it.
    Mount(u64),
    /// The manager re-execs.
    Reexec,
    /// Other definitions of the same units are loaded.
    Reload(u64),
    /// All jobs are cancelled.
    Cancel,
    /// Failed states are forgotten.
    ResetFailed,
    /// A soft-reboot by force.
    SoftReboot,
    /// What a unit leaves behind is to be removed.
    Clean(u64),
    /// A soft-reboot will leave sockets open: none, one or both.
    StayOpen(u64),
}

/// A script of a seed.
pub fn generate(seed: u64, length: usize) -> Vec<Input> {
    let mut random = Random::new(seed);
    let more = crate::more::is(seed);
    let cleans = crate::more::cleans(seed);
    let next = |random: &mut Random| match more {
        true if cleans && random.percent(3) => Input::Clean(random.draw() >> 48),
        true if random.percent(10) => one_more(random),
        _ => one(random),
    };
    (0..length).map(|_| next(&mut random)).collect()
}

/// What only seeds with more have.
fn one_more(random: &mut Random) -> Input {
    let number = random.draw() >> 48;
    match random.below(5) {
        0 => Input::Lie(number),
        1 => Input::Mount(number),
        2 => Input::StayOpen(number),
        _ => Input::Connect(number),
    }
}

fn one(random: &mut Random) -> Input {
    const KINDS: [JobKind; 9] = [
        JobKind::Start,
        JobKind::Start,
        JobKind::Start,
        JobKind::Stop,
        JobKind::Restart,
        JobKind::TryRestart,
        JobKind::ReloadOrStart,
        JobKind::Reload,
        JobKind::VerifyActive,
    ];
    const MODES: [JobMode; 9] = [
        JobMode::Replace,
        JobMode::Replace,
        JobMode::Fail,
        JobMode::Lenient,
        JobMode::Isolate,
        JobMode::Flush,
        JobMode::IgnoreRequirements,
        JobMode::Triggering,
        JobMode::ReplaceIrreversibly,
    ];
    match random.below(100) {
        0..20 => Input::Request(
            random.pick(&KINDS).unwrap_or(JobKind::Start),
            random.draw() >> 48,
            random.pick(&MODES).unwrap_or(JobMode::Replace),
        ),
        20..62 => Input::Deliver(random.draw() >> 48),
        62..72 => Input::Exit(random.draw() >> 48, random.below(2) as i32),
        72..74 => Input::OutOfMemory(random.draw() >> 48),
        74..84 => Input::Advance(random.below(3000)),
        84..85 => Input::SetClock(random.below(200_000) as i64 - 100_000),
        85..86 => Input::Sleep(random.below(1000)),
        86..90 => Input::Connect(random.draw() >> 48),
        90..94 => Input::Ready(random.draw() >> 48, random.percent(70)),
        94..96 => Input::Reexec,
        96..97 => Input::Reload(random.below(8)),
        97..98 => Input::Cancel,
        98..99 => Input::ResetFailed,
        _ if random.percent(20) => Input::SoftReboot,
        _ => Input::Advance(30_000),
    }
}
