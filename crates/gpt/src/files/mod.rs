//! Files that survive a crash, a full disk or a flipped bit, whatever is in them. Nothing here knows of anything else in this
//! crate.
//!
//! | file | what |
//! |---|---|
//! | [`store`] | a directory written all or nothing |
//! | `manifest` | sizes and checksums of its files, and whether they are true |
//! | `fs` | the operations on disk that this is made of, and a file written all or nothing |
//! | [`tensors`] | named f32 tensors as safetensors bytes, read more strictly than the format asks |
//! | `half` | numbers of 16 bits |
//! | `json` | strict JSON |
//! | `memory` | how much memory there is: what a file cannot be larger than |

mod contents;
mod error;
#[cfg(test)]
pub(crate) mod faults;
mod fs;
mod half;
pub(crate) mod json;
mod manifest;
pub(crate) mod memory;
pub mod store;
pub mod tensors;

pub use error::CheckpointError;
pub use store::Manifest;
pub use tensors::{Tensor, Tensors, TensorsError};

pub(crate) use error::io_error;
pub(crate) use fs::{Disk, Fs, create_dirs, split_sibling, write_file};

#[cfg(test)]
mod tests {
    /// What is written and read here knows of no model and no training.
    #[test]
    fn nothing_else_of_the_crate_is_imported() {
        let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/files");
        let mut files = 0;
        for entry in std::fs::read_dir(room).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let others = text.match_indices("crate::").filter(|(at, _)| !text[at + 7..].starts_with("files"));
            // This file has the word three times, for this test.
            let allowed = if path.ends_with("mod.rs") { 1 } else { 0 };
            assert!(others.count() <= allowed, "{}", path.display());
            files += 1;
        }
        assert!(files >= 9);
    }
}
