//! The formats of model directories: a file each here, and a line in [`FORMATS`].
//!
//! A format says how it recognises a directory, reads it and writes it, and which settings stand in the way of writing.
//! [`Model::load`](crate::Model::load) asks each of them. What they have in common is in directory.rs.

mod directory;

pub use directory::{Format, Parts};
pub(crate) use directory::{Loaded, TOKENIZER, write};

use crate::files::CheckpointError;
use crate::files::store::resolve;
use directory::{CONFIG, Directory, WEIGHTS};
use same_file::Handle;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Declares the modules, [`FORMATS`], and each format by its name.
macro_rules! formats {
    ($($module:ident $NAME:ident;)*) => {
        $(
            pub(crate) mod $module;
            pub use $module::FORMAT as $NAME;
        )*

        /// All formats of model directories.
        pub const FORMATS: &[Format] = &[$($module::FORMAT),*];

        /// The files of the formats.
        #[cfg(test)]
        const FILES: &[&str] = &[$(concat!(stringify!($module), ".rs")),*];
    };
}

formats! {
    newleaf NEWLEAF;
    gpt2 GPT2;
}

/// The format of this name on the command line.
#[must_use]
pub fn format_named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// How often a directory is read that is replaced meanwhile.
const ATTEMPTS: u32 = 20;

/// Reads a directory of any format: configuration, exactly its tensors, and the tokenizer. One that is being replaced, as the
/// models of a run are while it goes on, is read again: its files would be those of two models.
pub(crate) fn load(path: &Path) -> Result<Loaded, CheckpointError> {
    // While a directory is open, no other can have its inode: one that was replaced twice, by an equal one in the end, is
    // told from the first. None: it is not there, or stepped aside for its successor just now.
    let directory = || Handle::from_path(path).ok();
    for attempt in 1..ATTEMPTS {
        let before = directory();
        let loaded = load_once(path);
        let replaced = before != directory() || (before.is_none() && resolve(path).exists());
        if loaded.is_ok() || !replaced {
            return loaded;
        }
        std::thread::sleep(Duration::from_millis(attempt.into())); // whoever replaces it has more to do than to read it
    }
    load_once(path)
}

fn load_once(path: &Path) -> Result<Loaded, CheckpointError> {
    let directory = Directory::open(path)?;
    if let Some(format) = FORMATS.iter().find(|format| (format.recognises)(&directory)) {
        return (format.load)(&directory);
    }
    directory.expect(&[CONFIG, WEIGHTS, TOKENIZER])?;
    let known: Vec<String> = FORMATS.iter().map(|format| format!("{:?}", format.model_type)).collect();
    let found = directory.config.get("model_type").map_or("none".to_string(), Value::to_string);
    Err(directory.invalid_config(format!("expected model_type {}, found {found}", known.join(" or "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GptConfig;
    use crate::config::{Config, FIELDS, Group, Preset};
    use std::collections::BTreeSet;

    #[test]
    fn every_file_is_in_the_registry() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut found: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
        assert!(found.remove("mod.rs") && found.remove("directory.rs"));
        assert_eq!(found, FILES.iter().map(|name| name.to_string()).collect());
        assert_eq!(FILES.len(), FORMATS.len());
        for format in FORMATS {
            assert_eq!(format_named(format.name).unwrap().model_type, format.model_type);
        }
        assert!(format_named("gguf").is_none());
    }

    /// Whatever setting is changed, a format either writes it or says that it stands in the way.
    #[test]
    fn no_setting_is_lost_in_silence() {
        let usual = Config { model: GptConfig::gpt2(), train: Preset::NanoCpu.config(1).train };
        assert_eq!(GPT2.obstacles(&usual.model), []);
        for keeps in gpt2::KEEPS {
            assert!(
                FIELDS.iter().any(|field| field.name == *keeps && field.group == Group::Model),
                "{keeps}"
            );
        }
        for field in FIELDS.iter().filter(|field| field.group == Group::Model) {
            let mut changed = usual.clone();
            let values = ["3", "true", "false", "swiglu", "rms_norm", "rope"];
            let mut done =
                |value: &&str| changed.set(field.name, value).is_ok() && changed.model != usual.model;
            assert!(values.iter().copied().any(|value| done(&value)), "{}", field.name);
            assert_eq!(NEWLEAF.obstacles(&changed.model), []);
            let named = GPT2.obstacles(&changed.model).iter().any(|(name, _)| *name == field.name);
            let kept = gpt2::KEEPS.contains(&field.name) && field.name != "activation"; // of that, some
            assert_eq!(named, !kept, "{}", field.name);
        }
    }
}
