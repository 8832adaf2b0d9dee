//! What is trained of a model, by name: `lora:r=8,alpha=16,targets=qv`.

use std::fmt;
use std::str::FromStr;

/// What is trained of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Method {
    /// Everything.
    #[default]
    Full,
    /// Nothing of the model; only what is put on it, such as a classifier.
    Head,
    /// Low-rank changes of weights.
    Lora {
        /// r
        r: usize,
        /// The change is alpha / r times the product.
        alpha: f32,
        /// Of which weights.
        targets: Targets,
    },
    /// Factors of keys, values and hidden features.
    Ia3,
    /// Learned keys and values.
    Prefix {
        /// p
        tokens: usize,
    },
    /// Learned vectors before the text.
    Prompt {
        /// p
        tokens: usize,
    },
    /// Narrow networks behind each layer.
    Adapter {
        /// m, its width.
        width: usize,
    },
    /// The biases of linear layers; a model without gets them.
    Bitfit,
}

/// Which weights LoRA changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    wanted: [bool; 7],
}

impl Targets {
    /// q, k, v: queries, keys and values, each by itself; a: all three in one, as peft has it; o: the projection behind
    /// attention; f, p: the two of the feed-forward layer.
    const LETTERS: [char; 7] = ['q', 'k', 'v', 'a', 'o', 'f', 'p'];
    const EXPECTED: &'static str = "letters of qkvofp, a instead of qkv, or all";

    pub(super) fn has(self, letter: char) -> bool {
        Self::LETTERS.iter().zip(self.wanted).any(|(l, wanted)| *l == letter && wanted)
    }
}

impl FromStr for Targets {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        if text == "all" {
            return "qkvofp".parse();
        }
        let mut wanted = [false; 7];
        for letter in text.chars() {
            let i = Self::LETTERS.iter().position(|&l| l == letter);
            wanted[i.ok_or_else(|| invalid("targets", text, Self::EXPECTED))?] = true;
        }
        let targets = Self { wanted };
        match wanted.contains(&true) && !(targets.has('a') && ['q', 'k', 'v'].iter().any(|l| targets.has(*l)))
        {
            true => Ok(targets),
            false => Err(invalid("targets", text, Self::EXPECTED)),
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = Self::LETTERS.iter().zip(self.wanted).filter(|(_, wanted)| *wanted);
        f.write_str(&letters.map(|(letter, _)| letter).collect::<String>())
    }
}

/// Why a method is none, or not for this model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// There is no such method.
    #[error(
        "there is no method {found:?}: full, head, lora:r=8,alpha=16,targets=qv, ia3, prefix:tokens=16, \
         prompt:tokens=16, adapter:width=16 or bitfit"
    )]
    Unknown {
        /// What was asked for.
        found: String,
    },
    /// A setting is not what it should be.
    #[error("{name}: expected {expected}, found {found:?}")]
    Invalid {
        /// The setting.
        name: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The model is not one for this method.
    #[error("{method} does not go with this model: {why}")]
    Unfit {
        /// The method.
        method: &'static str,
        /// Why not, and what to do.
        why: String,
    },
}

fn invalid(name: &str, found: &str, expected: &'static str) -> MethodError {
    MethodError::Invalid { name: name.into(), found: found.into(), expected }
}

/// Settings behind the name of a method, `r=8,alpha=16`, each of which may be asked for once.
struct Settings<'a> {
    method: &'a str,
    left: Vec<(&'a str, &'a str)>,
}

impl<'a> Settings<'a> {
    fn parse(method: &'a str, text: &'a str) -> Result<Self, MethodError> {
        let setting = |part: &'a str| part.split_once('=').ok_or_else(|| invalid(method, part, "NAME=VALUE"));
        let parts = text.split(',').filter(|part| !part.is_empty());
        Ok(Self { method, left: parts.map(setting).collect::<Result<_, _>>()? })
    }

