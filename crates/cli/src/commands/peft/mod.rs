//! `newleaf peft`: adapters, by themselves and in the weights of their base.

pub(crate) const ABOUT: &str = "Inspect adapters, merge them into their base, and undo it";

commands! {
    info,
    merge,
    unmerge,
}
