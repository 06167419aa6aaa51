//! Exit codes (semantics 8.2; the LSB's codes of init scripts).

use softboot_control::api::ApiError;
use softboot_unit::install::{InstallError, UnitFileState};

use crate::error::Error;

/// Everything as asked.
pub(crate) const OK: u8 = 0;
/// A job failed, or something else did; `is-failed`: not failed; `is-system-running`: not `running`.
pub(crate) const FAILURE: u8 = 1;
/// The command line makes no sense. clap ends with the same.
pub(crate) const USAGE: u8 = 2;
/// The unit cannot do this; for `status` and `is-active`: not active.
pub(crate) const NOT_APPLICABLE: u8 = 3;
/// Not active.
pub(crate) const NOT_ACTIVE: u8 = 3;
/// Refused: not allowed, or it would undo what another job does.
pub(crate) const REFUSED: u8 = 4;
/// No such unit, as `status`, `is-active` and `is-failed` say it.
pub(crate) const UNKNOWN_STATE: u8 = 4;
/// No such unit, as the verbs that change something say it.
pub(crate) const NO_SUCH_UNIT: u8 = 5;
/// The unit's file is bad.
pub(crate) const BAD_UNIT: u8 = 6;

/// The code for a call that has no result.
pub(crate) fn code_of(error: &Error) -> u8 {
    match error {
        Error::Unreachable { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => REFUSED,
        Error::Refused { error, .. } => code_of_refusal(error),
        Error::Usage(_) => USAGE,
        Error::File { source, .. } | Error::Unreadable { source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            REFUSED
        }
        Error::Kernel { source } | Error::Load { source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            REFUSED
        }
        Error::Install(InstallError::NotFound(_)) => NO_SUCH_UNIT,
        Error::Unreachable { .. }
        | Error::Connection(_)
        | Error::Output(_)
        | Error::Editor(_)
        | Error::Kernel { .. }
        | Error::Load { .. }
        | Error::File { .. }
        | Error::Unreadable { .. }
        | Error::Install(_) => FAILURE,
    }
}

fn code_of_refusal(error: &ApiError) -> u8 {
    match error {
        ApiError::AccessDenied { .. }
        | ApiError::OnlyByDependency { .. }
        | ApiError::NoIsolation { .. }
        | ApiError::TransactionIsDestructive { .. } => REFUSED,
        ApiError::NoSuchUnit { .. } => NO_SUCH_UNIT,
        ApiError::JobTypeNotApplicable { .. } => NOT_APPLICABLE,
        ApiError::BadUnitSetting { .. } | ApiError::LoadFailed { .. } => BAD_UNIT,
        ApiError::UnitMasked { .. }
        | ApiError::TransactionJobsAreConflicting { .. }
        | ApiError::TransactionOrderIsCyclic { .. }
        | ApiError::ShuttingDown { .. }
        | ApiError::HandoffRefused { .. }
        | ApiError::UnitExists { .. }
        | ApiError::UnitBusy { .. }
        | ApiError::Failed { .. } => FAILURE,
    }
}

/// `status`, `is-active`: the best of the units decides for `is-active` (`any`), the worst for `status`.
pub(crate) fn of_active<'a>(states: impl Iterator<Item = State<'a>>, any: bool) -> u8 {
    let codes = states.map(|state| match state {
        State::Unknown => UNKNOWN_STATE,
        State::Known("active" | "reloading" | "refreshing") => OK,
        State::Known(_) => NOT_ACTIVE,
    });
    let code = if any { codes.min() } else { codes.max() };
    code.unwrap_or(OK)
}

/// `is-failed`: 0 if any unit failed, 4 if none is known, else 1.
pub(crate) fn of_failed<'a>(states: impl Iterator<Item = State<'a>>) -> u8 {
    let codes = states.map(|state| match state {
        State::Unknown => UNKNOWN_STATE,
        State::Known("failed") => OK,
        State::Known(_) => FAILURE,
    });
    codes.min().unwrap_or(FAILURE)
}

/// `is-enabled` (semantics 8.2): 0 if any unit is, 4 if there is none of them, else 1.
pub(crate) fn of_enabled(states: &[UnitFileState]) -> u8 {
    if states.iter().any(|state| state.is_good()) {
        OK
    } else if states.iter().all(|state| *state == UnitFileState::NotFound) {
        UNKNOWN_STATE
    } else {
        FAILURE
    }
}

/// A unit's active state, if there is such a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State<'a> {
    /// No file and no state.
    Unknown,
    /// The active state.
    Known(&'a str),
}

#[cfg(test)]
mod tests {
    use super::State::{Known, Unknown};
    use super::*;

    fn refused(error: ApiError) -> u8 {
        code_of(&Error::Refused {
            doing: "starting a.service".to_owned(),
            error: Box::new(error),
        })
    }

    #[test]
    fn a_refusal_has_the_code_of_its_kind() {
        let message = String::new;
        assert_eq!(refused(ApiError::AccessDenied { message: message() }), 4);
        assert_eq!(
            refused(ApiError::TransactionIsDestructive { message: message() }),
            4
        );
        assert_eq!(refused(ApiError::JobTypeNotApplicable { message: message() }), 3);
        assert_eq!(refused(ApiError::LoadFailed { message: message() }), 6);
        assert_eq!(refused(ApiError::BadUnitSetting { message: message() }), 6);
        assert_eq!(refused(ApiError::UnitMasked { message: message() }), 1);
        let unknown = ApiError::NoSuchUnit {
            name: message(),
            suggestions: Vec::new(),
            message: message(),
        };
        assert_eq!(refused(unknown), 5);
    }

    #[test]
    fn one_active_unit_is_enough_for_is_active_but_not_for_status() {
        let states = [Known("active"), Known("failed"), Unknown];
        assert_eq!(of_active(states.into_iter(), true), 0);
        assert_eq!(of_active(states.into_iter(), false), 4);
        assert_eq!(of_active([Known("inactive"), Unknown].into_iter(), true), 3);
        assert_eq!(of_active([Unknown].into_iter(), true), 4);
        assert_eq!(of_active([Known("activating")].into_iter(), false), 3);
    }

    #[test]
    fn one_enabled_unit_is_enough() {
        use UnitFileState as S;
        assert_eq!(of_enabled(&[S::Disabled, S::Enabled]), 0);
        assert_eq!(of_enabled(&[S::Static]), 0);
        assert_eq!(of_enabled(&[S::Disabled, S::NotFound]), 1);
        assert_eq!(of_enabled(&[S::Masked]), 1);
        assert_eq!(of_enabled(&[S::NotFound]), 4);
    }

    #[test]
    fn is_failed_asks_for_any_failed_unit() {
        assert_eq!(of_failed([Known("active"), Known("failed")].into_iter()), 0);
        assert_eq!(of_failed([Known("active"), Unknown].into_iter()), 1);
        assert_eq!(of_failed([Unknown].into_iter()), 4);
    }
}
