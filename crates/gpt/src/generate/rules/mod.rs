//! How the next token is chosen: rules, one after the other, and one draw from what they leave.
//!
//! A rule sees the tokens so far and the candidates for the next, and removes some or changes their scores. The registered
//! ones work in the order of [`RULES`], which is that of transformers. To add one: a file here with its [`Rule`] and its
//! `KIND`, and a line of `rules!` below. The program then has a flag for it.

mod rule;
mod sampler;

pub use rule::{Candidate, Candidates, Rule, RuleKind};
pub use sampler::Sampler;

/// Declares the modules, their rules and [`RULES`], a line a rule: file and type.
macro_rules! rules {
    ($($file:ident $Rule:ident;)*) => {
        $(
            mod $file;
            pub use $file::$Rule;
        )*

        /// All rules, in the order in which they work.
        pub const RULES: &[RuleKind] = &[$($file::KIND),*];
    };
}

rules! {
    never Never;
    temperature Temperature;
    top_k TopK;
    top_p TopP;
    min_p MinP;
}

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
