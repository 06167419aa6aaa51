//! A service that does not end when it is asked to, nor do its children.

use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use softboot_programs::error::{Context, Error, exit};
use softboot_programs::signals;

const CHILDREN: usize = 2;

fn main() -> std::process::ExitCode {
    exit("stubborn", run())
}

fn run() -> Result<(), Error> {
    signals::shrug_off()?;
    let _children = match std::env::args().nth(1).as_deref() {
        Some("child") => Vec::new(),
        None => spawn_children()?,
        Some(other) => {
            return Err(Error::Usage(format!(
                "no such mode: {other} (usage: stubborn [child])"
            )));
        }
    };
    loop {
        sleep(Duration::from_secs(3600));
    }
}

fn spawn_children() -> Result<Vec<Child>, Error> {
    let program = std::env::current_exe().doing("finding the own program")?;
    (0..CHILDREN)
        .map(|_| {
            Command::new(&program)
                .arg("child")
                .spawn()
                .doing("starting a child")
        })
        .collect()
}
