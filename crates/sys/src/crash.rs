//! A program that replaces itself when it crashes: execveat from a signal handler.
//!
//! What to execute is prepared while all is well ([`arm`]), in memory that is read-only afterwards, so that a wild
//! write cannot spoil it. The handler runs on its own stack and makes async-signal-safe calls only (signal-safety(7)):
//! it makes the descriptors stay open, and calls execveat. If that fails the process stops and stays, because the end
//! of PID 1 is the end of the machine; so it does when the handler itself faults.
//!
//! What happened is told in the variable [`VARIABLE`].

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU8, Ordering};
use std::time::Duration;

/// What happened, as words: `signal 11 code 1 at 0x10`, `deadline`, or what [`replace`] was given.
pub const VARIABLE: &str = "SOFTBOOT_CRASH";
/// The same with the sign of equality, as the environment has it.
const ASSIGNMENT: &[u8] = b"SOFTBOOT_CRASH=";
const REASON_MAX: usize = 200;
const STACK: usize = 64 * 1024;

/// Faults of the program itself, and abort(3).
pub(crate) const FAULTS: [c_int; 6] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
    libc::SIGSYS,
];

/// What to execute. In memory that is read-only once it is published.
struct Next {
    /// Bytes of the mapping that this is in.
    length: usize,
    program: c_int,
    argv: *const *const c_char,
    env: *const *const c_char,
}

static NEXT: AtomicPtr<Next> = AtomicPtr::new(null_mut());
/// The last one but one.
static BEFORE: AtomicPtr<Next> = AtomicPtr::new(null_mut());
static ENTERED: AtomicBool = AtomicBool::new(false);
static DEADLINE: AtomicBool = AtomicBool::new(false);
static HIGHEST: AtomicI32 = AtomicI32::new(2);
static REASON: [AtomicU8; REASON_MAX] = [const { AtomicU8::new(0) }; REASON_MAX];

/// Installs the handlers, for exit(3) as well, with a stack of their own, and unblocks what they handle: the mask of the program before is
/// inherited. Call it first in `main`, before any thread is made. Until [`arm`] is called a fault stops the process
/// for good.
///
/// References: sigaction(2), sigaltstack(2).
pub fn install() -> io::Result<()> {
    let stack = map(STACK)?;
    let alternate = libc::stack_t {
        ss_sp: stack,
        ss_flags: 0,
        ss_size: STACK,
    };
    // SAFETY: the stack is a mapping of this size that is never given back; the old one is not wanted.
    check(unsafe { libc::sigaltstack(&raw const alternate, null_mut()) })?;
    for (place, byte) in REASON.iter().zip(ASSIGNMENT) {
        place.store(*byte, Ordering::Relaxed);
    }
    for signal in FAULTS {
        handle(signal, on_fault)?;
    }
    handle(libc::SIGALRM, on_alarm)?;
    // SAFETY: registers a function that lives as long as the program.
    check(unsafe { libc::atexit(on_exit) })?;
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set; the signal numbers are valid.
    let set = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in FAULTS.iter().chain(&[libc::SIGALRM]) {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    };
    // SAFETY: the set is initialised and the old mask is not wanted.
    check(unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, null_mut()) })
}

fn check(result: c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn handle(signal: c_int, handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)) -> io::Result<()> {
    // SAFETY: all-zero is a valid sigaction: default action, empty mask, no flags.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    // A fault in the handler must reach the handler, which then stops: blocked, it would end the process.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER | libc::SA_RESTART;
    // SAFETY: the action is initialised and its handler only makes async-signal-safe calls.
    check(unsafe { libc::sigaction(signal, &raw const action, null_mut()) })
}

fn map(length: usize) -> io::Result<*mut c_void> {
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    );
    // SAFETY: a new anonymous mapping, wherever the kernel likes.
    let address = unsafe { libc::mmap(null_mut(), length, protection, flags, -1, 0) };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(address)
}

