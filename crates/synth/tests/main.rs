//! The integration tests of this crate, one program: linking it is what takes the time. A new file is a line here
//! (`crates/cli/tests/layout.rs` holds that).

mod exact;
mod kinds;
mod oracle;
mod specs;
