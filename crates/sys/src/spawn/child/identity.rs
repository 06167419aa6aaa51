//! As whom, and with which rights.

use std::ffi::c_ulong;

use crate::spawn::plan::{Capabilities, SpawnPlan};
use crate::spawn::status::Step;

/// Groups before the user, afterwards there is no right to set them; the bounding set before the user for the same
/// reason; ambient capabilities after it, because the change takes them away.
///
/// # Safety
/// As for [`super::run`].
pub(super) unsafe fn take(plan: &SpawnPlan<'_>) -> Result<(), Step> {
    // The raw calls: libc's would signal other threads of this program, which the child does not have.
    // SAFETY: numbers, and a pointer to an array of the given length.
    unsafe {
        if let Some(groups) = &plan.groups
            && libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) != 0
        {
            return Err(Step::Groups);
        }
        if let Some(gid) = plan.gid
            && libc::syscall(libc::SYS_setresgid, gid, gid, gid) != 0
        {
            return Err(Step::Group);
        }
        let Capabilities {
            bounding,
            ambient,
            secure_bits,
        } = plan.capabilities;
        if let Some(bounding) = bounding
            && !drop_beyond(bounding)
        {
            return Err(Step::Capabilities);
        }
        let keep = ambient != 0 || secure_bits != 0;
        if keep && plan.uid.is_some() && libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 {
            return Err(Step::Capabilities);
        }
        if let Some(uid) = plan.uid
            && libc::syscall(libc::SYS_setresuid, uid, uid, uid) != 0
        {
            return Err(Step::User);
        }
        if (keep || bounding.is_some()) && !inherit(ambient, keep) {
            return Err(Step::Capabilities);
        }
        if !raise(ambient) {
            return Err(Step::Capabilities);
        }
        if secure_bits != 0 && libc::prctl(libc::PR_SET_SECUREBITS, c_ulong::from(secure_bits), 0, 0, 0) != 0
        {
            return Err(Step::SecureBits);
        }
    }
    Ok(())
}

/// Bit N of a set is capability number N.
fn bits() -> impl Iterator<Item = (c_ulong, u64)> {
    (0..64).map(|number| (number, 1_u64 << number))
}

/// Takes everything else out of the bounding set; a newer kernel's capabilities too.
///
/// # Safety
/// As for [`super::run`].
unsafe fn drop_beyond(bounding: u64) -> bool {
    for (number, bit) in bits() {
        // SAFETY: prctl with numbers only.
        unsafe {
            match libc::prctl(libc::PR_CAPBSET_READ, number, 0, 0, 0) {
                // The kernel has no more of them.
                ..0 => return true,
                0 => {}
                _ if bounding & bit != 0 => {}
                _ => {
                    if libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) != 0 {
                        return false;
                    }
                }
            }
        }
    }
    true
}

/// The inheritable set becomes `set`, and with `use_all` every permitted capability effective: the change of the user
/// has cleared that.
///
/// # Safety
/// As for [`super::run`].
unsafe fn inherit(set: u64, use_all: bool) -> bool {
    const VERSION_3: u32 = 0x2008_0522;
    // capabilities(7): effective, permitted and inheritable, the low 32 bits of each, then the high ones.
    let mut data = [[0_u32; 3]; 2];
    // The version, and 0 for this process.
    let header = [VERSION_3, 0];
    // SAFETY: the header is version and process, the data two triples, as capget(2) has them for this version.
    unsafe {
        if libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) != 0 {
            return false;
        }
        let [low, high] = &mut data;
        let [a, b, c, d, e, f, g, h] = set.to_le_bytes();
        for ([effective, permitted, inheritable], part) in [
            (low, u32::from_le_bytes([a, b, c, d])),
            (high, u32::from_le_bytes([e, f, g, h])),
        ] {
            *inheritable = part;
            if use_all {
                *effective = *permitted;
            }
        }
        libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) == 0
    }
}

/// # Safety
/// As for [`super::run`].
unsafe fn raise(ambient: u64) -> bool {
    bits()
        .filter(|(_, bit)| ambient & bit != 0)
        // SAFETY: prctl with numbers only.
        .all(|(number, _)| unsafe {
            let action = libc::PR_CAP_AMBIENT_RAISE as c_ulong;
            libc::prctl(libc::PR_CAP_AMBIENT, action, number, 0, 0) == 0
        })
}
