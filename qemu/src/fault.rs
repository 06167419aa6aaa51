//! Reads the console for the guest's end, and tells the machine's faults from ours.
//!
//! | on the console                                             | means                                   |
//! |------------------------------------------------------------|-----------------------------------------|
//! | a die report (`… [#1] SMP`), `kernel BUG at`, `BUG: unable to handle` | the kernel failed: [`Trouble::MachineFault`] |
//! | `Kernel panic - not syncing: …` with none of these before  | [`Trouble::Panic`]: init died, no init, no memory |
//! | the same, asked for through sysrq                          | [`Trouble::Panic`]                      |
//!
//! Nothing of ours runs inside the kernel, so a failure in kernel code is the machine's, whichever program
//! had called it: with the emulator the usual cause is an instruction that it gets wrong. A module that does not come with
//! the kernel (taint `O`) changes that, and so does a crash that was asked for.

use std::collections::VecDeque;

/// How many lines are kept for the report.
const KEPT: usize = 60;
/// The longest line kept, in bytes; a console without line ends must not fill memory.
const LONGEST: usize = 4096;

/// What ended the guest, as the console tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The kernel gave up for a reason outside itself.
    Panic(String),
    /// The kernel itself failed.
    MachineFault(Oops),
}

/// What a kernel's die report says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oops {
    /// The first line: what happened.
    pub summary: String,
    /// The program that was running, from `Comm:`.
    pub comm: Option<String>,
    /// The function it happened in, from the first `RIP:`.
    pub place: Option<String>,
}

impl std::fmt::Display for Oops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.summary)?;
        if let Some(place) = &self.place {
            write!(f, ", in {place}")?;
        }
        if let Some(comm) = &self.comm {
            write!(f, ", while {comm} was running")?;
        }
        Ok(())
    }
}

/// The console's last lines, and what was recognised in all of it.
#[derive(Debug, Default)]
pub struct Console {
    lines: VecDeque<String>,
    partial: Vec<u8>,
    oops: Option<Oops>,
    panic: Option<String>,
    /// A module from outside the kernel was loaded, or the crash was asked for.
    ours: bool,
    /// Whether the kernel has said its version: proof that a guest runs.
    kernel_spoke: bool,
    /// What was kept when another kernel said its version.
    before: Option<Vec<String>>,
}

impl Console {
    /// Takes bytes as they were read.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                byte => self.partial.push(*byte),
            }
            if self.partial.len() >= LONGEST {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned();
        self.scan(&line);
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The last lines, the oldest first, with the unfinished one at the end.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.lines.iter().cloned().collect();
        if !self.partial.is_empty() {
            lines.push(String::from_utf8_lossy(&self.partial).into_owned());
        }
        lines
    }

    /// Whether the kernel has printed its version.
    #[must_use]
    pub fn kernel_spoke(&self) -> bool {
        self.kernel_spoke
    }

    /// The last lines of a kernel that another one followed, by kexec: the machine itself never starts twice.
    #[must_use]
    pub fn before(&self) -> Option<&[String]> {
        self.before.as_deref()
    }

    /// What ended the guest, if anything has.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        match (&self.oops, &self.panic) {
            (Some(oops), _) if !self.ours => Some(Trouble::MachineFault(oops.clone())),
            (Some(oops), None) => Some(Trouble::Panic(oops.to_string())),
            (_, Some(panic)) => Some(Trouble::Panic(panic.clone())),
            (None, None) => None,
        }
    }

    fn scan(&mut self, line: &str) {
        let text = message(line);
        if text.starts_with("Linux version ") {
            if self.kernel_spoke {
                self.before = Some(self.lines.drain(..).collect());
            }
            self.kernel_spoke = true;
        }
        if text.starts_with("sysrq: Trigger a crash") || text.contains("loading out-of-tree module") {
            self.ours = true;
        }
        if let Some(reason) = text.strip_prefix("Kernel panic - not syncing: ") {
            self.panic.get_or_insert_with(|| reason.trim().to_owned());
        }
        if is_oops(text) {
            let oops = self.oops.get_or_insert_with(Oops::default);
            if oops.summary.is_empty() {
                text.clone_into(&mut oops.summary);
            }
        }
        if let Some(oops) = &mut self.oops {
            if oops.comm.is_none() {
                oops.comm = text.split_once("Comm: ").and_then(|(_, rest)| word(rest));
            }
            if oops.place.is_none() {
                oops.place = text.strip_prefix("RIP: 0010:").and_then(word);
            }
        }
    }
}

fn word(text: &str) -> Option<String> {
    text.split_whitespace().next().map(str::to_owned)
}

