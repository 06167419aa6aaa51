//! Builds the initrd.
