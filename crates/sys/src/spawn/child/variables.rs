//! The variables that only the child can know.

use std::ffi::c_int;

use super::Prepared;

/// Room for `LISTEN_PIDFDID=` or `SYSTEMD_EXEC_PID=` and 20 digits.
pub(super) const ASSIGNMENT_LEN: usize = 40;
/// How many there are at most, LISTEN_FDNAMES= among them.
pub(super) const OWN_VARIABLES: usize = 5;

/// The LISTEN_ variables (sd_listen_fds(3)) and SYSTEMD_EXEC_PID= (systemd.exec(5)), in the places left free for them.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn add(prepared: &mut Prepared<'_>) {
    let opens = !prepared.plan.open_files.is_empty();
    let listen = prepared.plan.listen_pid || (opens && prepared.passed > 0);
    // SAFETY: getpid cannot fail; the pidfd is closed again.
    let (pid, id) = unsafe {
        let pid = libc::getpid();
        (pid, if listen { own_pidfd_id(pid) } else { None })
    };
    let pid = u64::try_from(pid).ok();
    let assignments: [(&[u8], Option<u64>); OWN_VARIABLES - 1] = [
        (b"LISTEN_FDS=", Some(prepared.passed).filter(|_| opens && listen)),
        (b"LISTEN_PID=", pid.filter(|_| listen)),
        (b"LISTEN_PIDFDID=", id),
        (b"SYSTEMD_EXEC_PID=", pid.filter(|_| prepared.plan.exec_pid)),
    ];
    let mut free = prepared.env_free;
    for ((name, value), buffer) in assignments.into_iter().zip(&mut prepared.own_variables) {
        let Some(value) = value else { continue };
        format_assignment(buffer, name, value);
        if let Some(place) = prepared.env.get_mut(free) {
            *place = buffer.as_ptr().cast();
            free += 1;
        }
    }
    // Room for the end was kept.
    if opens && listen && prepared.names.len() < prepared.names.capacity() {
        prepared.names.push(0);
        if let Some(place) = prepared.env.get_mut(free) {
            *place = prepared.names.as_ptr().cast();
        }
    }
}

/// # Safety
/// As for [`super::run`].
unsafe fn own_pidfd_id(pid: c_int) -> Option<u64> {
    const PIDFS_MAGIC: i64 = 0x5049_4446;
    // SAFETY: zeroed structs are valid targets for fstatfs and fstat; the descriptor is ours and closed again.
    unsafe {
        let fd = c_int::try_from(libc::syscall(libc::SYS_pidfd_open, pid, 0))
            .ok()
            .filter(|fd| *fd >= 0)?;
        let mut filesystem: libc::statfs = std::mem::zeroed();
        let mut stat: libc::stat = std::mem::zeroed();
        let found = libc::fstatfs(fd, &raw mut filesystem) == 0
            && filesystem.f_type as i64 == PIDFS_MAGIC
            && libc::fstat(fd, &raw mut stat) == 0;
        libc::close(fd);
        found.then_some(stat.st_ino)
    }
}

/// `NAME=` and the number in decimal, terminated by NUL. The buffer is long enough for all names and any number.
fn format_assignment(buffer: &mut [u8; ASSIGNMENT_LEN], name: &[u8], value: u64) {
    let mut digits = [0_u8; 20];
    let mut count = 0;
    let mut rest = value;
    for slot in &mut digits {
        *slot = b'0'.wrapping_add(u8::try_from(rest % 10).unwrap_or(0));
        count += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let text = name.iter().chain(digits.iter().take(count).rev()).chain(&[0]);
    for (slot, byte) in buffer.iter_mut().zip(text) {
        *slot = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn numbers_are_written_in_decimal_without_allocating() {
        for value in [0, 7, 10, 4711, u64::MAX] {
            let mut buffer = [1; ASSIGNMENT_LEN];
            format_assignment(&mut buffer, b"LISTEN_PIDFDID=", value);
            let text = CStr::from_bytes_until_nul(&buffer).unwrap().to_str().unwrap();
            assert_eq!(text, format!("LISTEN_PIDFDID={value}"));
        }
    }
}