/// A kernel line without its time stamp and, on SMP debug kernels, without the caller's mark.
fn message(line: &str) -> &str {
    let mut rest = line.trim_start();
    // printk prints "[    0.123456] " and perhaps "[   T1] "; never more than these two.
    for _ in 0..2 {
        let Some((inside, after)) = rest.strip_prefix('[').and_then(|text| text.split_once("] ")) else {
            break;
        };
        let stamp = !inside.is_empty()
            && inside
                .trim_start()
                .trim_start_matches(['T', 'C'])
                .chars()
                .all(|c| c.is_ascii_digit() || c == '.');
        if !stamp {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

/// Whether a line begins a die report. Reports about user programs ("traps: name\[1\] general protection
/// fault", "name\[1\]: segfault at") have neither of these forms.
fn is_oops(text: &str) -> bool {
    text.starts_with("BUG: unable to handle ")
        || text.starts_with("BUG: kernel NULL pointer dereference")
        || text.starts_with("kernel BUG at ")
        || text.starts_with("PANIC: double fault")
        || die_counter(text)
}

/// `invalid opcode: 0000 [#1] PREEMPT SMP`: four hex digits of the error code and the count of failures.
fn die_counter(text: &str) -> bool {
    let Some((before, after)) = text.split_once(" [#") else {
        return false;
    };
    let code = before.rsplit(' ').next().unwrap_or_default();
    let count = after.split(']').next().unwrap_or_default();
    code.len() == 4
        && code.chars().all(|c| c.is_ascii_hexdigit())
        && !count.is_empty()
        && count.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Console {
        let mut console = Console::default();
        console.push(text.as_bytes());
        console
    }

    #[test]
    fn init_that_dies_is_our_fault() {
        let console = read(
            "[    1.500000] Run /init as init process\r\n\
             [    2.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n",
        );
        let reason = "Attempted to kill init! exitcode=0x00000100".to_owned();
        assert_eq!(console.trouble(), Some(Trouble::Panic(reason)));
    }

    #[test]
    fn a_kernel_oops_is_the_machines_fault_even_under_our_program() {
        let console = read(
            "[    4.1] BUG: unable to handle page fault for address: ffffffffffffff10\n\
             [    4.2] Oops: 0002 [#1] PREEMPT SMP NOPTI\n\
             [    4.3] CPU: 0 PID: 1 Comm: softbootd Not tainted 6.12.0 #1\n\
             [    4.4] RIP: 0010:__slab_free+0x1a/0x2b0\n\
             [    4.5] Kernel panic - not syncing: Fatal exception\n",
        );
        let Some(Trouble::MachineFault(oops)) = console.trouble() else {
            panic!("not seen")
        };
        assert_eq!(
            oops.summary,
            "BUG: unable to handle page fault for address: ffffffffffffff10"
        );
        assert_eq!(oops.comm.as_deref(), Some("softbootd"));
        assert_eq!(oops.place.as_deref(), Some("__slab_free+0x1a/0x2b0"));
    }

    #[test]
    fn a_die_report_without_a_bug_line_counts() {
        let console = read("[    0.2] invalid opcode: 0000 [#1] SMP\n");
        assert!(matches!(console.trouble(), Some(Trouble::MachineFault(_))));
    }

    #[test]
    fn a_crash_that_was_asked_for_is_not_the_machines_fault() {
        let console = read(
            "[    9.0] sysrq: Trigger a crash\n\
             [    9.1] Kernel panic - not syncing: sysrq triggered crash\n",
        );
        assert_eq!(
            console.trouble(),
            Some(Trouble::Panic("sysrq triggered crash".to_owned()))
        );
    }

    #[test]
    fn a_failing_program_is_no_failing_kernel() {
        let console = read(
            "[    5.0] traps: softbootd[1] general protection fault ip:401000 sp:7ffc error:0 in softbootd[400000+1000]\n\
             [    5.1] echo[12]: segfault at 0 ip 0000 sp 0000 error 4\n\
             the log says: Kernel panic - not syncing: quoted by a program\n",
        );
        assert_eq!(console.trouble(), None);
    }

    #[test]
    fn lines_are_kept_up_to_the_limit_with_the_prompt_last() {
        let text: String = (0..100).map(|number| format!("line {number}\n")).collect();
        let console = read(&format!("{text}login: "));
        let tail = console.tail();
        assert_eq!(
            (tail.len(), tail[0].as_str(), tail[KEPT].as_str()),
            (KEPT + 1, "line 40", "login: ")
        );
    }

    #[test]
    fn the_kernels_first_line_is_proof_of_a_running_guest() {
        assert!(read("[    0.000000] Linux version 6.1.0\n").kernel_spoke());
        assert!(!read("SeaBIOS (version 1.16)\n").kernel_spoke());
    }

    #[test]
    fn the_last_words_of_a_kernel_are_kept_when_another_one_begins() {
        let first = "[    0.000000] Linux version 6.1.0\n[    9.1] kexec_core: Starting new kernel\n";
        assert_eq!(read(first).before(), None);
        let both = read(&format!("{first}[    0.000000] Linux version 6.1.0\nmore\n"));
        let before = both.before().unwrap_or_default();
        assert!(
            before.last().unwrap().ends_with("Starting new kernel"),
            "{before:?}"
        );
        assert!(
            both.tail()
                .iter()
                .all(|line| !line.contains("Starting new kernel"))
        );
    }
}