/// From now on a crash executes `program` with these arguments and this environment, to which the handler adds
/// [`VARIABLE`]. `program` must stay open: the handler knows its number only.
pub fn arm(program: BorrowedFd<'_>, argv: &[CString], env: &[CString]) -> io::Result<()> {
    let text: usize = argv.iter().chain(env).map(|s| s.as_bytes_with_nul().len()).sum();
    // Two lists, each with a null pointer at its end, and the reason.
    let pointers = argv.len().saturating_add(env.len()).saturating_add(3);
    let lists = size_of::<Next>();
    let strings = pointers
        .checked_mul(size_of::<*const c_char>())
        .and_then(|length| length.checked_add(lists))
        .ok_or(io::ErrorKind::OutOfMemory)?;
    let length = strings.checked_add(text).ok_or(io::ErrorKind::OutOfMemory)?;
    let base = map(length)?.cast::<u8>();
    let reason = REASON.as_ptr().cast::<c_char>();
    // SAFETY: the mapping has `length` bytes: a Next, `pointers` pointers and `text` bytes, and each write below stays
    // in its part: the loops write argv.len() + 1 + env.len() + 2 pointers and exactly the strings counted above. It
    // is page-aligned, and the size of a Next is a multiple of that of a pointer.
    unsafe {
        let mut slot = base.add(lists).cast::<*const c_char>();
        let mut place = base.add(strings);
        let argv_list = slot;
        let mut put = |string: &CStr| {
            let bytes = string.to_bytes_with_nul();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len());
            slot.write(place.cast());
            place = place.add(bytes.len());
            slot = slot.add(1);
        };
        argv.iter().for_each(|string| put(string));
        let env_list = slot.add(1);
        slot.write(std::ptr::null());
        slot = env_list;
        let mut put = |string: &CStr| {
            let bytes = string.to_bytes_with_nul();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len());
            slot.write(place.cast());
            place = place.add(bytes.len());
            slot = slot.add(1);
        };
        env.iter().for_each(|string| put(string));
        slot.write(reason);
        slot.add(1).write(std::ptr::null());
        base.cast::<Next>().write(Next {
            length,
            program: program.as_raw_fd(),
            argv: argv_list,
            env: env_list,
        });
    }
    // SAFETY: the mapping is our own, and nothing writes to it from here on.
    check(unsafe { libc::mprotect(base.cast(), length, libc::PROT_READ) })?;
    note_descriptor(program);
    let before = NEXT.swap(base.cast(), Ordering::AcqRel);
    // A handler on another thread may just be reading the one before; it is given back by the next call.
    let old = BEFORE.swap(before, Ordering::AcqRel);
    if !old.is_null() {
        // SAFETY: it was published twice before this, and whoever read it then has executed the next program since.
        unsafe { libc::munmap(old.cast(), (*old).length) };
    }
    Ok(())
}

/// The next program needs this descriptor. All numbers up to the highest one noted stay open; it closes what it does
/// not know.
pub fn note_descriptor(fd: BorrowedFd<'_>) {
    note_number(fd.as_raw_fd());
}

/// As [`note_descriptor`], by number.
pub fn note_number(number: i32) {
    HIGHEST.fetch_max(number, Ordering::Relaxed);
}

/// If the program is not done with something by then ([`done`]) it is replaced as if it had crashed. The time goes on
/// over an exec: the program before sets it, and the next one calls [`await_deadline`].
///
/// Reference: setitimer(2), "interval timers are preserved across an execve(2)".
pub fn deadline(time: Duration) -> io::Result<()> {
    set_timer(time)?;
    DEADLINE.store(true, Ordering::Relaxed);
    Ok(())
}

/// The program before this one has set a [`deadline`]: it holds from now on.
pub fn await_deadline() {
    DEADLINE.store(true, Ordering::Relaxed);
}

/// In time.
pub fn done() {
    DEADLINE.store(false, Ordering::Relaxed);
    // A timer that cannot be stopped fires once, and is ignored.
    let _ = set_timer(Duration::ZERO);
}

fn set_timer(time: Duration) -> io::Result<()> {
    let never = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let value = libc::itimerval {
        it_interval: never,
        it_value: libc::timeval {
            tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_usec: libc::suseconds_t::from(time.subsec_micros()),
        },
    };
    // SAFETY: the value is initialised and the old one is not wanted.
    check(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const value, null_mut()) })
}

/// Does what a crash would do, with a reason in words. Returns when nothing is armed or the exec failed.
pub fn replace(reason: &str) -> io::Error {
    let mut text = Reason::new();
    text.push(reason.as_bytes());
    text.end();
    exec_next();
    io::Error::last_os_error()
}

