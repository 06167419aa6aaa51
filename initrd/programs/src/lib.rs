//! Demo programs.
