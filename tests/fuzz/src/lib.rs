//! Fuzz targets: each takes any bytes, lets a parser have them, and panics if a rule does not hold.
//!
//! `cargo xtask fuzz` looks for new inputs with libFuzzer. The corpus in `corpus/TARGET`, and inputs that once broke
//! something in `regressions/TARGET`, are run by `cargo test` as well.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is how a target reports, and what it makes itself must be there"
)]

mod leak;
pub mod listen;
pub mod manifest;
pub mod notify;
pub mod snapshot;
pub mod transfer;
pub mod unit;
pub mod varlink;

/// A target: its name, and what runs it.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 7] = [
    ("listen", listen::run),
    ("manifest", manifest::run),
    ("notify", notify::run),
    ("snapshot", snapshot::run),
    ("transfer", transfer::run),
    ("unit", unit::run),
    ("varlink", varlink::run),
];
