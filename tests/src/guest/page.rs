//! Scenario 2: a socket-activated web server that nobody finds closed.

use std::time::Duration;

use softboot_greyout::measure::longest_silence;
use softboot_greyout::{Endpoint, Outcome, Prober, clock, greyout};

use super::check::{Output, PATIENCE};
use super::net::{HTTP, fetch, is_page};
use super::{Options, control};
use crate::error::Error;

const SERVICE: &str = "lighttpd.service";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    output.check(is_page(&fetch()?), "the page is served")?;

    let before = control::Unit::get(SERVICE)?.main_pid();
    control::stop(SERVICE)?;
    output.same(&control::Unit::get(SERVICE)?.main_pid(), &0, "lighttpd is down")?;
    output.check(
        is_page(&fetch()?),
        "a client that connects while lighttpd is down is answered",
    )?;
    let after = control::Unit::get(SERVICE)?.main_pid();
    output.check(
        after != 0 && after != before,
        "by a lighttpd that was started for it",
    )?;

    let endpoint = Endpoint::Http {
        address: HTTP,
        path: "/".to_owned(),
    };
    let prober = Prober::start(endpoint, Duration::from_millis(10), PATIENCE);
    std::thread::sleep(Duration::from_millis(200));
    let event = clock::now();
    let rebooted = control::soft_reboot();
    let served = fetch();
    let record = prober.stop();
    rebooted?;
    output.check(is_page(&served?), "the page is served after a soft-reboot")?;

    let seen = greyout(&record, event);
    let bad = record
        .iter()
        .filter(|attempt| attempt.outcome != Outcome::Good)
        .count();
    output.check(
        bad == 0,
        format!(
            "{} clients before, during and after it are all answered ({} refused, {} cut, {} timed out, {} wrong)",
            record.len(),
            seen.refused,
            seen.reset,
            seen.timed_out,
            seen.wrong
        ),
    )?;
    output.note(format!(
        "grey-out: at most {:.1} ms without a reply, worst latency {:.1} ms (not judged)",
        millis(longest_silence(&record).unwrap_or(0)),
        millis(seen.worst_latency)
    ));
    Ok(())
}

fn millis(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64() * 1e3
}
