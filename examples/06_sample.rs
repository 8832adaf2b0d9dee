//! Writes.
fn main() {}
