//! Ways to break this program on purpose, for tests of [`crate::crash`]. Nothing calls them but a build for that.

use std::alloc::{Layout, handle_alloc_error};
use std::hint::black_box;

/// A way to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write to an address that nobody has.
    WildWrite,
    /// An integer division by zero, as the processor sees it.
    Division,
    /// A recursion without an end.
    Overflow,
    /// An instruction that is none.
    Illegal,
    /// abort(3).
    Abort,
    /// A panic.
    Panic,
    /// No memory.
    Allocation,
    /// exit(3): for PID 1 the worst.
    Exit,
    /// Nothing, for ever, with the processor.
    Loop,
    /// Nothing, for ever, asleep.
    Hang,
}

impl Fault {
    /// Every one with its word.
    pub const ALL: [(&'static str, Fault); 10] = [
        ("wild-write", Fault::WildWrite),
        ("division", Fault::Division),
        ("overflow", Fault::Overflow),
        ("illegal", Fault::Illegal),
        ("abort", Fault::Abort),
        ("panic", Fault::Panic),
        ("allocation", Fault::Allocation),
        ("exit", Fault::Exit),
        ("loop", Fault::Loop),
        ("hang", Fault::Hang),
    ];

    /// The fault of this word.
    pub fn of(word: &str) -> Option<Fault> {
        Fault::ALL
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, fault)| *fault)
    }

    /// Breaks this program.
    #[expect(clippy::panic, reason = "that is what it is for")]
    pub fn happen(self) {
        match self {
            // SAFETY: none; that it faults is what it is for. No object is ever at this address.
            Fault::WildWrite => unsafe { black_box(0x10 as *mut u64).write_volatile(1) },
            Fault::Division => raise(libc::SIGFPE),
            Fault::Overflow => {
                black_box(overflow(1));
            }
            Fault::Illegal => raise(libc::SIGILL),
            Fault::Abort => std::process::abort(),
            Fault::Panic => panic!("a fault on purpose"),
            Fault::Allocation => handle_alloc_error(Layout::new::<[u8; 4096]>()),
            Fault::Exit => std::process::exit(7),
            Fault::Loop => loop {
                black_box(());
            },
            Fault::Hang => loop {
                rustix::event::pause();
            },
        }
    }
}

/// Rust checks divisors and instructions, so the kernel is asked for what the processor would do.
fn raise(signal: i32) {
    // SAFETY: raises a signal in this thread.
    unsafe { libc::raise(signal) };
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn overflow(depth: u64) -> u64 {
    let room = black_box([depth; 512]);
    overflow(depth.wrapping_add(1)).wrapping_add(room.first().copied().unwrap_or(0))
}
