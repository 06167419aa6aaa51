//! Re-exec coordinator: a manager's state in a sealed memfd, handed to the next program.
