//! softboot-probe
fn main() {}
