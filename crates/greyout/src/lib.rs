//! Grey-out prober and report, for any init.
