//! `newleaf peft`: adapters, by themselves and in the weights of their base.

pub(crate) const ABOUT: &str = "Adapters: what is in them, merge into the base, unmerge";

commands! {
    info,
    merge,
    unmerge,
}
