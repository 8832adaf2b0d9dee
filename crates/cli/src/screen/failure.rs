//! How the program ends when something is wrong: a message on stderr, and an exit code.

use std::path::Path;
use std::process::ExitCode;

/// A message for the user and the exit code that goes with it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// Bad input or usage: a file, a flag, a setting, a model. Exit code 2.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    /// Anything else: a full disk, a loss that is not a number. Exit code 1.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// Refuses an output directory that is the input itself.
    pub(crate) fn if_same(out: &Path, input: &Path) -> Result<(), Self> {
        match (out.canonicalize(), input.canonicalize()) {
            (Ok(a), Ok(b)) if a == b => Err(Self::input(format!(
                "{}: the result would replace what it is made of: give another --out",
                out.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses two outputs that are one file, there already or not.
    pub(crate) fn if_one_file(a: &Path, b: &Path) -> Result<(), Self> {
        let place = |path: &Path| match path.canonicalize() {
            Ok(path) => Some(path),
            Err(_) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                Some(folder.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
            }
        };
        match (place(a), place(b)) {
            (Some(x), Some(y)) if x == y => Err(Self::input(format!(
                "{} and {} are one file, and one output would replace the other: give two paths",
                a.display(),
                b.display()
            ))),
            _ => Ok(()),
        }
    }

    /// The same failure, its message beginning with what it is about, unless it does so already.
    pub(crate) fn about(self, what: impl std::fmt::Display) -> Self {
        let what = what.to_string();
        let message = match self.message.starts_with(&what) {
            true => self.message,
            false => format!("{what}: {}", self.message),
        };
        Self { message, ..self }
    }

    /// The same failure, with a line more of what to do.
    pub(crate) fn and(self, more: &str) -> Self {
        Self { message: format!("{}\n  {more}", self.message), ..self }
    }

    /// A signal asked for the end, and what was begun is removed.
    pub(crate) fn stopped(signal: u8) -> Self {
        Self::interrupted(signal, "nothing was written")
    }

    /// A signal asked for the end: what was written. Exit code 128 and the signal, as shells have it.
    pub(crate) fn interrupted(signal: u8, written: &str) -> Self {
        Self { message: format!("stopped by a signal; {written}"), code: 128 + signal }
    }

    /// Prints the message and answers the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("newleaf: {}", self.message.trim_end());
        }
        ExitCode::from(self.code)
    }

    /// Output that could not be written. A reader that went away (`newleaf sample | head`) is no failure.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self { message: String::new(), code: 0 };
        }
        Self::other(format!("cannot write to standard output: {error}"))
    }
}

/// Whether a file could not be written because its path is wrong, and not because the disk is full or broken.
fn is_wrong_path(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::*;
    matches!(
        error.kind(),
        NotFound
            | AlreadyExists
            | NotADirectory
            | IsADirectory
            | PermissionDenied
            | ReadOnlyFilesystem
            | InvalidFilename
            | InvalidInput
    )
}

impl From<data::DataError> for Failure {
    fn from(error: data::DataError) -> Self {
        match &error {
            data::DataError::Unwritable { source, .. } if !is_wrong_path(source) => {
                Self::other(error.to_string())
            }
            _ => Self::input(error.to_string()),
        }
    }
}

impl From<gpt::files::CheckpointError> for Failure {
    fn from(error: gpt::files::CheckpointError) -> Self {
        match &error {
            gpt::files::CheckpointError::Io { source, .. } if !is_wrong_path(source) => {
                Self::other(error.to_string())
            }
            _ => Self::input(error.to_string()),
        }
    }
}

impl From<gpt::run_dir::RunDirError> for Failure {
    fn from(error: gpt::run_dir::RunDirError) -> Self {
        match error {
            gpt::run_dir::RunDirError::NoSpace { .. } => Self::other(error.to_string()),
            gpt::run_dir::RunDirError::File(error) => error.into(),
            _ => Self::input(error.to_string()),
        }
    }
}

/// Texts, settings and checkpoints are input; what happens while training is not.
impl From<gpt::train::TrainError> for Failure {
    fn from(error: gpt::train::TrainError) -> Self {
        use gpt::train::TrainError::{Data, Method, OptimizerState, Resume, Weights};
        match error {
            Data(_) | Method(_) | OptimizerState(_) | Resume { .. } | Weights(_) => {
                Self::input(error.to_string())
            }
            _ => Self::other(error.to_string()),
        }
    }
}

impl From<gpt::config::ConfigError> for Failure {
    fn from(error: gpt::config::ConfigError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<gpt::peft::MethodError> for Failure {
    fn from(error: gpt::peft::MethodError) -> Self {
        Self::input(error.to_string())
    }
}
