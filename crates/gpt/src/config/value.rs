//! Values of settings: from text, and the enums among them.

use super::{MaskSplit, Objective, SamplingMode};
use data::objective::OBJECTIVES;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A setting that can be read from text. The error says what would have done.
pub(super) trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, String>;
}

impl FromText for u64 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.replace('_', "").parse().map_err(|_| "a whole number, such as 12 or 5_000".to_string())
    }
}

impl FromText for usize {
    fn from_text(text: &str) -> Result<Self, String> {
        let n = u64::from_text(text)?;
        n.try_into().map_err(|_| format!("at most {}", usize::MAX))
    }
}

impl FromText for f64 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "a number, such as 0.1 or 1e-3".to_string())
    }
}

impl FromText for f32 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "a number, such as 0.1 or 1e-5".to_string())
    }
}

impl FromText for bool {
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "true" | "True" | "1" => Ok(true),
            "false" | "False" | "0" => Ok(false),
            _ => Err("true or false".to_string()),
        }
    }
}

impl<T: FromText> FromText for Option<T> {
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "none" | "None" => Ok(None),
            _ => T::from_text(text).map(Some).map_err(|expected| format!("{expected}, or none")),
        }
    }
}

impl FromText for Objective {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            let names: Vec<&str> = OBJECTIVES.iter().map(|entry| entry.name).collect();
            format!("one of {}, or a mixture such as mix=clm:.5,mlm:.25,span:.25", names.join(", "))
        })
    }
}

impl FromText for MaskSplit {
    fn from_text(text: &str) -> Result<Self, String> {
        let expected =
            "three shares that add up to 1, such as 0.8,0.1,0.1: [MASK], a random token, the token itself";
        text.parse().map_err(|_| expected.to_string())
    }
}

impl FromText for SamplingMode {
    fn from_text(text: &str) -> Result<Self, String> {
        choice(text, &[("crop", Self::Crop), ("epoch", Self::Epoch)])
    }
}

fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let wanted = text.replace('-', "_");
    choices.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("one of {}", names.join(", "))
    })
}

/// Declares enums whose variants have one name each, in files and on the command line.
macro_rules! choices {
    ($($(#[doc = $about:literal])* $Choice:ident { $($(#[doc = $doc:literal])* $Variant:ident = $name:literal,)* })*) => {
        $(
            $(#[doc = $about])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub enum $Choice {
                $($(#[doc = $doc])* #[serde(rename = $name)] $Variant,)*
            }

            impl FromText for $Choice {
                fn from_text(text: &str) -> Result<Self, String> {
                    choice(text, &[$(($name, Self::$Variant)),*])
                }
            }

            impl fmt::Display for $Choice {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(match self { $(Self::$Variant => $name,)* })
                }
            }
        )*
    };
}

choices! {
    /// How a model knows where a token stands.
    Position {
        /// A learned vector for each position, added to the token's (GPT-2).
        Learned = "learned",
        /// Queries and keys are turned by their position, so that scores depend on distances (arXiv 2104.09864).
        Rope = "rope",
        /// Fixed sines and cosines, added to the token's vector (arXiv 1706.03762).
        Sinusoidal = "sinusoidal",
        /// Not at all: a causal mask alone tells positions apart, somewhat (arXiv 2203.16634).
        None = "none",
    }

    /// The non-linearity of the feed-forward layer.
    Activation {
        /// GELU with the error function, as PyTorch's `nn.GELU()` and nanoGPT (arXiv 1606.08415).
        Gelu = "gelu",
        /// GELU approximated by tanh, as GPT-2.
        GeluTanh = "gelu_tanh",
        /// The square of ReLU (arXiv 2109.08668).
        Relu2 = "relu2",
        /// A gated layer (arXiv 2002.05202): `c_fc` has two halves, one of which gates the other.
        Swiglu = "swiglu",
    }

    /// A normalisation layer.
    Norm {
        /// Mean 0 and variance 1, then a weight and (with `bias`) a bias (arXiv 1607.06450).
        LayerNorm = "layer_norm",
        /// Mean square 1, then a weight (arXiv 1910.07467). Never has a bias.
        RmsNorm = "rms_norm",
    }

    /// The way of the learning rate after warm-up.
    Schedule {
        /// Half a cosine from `learning_rate` to `min_lr`.
        Cosine = "cosine",
        /// A straight line from `learning_rate` to zero; `min_lr` has no part in it.
        Linear = "linear",
        /// `learning_rate` to the end.
        Constant = "constant",
        /// Warm-up, stable, decay: `learning_rate`, then a straight line to `min_lr` over the last `decay_frac` of the
        /// iterations (arXiv 2404.06395).
        Wsd = "wsd",
    }

    /// What turns gradients into updates.
    Optimizer {
        /// Adam with weight decay apart from the gradient (arXiv 1711.05101).
        Adamw = "adamw",
        /// Adam; its weight decay is part of the gradient (arXiv 1412.6980).
        Adam = "adam",
        /// Stochastic gradient descent with momentum.
        Sgd = "sgd",
        /// Muon for the matrices in the blocks (Jordan 2024), AdamW for all other parameters.
        Muon = "muon",
    }
}
