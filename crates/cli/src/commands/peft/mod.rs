//! `newleaf peft`: adapters, by themselves and in the weights of their base.

pub(crate) const ABOUT: &str = "Adapters: what is in one, into the weights of its base, and back";

commands! {
    info,
    merge,
    unmerge,
}
