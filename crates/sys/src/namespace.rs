//! A mount table of one's own.

use rustix::io::Errno;

/// Gives this process a copy of the mount table. What it mounts from now on, nobody else sees, once its copy is private
/// (mount_namespaces(7)). Only for a program with one thread that owns its whole process.
///
/// Reference: unshare(2), CLONE_NEWNS.
pub fn unshare_mounts() -> Result<(), Errno> {
    // SAFETY: unshare takes a number only. With this flag it touches no memory and no descriptor table.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(crate::exec::last_errno());
    }
    Ok(())
}
