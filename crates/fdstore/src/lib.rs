//! An fd store that any daemon can embed: descriptors that outlive their owner.
