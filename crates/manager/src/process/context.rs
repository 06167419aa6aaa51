//! The execution context of a unit, as far as it is numbers (systemd.exec(5)).

use softboot_sys::spawn::{Capabilities, Scheduling, SpawnPlan};
use softboot_unit::{CpuPolicy, ExecCommand, ExecContext, IoClass, Scheduling as Wanted};

use super::account::Account;
use super::limits::limits;
use super::refused::{Refused, c_string, code};
use super::terminal;

/// Fills in what the settings say; for a command with `+` without what takes rights away.
pub(super) fn apply(
    plan: &mut SpawnPlan<'_>,
    exec: &ExecContext,
    account: &Account,
    command: &ExecCommand,
    nofile: (u64, u64),
) -> Result<(), Refused> {
    plan.uid = account.user.as_ref().map(|user| user.uid);
    plan.gid = account.gid;
    plan.groups.clone_from(&account.groups);
    plan.umask = exec.umask;
    plan.nice = exec.nice;
    plan.oom_score_adjust = exec.oom_score_adjust;
    plan.ignore_sigpipe = exec.ignore_sigpipe;
    plan.terminal = terminal::before(exec, account)?;
    plan.scheduling = scheduling(&exec.scheduling)?;
    plan.io_priority = io_priority(&exec.scheduling);
    plan.personality = exec.personality.as_deref().map(personality).transpose()?;
    if !command.full_privileges {
        plan.no_new_privileges = exec.no_new_privileges;
        plan.capabilities = Capabilities {
            bounding: exec.capability_bounding_set.map(|set| set.0),
            ambient: exec.ambient_capabilities.0,
            secure_bits: exec.secure_bits,
        };
    }
    if let Some(directory) = &exec.working_directory {
        let home = account.user.as_ref().map_or("/root", |user| user.home.as_str());
        let directory = if directory == "~" { home } else { directory };
        plan.working_directory = Some((c_string(directory.to_owned())?, exec.working_directory_optional));
    }
    plan.rlimits = limits(exec, nofile);
    Ok(())
}

/// Numbers of linux/sched.h. A priority without a policy means round-robin, and the real-time policies need one.
fn scheduling(wanted: &Wanted) -> Result<Option<Scheduling>, Refused> {
    if wanted.cpu_policy.is_none() && wanted.cpu_priority.is_none() && !wanted.reset_on_fork {
        return Ok(None);
    }
    let policy = match wanted.cpu_policy {
        Some(policy) => policy,
        None if wanted.cpu_priority.is_some() => CpuPolicy::Rr,
        None => CpuPolicy::Other,
    };
    let (number, real_time) = match policy {
        CpuPolicy::Other => (0, false),
        CpuPolicy::Fifo => (1, true),
        CpuPolicy::Rr => (2, true),
        CpuPolicy::Batch => (3, false),
        CpuPolicy::Idle => (5, false),
        CpuPolicy::Ext => (7, false),
    };
    let priority = match (real_time, wanted.cpu_priority) {
        (true, priority) => i32::try_from(priority.unwrap_or(1)).unwrap_or(1),
        (false, None) => 0,
        (false, Some(priority)) => {
            return Err(Refused {
                error: format!("CPUSchedulingPriority={priority} needs CPUSchedulingPolicy=fifo or rr"),
                code: code::SCHEDULER,
            });
        }
    };
    Ok(Some(Scheduling {
        policy: number,
        priority,
        reset_on_fork: wanted.reset_on_fork,
    }))
}

/// Class and priority of ioprio_set(2). A priority without a class is one of best-effort; 4 is the middle.
fn io_priority(wanted: &Wanted) -> Option<i32> {
    const CLASS_SHIFT: i32 = 13;
    let class = match (wanted.io_class, wanted.io_priority) {
        (None, None) => return None,
        (None, Some(_)) => IoClass::BestEffort,
        (Some(class), _) => class,
    };
    let priority = i32::try_from(wanted.io_priority.unwrap_or(4)).unwrap_or(4);
    Some(match class {
        IoClass::None => 0,
        IoClass::Realtime => 1 << CLASS_SHIFT | priority,
        IoClass::BestEffort => 2 << CLASS_SHIFT | priority,
        IoClass::Idle => 3 << CLASS_SHIFT,
    })
}

/// The personality under which uname(2) shows this architecture; a foreign one cannot be had.
fn personality(architecture: &str) -> Result<u64, Refused> {
    const NATIVE: u64 = 0;
    const NARROW: u64 = 8;
    let pairs = [
        ("x86_64", "x86-64", "x86"),
        ("aarch64", "arm64", "arm"),
        ("s390x", "s390x", "s390"),
        ("powerpc64", "ppc64", ""),
        ("riscv64", "riscv64", ""),
        ("loongarch64", "loongarch64", ""),
    ];
    let own = pairs
        .into_iter()
        .find(|(name, ..)| *name == std::env::consts::ARCH);
    match own {
        Some((_, wide, _)) if wide == architecture => Ok(NATIVE),
        Some((_, _, narrow)) if narrow == architecture => Ok(NARROW),
        _ => Err(Refused {
            error: format!(
                "Personality={architecture}: this machine is {}",
                std::env::consts::ARCH
            ),
            code: code::PERSONALITY,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_alone_is_round_robin_and_needs_a_policy_that_has_priorities() {
        let wanted = |policy, priority| Wanted {
            cpu_policy: policy,
            cpu_priority: priority,
            ..Wanted::default()
        };
        let of = |wanted| scheduling(&wanted).map(|found| found.map(|found| (found.policy, found.priority)));
        assert_eq!(of(wanted(None, None)).unwrap(), None);
        assert_eq!(of(wanted(None, Some(7))).unwrap(), Some((2, 7)));
        assert_eq!(of(wanted(Some(CpuPolicy::Fifo), None)).unwrap(), Some((1, 1)));
        assert_eq!(of(wanted(Some(CpuPolicy::Idle), None)).unwrap(), Some((5, 0)));
        let refused = of(wanted(Some(CpuPolicy::Batch), Some(1))).unwrap_err();
        assert_eq!(refused.code, 214);
    }

    #[test]
    fn an_io_priority_has_its_class_above_it() {
        let of = |io_class, io_priority| {
            super::io_priority(&Wanted {
                io_class,
                io_priority,
                ..Wanted::default()
            })
        };
        assert_eq!(of(None, None), None);
        assert_eq!(of(None, Some(1)), Some(0x4001));
        assert_eq!(of(Some(IoClass::Realtime), Some(7)), Some(0x2007));
        assert_eq!(of(Some(IoClass::Idle), Some(7)), Some(0x6000));
    }

    #[test]
    fn a_foreign_architecture_is_refused() {
        assert_eq!(personality("mips").unwrap_err().code, 230);
    }
}
