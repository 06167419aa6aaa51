//! Runs in turns, so that what the machine does meanwhile hits all alike.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::error::Error;

/// One contestant: does the work once and says what it measured.
pub type Contestant<'a> = Box<dyn FnMut() -> Result<f64, Error> + 'a>;

/// Runs each of `contestants` once in turn, `runs` times over, after one turn that does not count. The results are in
/// the order of the contestants.
pub fn in_turns(runs: usize, contestants: &mut [Contestant<'_>]) -> Result<Vec<Vec<f64>>, Error> {
    let mut results = vec![Vec::with_capacity(runs); contestants.len()];
    for contestant in contestants.iter_mut() {
        contestant()?;
    }
    for _ in 0..runs {
        for (contestant, results) in contestants.iter_mut().zip(&mut results) {
            results.push(contestant()?);
        }
    }
    Ok(results)
}

/// A stopwatch that counts only while it runs.
#[derive(Debug)]
pub struct Stopwatch {
    clock: ClockId,
    total: Duration,
}

impl Default for Stopwatch {
    fn default() -> Stopwatch {
        Stopwatch {
            clock: ClockId::Monotonic,
            total: Duration::ZERO,
        }
    }
}

impl Stopwatch {
    /// Counts the processor time of this thread: for work that waits for nothing, on a machine that does other things.
    pub fn of_processor() -> Stopwatch {
        Stopwatch {
            clock: ClockId::ThreadCPUTime,
            ..Stopwatch::default()
        }
    }

    /// Counts what `work` takes.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = self.read();
        let result = work();
        self.total = self.total.saturating_add(self.read().saturating_sub(begun));
        result
    }

    /// What was counted, in microseconds.
    pub fn micros(&self) -> f64 {
        self.total.as_secs_f64() * 1e6
    }

    fn read(&self) -> Duration {
        Duration::try_from(clock_gettime(self.clock)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn contestants_take_turns_and_the_first_turn_does_not_count() {
        let order = RefCell::new(Vec::new());
        let contestant = |name: f64| -> Contestant<'_> {
            let order = &order;
            Box::new(move || {
                order.borrow_mut().push(name);
                Ok(name)
            })
        };
        let results = in_turns(2, &mut [contestant(1.0), contestant(2.0)]).unwrap();
        assert_eq!(results, [[1.0, 1.0], [2.0, 2.0]]);
        drop(results);
        assert_eq!(order.into_inner(), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    }

    #[test]
    fn waiting_takes_no_processor_time() {
        let (mut wall, mut processor) = (Stopwatch::default(), Stopwatch::of_processor());
        let pause = Duration::from_millis(20);
        wall.time(|| processor.time(|| std::thread::sleep(pause)));
        assert!(wall.micros() >= pause.as_secs_f64() * 1e6);
        assert!(processor.micros() < wall.micros() / 2.0);
        let before = processor.micros();
        processor.time(|| (0..100_000_u64).map(std::hint::black_box).sum::<u64>());
        assert!(processor.micros() > before);
    }
}