/// The end that is meant: nothing is executed any more, whatever is armed. Nothing is written out either.
///
/// Reference: _exit(2).
pub fn leave(code: u8) -> ! {
    // SAFETY: ends the process; no handler runs after it.
    unsafe { libc::_exit(code.into()) }
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    let code = if info.is_null() {
        0
    } else {
        // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo.
        unsafe { (*info).si_code }
    };
    // abort(3) sends a signal as well, but to itself.
    // SAFETY: the siginfo is valid, and a signal that a process sent has its number; getpid is async-signal-safe.
    let sent = code <= 0 && !info.is_null() && unsafe { (*info).si_pid() != libc::getpid() };
    if ENTERED.swap(true, Ordering::Relaxed) {
        if sent {
            // Somebody sent it, while the handler is at work already.
            return;
        }
        freeze();
    }
    let mut reason = Reason::new();
    reason.push(b"signal ");
    reason.decimal(signal);
    if !info.is_null() {
        reason.push(b" code ");
        reason.decimal(code);
        if code > 0 {
            // SAFETY: a positive code is the kernel's own, and for these signals it has an address.
            let address = unsafe { (*info).si_addr() };
            reason.push(b" at ");
            reason.hexadecimal(address as usize);
        } else {
            // SAFETY: a signal that a process sent has its number.
            let sender = unsafe { (*info).si_pid() };
            reason.push(b" from process ");
            reason.decimal(sender);
        }
    }
    reason.end();
    exec_next();
    if sent {
        // Nothing is armed yet, or it cannot be executed. Somebody sent the signal, so nothing is broken either.
        ENTERED.store(false, Ordering::Relaxed);
        return;
    }
    freeze();
}

/// A program that is to go on for ever has ended all the same. Without anything armed it just ends.
extern "C" fn on_exit() {
    if ENTERED.swap(true, Ordering::Relaxed) {
        return;
    }
    let mut reason = Reason::new();
    reason.push(b"exit");
    reason.end();
    exec_next();
}

extern "C" fn on_alarm(_signal: c_int, _info: *mut libc::siginfo_t, _context: *mut c_void) {
    if !DEADLINE.load(Ordering::Relaxed) {
        return;
    }
    if ENTERED.swap(true, Ordering::Relaxed) {
        return;
    }
    let mut reason = Reason::new();
    reason.push(b"deadline");
    reason.end();
    exec_next();
    freeze();
}

fn exec_next() {
    let next = NEXT.load(Ordering::Acquire);
    if next.is_null() {
        return;
    }
    for number in 3..=HIGHEST.load(Ordering::Relaxed) {
        // SAFETY: changes a flag; a number that is not open gives EBADF.
        unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
    }
    // SAFETY: `next` was published by arm() complete and is never unmapped; the path is an empty string, both lists
    // end with a null pointer, and their strings live as long.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            (*next).program,
            c"".as_ptr(),
            (*next).argv,
            (*next).env,
            libc::AT_EMPTY_PATH,
        );
    }
}

/// PID 1 must not end, nor may signals pile up on the handler's stack.
fn freeze() -> ! {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the set, and the old mask is not wanted. Both are async-signal-safe.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), null_mut());
    }
    loop {
        // SAFETY: waits for a signal, no more.
        unsafe { libc::pause() };
    }
}

/// Writes into [`REASON`] without allocating.
struct Reason {
    length: usize,
}

impl Reason {
    fn new() -> Reason {
        Reason {
            length: ASSIGNMENT.len(),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            // The last one stays 0.
            if self.length >= REASON_MAX - 1 || *byte == 0 {
                return;
            }
            if let Some(place) = REASON.get(self.length) {
                place.store(*byte, Ordering::Relaxed);
            }
            self.length += 1;
        }
    }

    fn decimal(&mut self, number: c_int) {
        if number < 0 {
            self.push(b"-");
        }
        self.digits(usize::try_from(number.unsigned_abs()).unwrap_or(0), 10);
    }

    fn hexadecimal(&mut self, number: usize) {
        self.push(b"0x");
        self.digits(number, 16);
    }

    fn digits(&mut self, number: usize, base: usize) {
        let mut divisor = 1;
        while number / divisor >= base {
            divisor *= base;
        }
        while divisor > 0 {
            let digit = u8::try_from(number / divisor % base).unwrap_or(0);
            self.push(&[if digit < 10 {
                b'0' + digit
            } else {
                b'a' + (digit - 10)
            }]);
            divisor /= base;
        }
    }

    fn end(self) {
        if let Some(place) = REASON.get(self.length) {
            place.store(0, Ordering::Relaxed);
        }
    }
}
