//! Resource limits of a process.

use softboot_unit::ExecContext;

/// RLIMIT numbers of setrlimit(2), the same on all architectures softboot runs on, by the unit setting's name.
const LIMITS: [(&str, u32); 16] = [
    ("CPU", 0),
    ("FSIZE", 1),
    ("DATA", 2),
    ("STACK", 3),
    ("CORE", 4),
    ("RSS", 5),
    ("NPROC", 6),
    ("NOFILE", 7),
    ("MEMLOCK", 8),
    ("AS", 9),
    ("LOCKS", 10),
    ("SIGPENDING", 11),
    ("MSGQUEUE", 12),
    ("NICE", 13),
    ("RTPRIO", 14),
    ("RTTIME", 15),
];

/// Number, soft and hard value each; the number of descriptors is always said.
pub(super) fn limits(exec: &ExecContext, nofile: (u64, u64)) -> Vec<(u32, u64, u64)> {
    const NOFILE: u32 = 7;
    let mut limits = vec![(NOFILE, nofile.0, nofile.1)];
    for (name, soft, hard) in &exec.limits {
        if let Some((_, number)) = LIMITS.iter().find(|(known, _)| known == name) {
            limits.retain(|(known, _, _)| known != number);
            limits.push((*number, soft.unwrap_or(u64::MAX), hard.unwrap_or(u64::MAX)));
        }
    }
    limits
}
