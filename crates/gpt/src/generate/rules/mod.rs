//! How the next token is chosen: rules, one after the other, and one draw from what they leave.
//!
//! A rule sees the tokens so far and the candidates for the next, and removes some or changes their scores. The registered
//! ones work in the order of [`RULES`], which is that of transformers. To add one: a file here with its [`Rule`] and its
//! `KIND`, and its name in `rules!` below. The program then has a flag for it.

mod min_p;
mod never;
mod rule;
mod sampler;
mod temperature;
mod top_k;
mod top_p;

pub use min_p::MinP;
pub use never::Never;
pub use rule::{Candidate, Candidates, Rule, RuleKind};
pub use sampler::Sampler;
pub use temperature::Temperature;
pub use top_k::TopK;
pub use top_p::TopP;

/// Declares the registry.
macro_rules! rules {
    ($($name:ident),* $(,)?) => {
        /// All rules, in the order in which they work.
        pub const RULES: &[RuleKind] = &[$($name::KIND),*];
    };
}

rules!(never, temperature, top_k, top_p, min_p);

#[cfg(test)]
mod tests {
    use super::*;

    /// A file here that is no part of the registry does nothing, and nobody would notice.
    #[test]
    fn every_file_is_registered() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generate/rules");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            let is_rule = !["mod", "rule", "sampler", "sampler_tests"].contains(&&name[..]);
            let registered = RULES.iter().any(|kind| kind.name == name);
            assert_eq!(registered, is_rule, "{name}: add it to `rules!` in generate/rules/mod.rs");
        }
    }

    #[test]
    fn every_kind_parses_its_default_and_refuses_nonsense() {
        for kind in RULES {
            if let Some(default) = kind.default {
                assert_eq!((kind.parse)(default).unwrap().name(), kind.name);
            }
            assert!((kind.parse)("nonsense").is_err(), "{}", kind.name);
        }
    }
}
