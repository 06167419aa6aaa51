//! softboot's control interface: Varlink types, server glue, client.
