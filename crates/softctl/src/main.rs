//! softctl: the command line client.

fn main() {}
