//! Benchmarks: each figure beside a floor, the bare kernel doing the same work, and where one can run a peer, all in
//! one run and in turns. Only ratios are worth keeping; absolute times are the machine's.
//!
//! [`measure`] runs cases in turns, [`record`] is what comes out as JSON, [`table`] what a person sees. The cases
//! themselves are one module a subject.

pub mod engine;
pub mod error;
pub mod fdstore;
pub mod greyout;
pub mod machine;
pub mod measure;
pub mod pid1;
pub mod record;
pub mod spawn;
pub mod table;
