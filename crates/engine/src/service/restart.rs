//! Whether another run follows, and when (semantics 4.7).

use softboot_unit::{RestartPolicy, RestartSettings, ServiceSection, ServiceType, Usec};

use crate::engine::Engine;
use crate::event::{ExitStatus, UnitId};
use crate::service::Service;
use crate::state::{JobKind, ServiceResult};

impl Engine {
    /// The table of semantics 4.7, and what stands above it.
    pub(super) fn wants_restart(&self, unit: UnitId) -> bool {
        let (Some(service), Some(section)) = (self.service(unit), self.service_section(unit)) else {
            return false;
        };
        let job = self.units[unit].job.and_then(|id| self.jobs.get(id));
        if service.forbid_restart || self.ending.is_some() || job.is_some_and(|job| job.kind == JobKind::Stop)
        {
            return false;
        }
        // A restart or start job that waits for this end does the same by itself.
        if job.is_some_and(|job| job.kind == JobKind::Restart) {
            return false;
        }
        by_status(service, section).unwrap_or_else(|| restarts(section.restart, service.result))
    }

    /// How long until then.
    pub(super) fn restart_delay(&self, unit: UnitId) -> Usec {
        let (Some(service), Some(section)) = (self.service(unit), self.service_section(unit)) else {
            return Usec::ZERO;
        };
        let settings = &section.restart_settings;
        let delay = stepped(
            section.restart_delay,
            settings,
            service.restarts.saturating_add(1),
        );
        delay.plus(self.spread(unit, settings.randomized_delay))
    }

    /// RuntimeMaxSec= and what RuntimeRandomizedExtraSec= adds to it.
    pub(super) fn runtime_limit(&self, unit: UnitId) -> Usec {
        let Some(section) = self.service_section(unit) else {
            return Usec::INFINITY;
        };
        if section.runtime_max.is_infinite() {
            return Usec::INFINITY;
        }
        section
            .runtime_max
            .plus(self.spread(unit, section.runtime_randomized_extra))
    }

    /// A part of `most` that differs between units and between moments. The engine draws no random numbers: the same
    /// events at the same times give the same actions (FNV-1a over the name and the clock).
    fn spread(&self, unit: UnitId, most: Usec) -> Usec {
        if most == Usec::ZERO || most.is_infinite() {
            return Usec::ZERO;
        }
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let name = self.units[unit].name().as_str().as_bytes();
        let hash = name
            .iter()
            .copied()
            .chain(self.now.monotonic.0.to_le_bytes())
            .fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        Usec(hash.checked_rem(most.0.saturating_add(1)).unwrap_or(0))
    }
}

/// RestartPreventExitStatus= and RestartForceExitStatus=.
fn by_status(service: &Service, section: &ServiceSection) -> Option<bool> {
    let status = service.main_status?;
    let listed = |codes: &[i32], signals: &[i32]| match status {
        ExitStatus::Exited(code) => codes.contains(&code),
        ExitStatus::Signaled(signal) | ExitStatus::Dumped(signal) => signals.contains(&signal),
    };
    let settings = &section.restart_settings;
    if listed(&section.restart_prevent_codes, &settings.prevent_signals) {
        return Some(false);
    }
    let good_oneshot =
        section.service_type == ServiceType::Oneshot && service.result == ServiceResult::Success;
    (listed(&section.restart_force_codes, &settings.force_signals) && !good_oneshot).then_some(true)
}

/// The delay before the `count`th automatic restart in a row: from `first` to RestartMaxDelaySec= in RestartSteps=
/// steps of one factor.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "delays are far below 2^53 µs, positive, and no exact number is promised"
)]
fn stepped(first: Usec, settings: &RestartSettings, count: u32) -> Usec {
    let (steps, most) = (settings.steps, settings.max_delay);
    if steps == 0 || most.is_infinite() || most <= first || first == Usec::ZERO {
        return first;
    }
    if count > steps {
        return most;
    }
    let factor = most.0 as f64 / first.0 as f64;
    let share = f64::from(count.saturating_sub(1)) / f64::from(steps);
    Usec((first.0 as f64 * factor.powf(share)) as u64).min(most)
}

fn restarts(policy: RestartPolicy, result: ServiceResult) -> bool {
    use RestartPolicy as P;
    use ServiceResult as R;
    match result {
        R::ExecCondition | R::StartLimitHit => false,
        R::Success => matches!(policy, P::Always | P::OnSuccess),
        R::ExitCode => matches!(policy, P::Always | P::OnFailure),
        R::Signal | R::CoreDump => matches!(policy, P::Always | P::OnFailure | P::OnAbnormal | P::OnAbort),
        R::Watchdog => matches!(policy, P::Always | P::OnFailure | P::OnAbnormal | P::OnWatchdog),
        R::Timeout | R::Resources | R::Protocol | R::OomKill => {
            matches!(policy, P::Always | P::OnFailure | P::OnAbnormal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RestartPolicy as P;
    use ServiceResult as R;

    #[test]
    fn delays_grow_by_one_factor_to_the_maximum_as_4_7_says() {
        let settings = RestartSettings {
            steps: 3,
            max_delay: Usec::from_secs(8),
            ..RestartSettings::default()
        };
        let delays: Vec<u64> = (1..=5)
            .map(|count| stepped(Usec::from_secs(1), &settings, count).0.div_ceil(1000))
            .collect();
        assert_eq!(delays, [1000, 2000, 4000, 8000, 8000]);
        let off = RestartSettings::default();
        assert_eq!(stepped(Usec::from_secs(1), &off, 100), Usec::from_secs(1));
        assert_eq!(stepped(Usec::ZERO, &settings, 9), Usec::ZERO);
    }

    #[test]
    fn the_restart_table_of_semantics_4_7() {
        let policies = [
            P::No,
            P::Always,
            P::OnSuccess,
            P::OnFailure,
            P::OnAbnormal,
            P::OnAbort,
            P::OnWatchdog,
        ];
        let rows = [
            (R::Success, ".XX...."),
            (R::ExitCode, ".X.X..."),
            (R::Signal, ".X.XXX."),
            (R::CoreDump, ".X.XXX."),
            (R::Timeout, ".X.XX.."),
            (R::Watchdog, ".X.XX.X"),
            (R::Resources, ".X.XX.."),
            (R::Protocol, ".X.XX.."),
            (R::OomKill, ".X.XX.."),
            (R::ExecCondition, "......."),
        ];
        for (result, row) in rows {
            for (policy, mark) in policies.iter().zip(row.chars()) {
                assert_eq!(
                    restarts(*policy, result),
                    mark == 'X',
                    "{result:?} with {policy:?}"
                );
            }
        }
    }
}
