//! A bounded fork bomb: a tree of processes, each of which ignores SIGTERM and replaces its children when they end.
//!
//! `forkbomb [FAN [DEPTH]]`: every process above the last level keeps FAN children. The default, 13 and 2, makes
//! 1 + 13 + 169 = 183 processes.

use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use softboot_programs::error::{Context, Error, exit};
use softboot_programs::signals;

/// No tree above this size is started, whatever the arguments say.
const MOST: usize = 200;

fn main() -> std::process::ExitCode {
    exit("forkbomb", run())
}

fn run() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let fan = number(arguments.next(), 13)?;
    let depth = number(arguments.next(), 2)?;
    match tree_size(fan, depth) {
        Some(size) if size <= MOST => {}
        _ => {
            return Err(Error::Usage(format!(
                "more than {MOST} processes: fan {fan}, depth {depth}"
            )));
        }
    }
    signals::shrug_off()?;
    let program = std::env::current_exe().doing("finding the own program")?;
    let mut children: Vec<Child> = Vec::new();
    loop {
        children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        while depth > 0 && children.len() < fan {
            let level = [fan.to_string(), (depth - 1).to_string()];
            match Command::new(&program).args(&level).spawn() {
                Ok(child) => children.push(child),
                // A task limit is no reason to end: that would make the bomb easy to stop.
                Err(_) => break,
            }
        }
        sleep(Duration::from_millis(10));
    }
}

fn number(argument: Option<String>, default: usize) -> Result<usize, Error> {
    match argument {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| Error::Usage(format!("not a number: {text}"))),
    }
}

/// How many processes a tree has; `None` if that overflows.
fn tree_size(fan: usize, depth: usize) -> Option<usize> {
    let mut level = 1_usize;
    let mut size = 1_usize;
    for _ in 0..depth {
        level = level.checked_mul(fan)?;
        size = size.checked_add(level)?;
    }
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_tree_is_bounded() {
        assert_eq!(tree_size(13, 2), Some(183));
        assert_eq!(tree_size(usize::MAX, 2), None);
    }
}
