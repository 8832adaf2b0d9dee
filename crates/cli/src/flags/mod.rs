//! Flags that several commands take, and what they become.

pub(crate) mod answering;
pub(crate) mod init_embedding;
pub(crate) mod labelled;
pub(crate) mod reading;
pub(crate) mod sampling;
pub(crate) mod settings;
pub(crate) mod texts_ahead;