    fn take<T: FromStr>(&mut self, name: &str, usual: T, expected: &'static str) -> Result<T, MethodError> {
        let Some(i) = self.left.iter().position(|(key, _)| *key == name) else { return Ok(usual) };
        let (_, value) = self.left.remove(i);
        value.parse().map_err(|_| invalid(&format!("{} {name}", self.method), value, expected))
    }

    fn count(&mut self, name: &str, usual: usize) -> Result<usize, MethodError> {
        const EXPECTED: &str = "a number from 1 to 4096";
        let count = self.take(name, usual, EXPECTED)?;
        let fits = (1..=4096).contains(&count);
        if fits {
            Ok(count)
        } else {
            Err(invalid(&format!("{} {name}", self.method), &count.to_string(), EXPECTED))
        }
    }

    fn end(self) -> Result<(), MethodError> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(invalid(self.method, name, "a setting that it has, once")),
        }
    }
}

impl Method {
    /// Positions of the context that it takes: [`crate::Gpt::virtual_tokens`] of a model that is tuned by it.
    #[must_use]
    pub fn virtual_tokens(&self) -> usize {
        match *self {
            Self::Prefix { tokens } | Self::Prompt { tokens } => tokens,
            _ => 0,
        }
    }

    /// A learning rate for labels that suits the method on a model of this width: the fewer numbers are trained, the farther
    /// each has to go; and wide models, which have read much, are changed with care. For them the rates of those that change
    /// matrices fall with the square of the width, from 192 on: to GPT's 6.25e-5 at 768 (Radford et al. 2018, section 4.1)
    /// and LoRA's 2e-4 (Hu et al. 2021, table 11).
    #[must_use]
    pub fn learning_rate(&self, n_embd: usize) -> f64 {
        let narrower = (192.0 / n_embd as f64).min(1.0);
        match self {
            Self::Full => 1e-3 * narrower * narrower,
            Self::Lora { .. } | Self::Adapter { .. } | Self::Bitfit => 3e-3 * narrower * narrower,
            Self::Ia3 | Self::Head | Self::Prefix { .. } => 1e-2,
            Self::Prompt { .. } => 3e-2,
        }
    }
}

impl FromStr for Method {
    type Err = MethodError;

    /// `lora:r=8,alpha=16,targets=qv`: the name, and settings that are not the usual ones.
    fn from_str(text: &str) -> Result<Self, MethodError> {
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        let mut settings = Settings::parse(name, settings)?;
        let method = match name {
            "full" => Self::Full,
            "head" => Self::Head,
            "lora" => {
                let r = settings.count("r", 8)?;
                let alpha: f32 = settings.take("alpha", 2.0 * r as f32, "a number above 0")?;
                if !(alpha > 0.0 && alpha.is_finite()) {
                    return Err(invalid("lora alpha", &alpha.to_string(), "a number above 0"));
                }
                let usual: Targets = "qv".parse()?;
                Self::Lora { r, alpha, targets: settings.take("targets", usual, Targets::EXPECTED)? }
            }
            "ia3" => Self::Ia3,
            "prefix" => Self::Prefix { tokens: settings.count("tokens", 16)? },
            "prompt" => Self::Prompt { tokens: settings.count("tokens", 16)? },
            "adapter" => Self::Adapter { width: settings.count("width", 16)? },
            "bitfit" => Self::Bitfit,
            _ => return Err(MethodError::Unknown { found: text.into() }),
        };
        settings.end()?;
        Ok(method)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Head => f.write_str("head"),
            Self::Lora { r, alpha, targets } => write!(f, "lora:r={r},alpha={alpha},targets={targets}"),
            Self::Ia3 => f.write_str("ia3"),
            Self::Prefix { tokens } => write!(f, "prefix:tokens={tokens}"),
            Self::Prompt { tokens } => write!(f, "prompt:tokens={tokens}"),
            Self::Adapter { width } => write!(f, "adapter:width={width}"),
            Self::Bitfit => f.write_str("bitfit"),
        }
    }
}
