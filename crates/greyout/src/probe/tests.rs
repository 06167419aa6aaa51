//! Probing real sockets. Nothing here depends on how fast the machine is.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;
use crate::attempt::Outcome;
use crate::record::{MarkKind, Recording, Tail};

#[test]
fn due_times_do_not_depend_on_the_attempts() {
    let schedule = Schedule::new(100, Duration::from_nanos(10));
    assert_eq!(
        (schedule.due(0), schedule.due(1), schedule.due(50)),
        (100, 110, 600)
    );
}

#[test]
fn records_refusals_at_their_due_times() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let prober = Prober::start(
        Endpoint::Echo(address),
        Duration::from_millis(1),
        Duration::from_secs(10),
    );
    std::thread::sleep(Duration::from_millis(20));
    let record = prober.stop();
    assert!(!record.is_empty());
    assert!(record.iter().all(|attempt| attempt.outcome == Outcome::Refused));
    assert!(record.iter().all(|attempt| attempt.started >= attempt.due));
    assert!(
        record
            .windows(2)
            .all(|pair| pair[1].due - pair[0].due == 1_000_000)
    );
}

fn probe(name: &str, endpoint: Endpoint) -> Probe {
    Probe {
        name: name.to_owned(),
        endpoint,
        interval: Duration::from_millis(1),
        timeout: Duration::from_secs(20),
    }
}

#[test]
fn a_whole_probing_leaves_a_whole_record_with_marks_and_cost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 64];
            let length = stream.read(&mut buffer).unwrap();
            stream.write_all(&buffer[..length]).unwrap();
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let (enough, marks) = (directory.path().join("enough"), directory.path().join("marks"));
    let plan = Plan {
        probes: vec![probe("echo", Endpoint::Echo(address))],
        until_file: Some(enough.clone()),
        marks: Some(marks.clone()),
        ..Plan::default()
    };
    let mut bytes = Vec::new();
    let mut marked = false;
    let finished = run(&plan, &mut bytes, &AtomicBool::new(false), |elapsed| {
        if !marked {
            send_mark(&marks, "begin nothing").unwrap();
            marked = true;
        }
        if elapsed > 300_000_000 {
            std::fs::write(&enough, "").unwrap();
        }
    });
    let finished = finished.unwrap();
    let record = Recording::read(&bytes).unwrap();
    assert_eq!(record.tail, Tail::Whole);
    assert_eq!(record.ending.as_ref(), Some(&finished.ending));
    assert_eq!(finished.ending.reason, "file");
    assert!(finished.ending.cost.cpu > 0);
    assert!(finished.ending.cost.endpoints[0].wakeups > 0);
    assert_eq!(record.marks.len(), 1);
    assert_eq!(
        (record.marks[0].kind, record.marks[0].name.as_str()),
        (MarkKind::Begin, "nothing")
    );
    let good = record.attempts[0]
        .iter()
        .filter(|attempt| attempt.is_good())
        .count() as u64;
    assert_eq!(finished.outcomes[0].get(&Outcome::Good), Some(&good));
    assert!(good > 0);
}

#[test]
fn an_attempt_that_nobody_answers_does_not_hold_up_the_end() {
    // Listens, and never accepts.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plan = Plan {
        probes: vec![Probe {
            timeout: Duration::from_secs(3600),
            ..probe("silent", Endpoint::Echo(listener.local_addr().unwrap()))
        }],
        ..Plan::default()
    };
    let mut bytes = Vec::new();
    let stop = AtomicBool::new(false);
    let finished = run(&plan, &mut bytes, &stop, |elapsed| {
        stop.store(elapsed > 50_000_000, Ordering::Relaxed);
    });
    let ending = finished.unwrap().ending;
    assert_eq!(ending.reason, "signal");
    assert_eq!(ending.in_flight.len(), 1);
    assert!(ending.in_flight[0].started >= ending.in_flight[0].due);
}

#[test]
fn two_probes_of_one_service_agree_on_how_long_it_was_away() {
    use crate::measure::{Window, greyout_within};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stall = Arc::new(std::sync::Mutex::new(()));
    let held = Arc::clone(&stall);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let held = Arc::clone(&held);
            std::thread::spawn(move || {
                let mut buffer = [0; 64];
                let length = stream.read(&mut buffer).unwrap_or(0);
                drop(held.lock().unwrap());
                let _ = stream.write_all(&buffer[..length]);
            });
        }
    });
    let start = || {
        Prober::start(
            Endpoint::Echo(address),
            Duration::from_millis(2),
            Duration::from_secs(60),
        )
    };
    let probers = [start(), start()];
    // A quiet second first: what the machine does to the probes by itself is the measure of agreement.
    let quiet = Window {
        begin: clock::now() + 100_000_000,
        end: clock::now() + 900_000_000,
    };
    clock::sleep_until(quiet.end + 100_000_000);
    let holding = stall.lock().unwrap();
    let begin = clock::now();
    std::thread::sleep(Duration::from_millis(250));
    let end = clock::now();
    drop(holding);
    std::thread::sleep(Duration::from_millis(300));
    let records = probers.map(Prober::stop);
    let length = |record: &[Attempt], window| greyout_within(record, window).length.unwrap();
    let seen: Vec<u64> = records
        .iter()
        .map(|record| length(record, Window { begin, end }))
        .collect();
    let noise = records.iter().map(|record| length(record, quiet)).max().unwrap();
    // A loaded machine can also be late just once, at the worst moment.
    let allowed = 4 * noise + 200_000_000;
    for &seen in &seen {
        assert!(seen >= end - begin, "{seen} is shorter than the stall");
        assert!(
            seen <= end - begin + allowed,
            "{seen} against {} with noise {noise}",
            end - begin
        );
    }
    assert!(
        seen[0].abs_diff(seen[1]) <= allowed,
        "{seen:?} with noise {noise}"
    );
}
