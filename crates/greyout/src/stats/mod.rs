//! From attempts and marks to figures. Everything here is pure.

mod bootstrap;
mod compare;
mod distribution;
mod period;

pub use bootstrap::{Interval, median, median_interval, ratio_interval};
pub use compare::{Comparison, Sample, Verdict, compare};
pub use distribution::{Distribution, Latencies, Spread};
pub use period::{Event, events, pseudo_events};
