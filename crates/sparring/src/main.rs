//! The `sparring` binary: parse, match, run, exit code.

fn main() {}
