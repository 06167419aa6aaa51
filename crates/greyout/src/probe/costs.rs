//! What the probing itself costs.

use hdrhistogram::Histogram;

use crate::attempt::Attempt;
use crate::record::EndpointCost;

/// How punctual one endpoint's thread is.
#[derive(Debug)]
pub(super) struct Punctuality {
    /// `None` only if two significant figures up to an hour were no possible histogram.
    late: Option<Histogram<u64>>,
}

impl Punctuality {
    pub(super) fn new() -> Punctuality {
        Punctuality {
            late: Histogram::new_with_bounds(1, 3_600_000_000_000, 2).ok(),
        }
    }

    /// An attempt before which the thread slept.
    pub(super) fn woke(&mut self, attempt: &Attempt) {
        if let Some(late) = &mut self.late {
            late.saturating_record(attempt.started.saturating_sub(attempt.due));
        }
    }

    pub(super) fn cost(&self, cpu: u64) -> EndpointCost {
        let late = self.late.as_ref();
        let quantile = |q| late.map_or(0, |late| late.value_at_quantile(q));
        EndpointCost {
            cpu,
            wakeups: late.map_or(0, Histogram::len),
            late_median: quantile(0.5),
            late_p99: quantile(0.99),
            late_max: late.map_or(0, Histogram::max),
        }
    }
}
