//! Downloading a file of the manifest: whole, checked, and resumed where it stopped.
//!
//! What has arrived is kept as `FILE.part` beside its final name. When its size and SHA-256 are those of
//! the manifest it takes that name; if they are not it is deleted. So whatever has the final name is right.

mod curl;

use crate::screen::byte_progress::ByteProgress;
use crate::screen::failure::Failure;
use curl::{CurlError, Request, Response};
use data::NewFile;
use data::dataset::{PublicFile, sha256_of};
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How patient a download is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Seconds without a byte after which a connection is given up.
    pub(crate) stall_s: u32,
    /// How often it is tried again without a byte of progress.
    pub(crate) retries: u32,
}

/// A file that is in place.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// Nothing was downloaded.
    pub(crate) was_there: bool,
}

/// Where a file comes from: the mirror if one is set, else its publisher.
///
/// `NEWLEAF_MIRROR=https://host/folder` stands for a folder that has the files under their file names;
/// `HF_ENDPOINT` replaces `https://huggingface.co`, as in Hugging Face's own tools.
pub(crate) fn url_of(file: &PublicFile) -> Result<String, Failure> {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let (url, from) = match (set("NEWLEAF_MIRROR"), set("HF_ENDPOINT")) {
        (Some(mirror), _) => (format!("{}/{}", mirror.trim_end_matches('/'), file.file), "NEWLEAF_MIRROR"),
        (None, Some(endpoint)) => match file.url.strip_prefix("https://huggingface.co/") {
            Some(rest) => (format!("{}/{rest}", endpoint.trim_end_matches('/')), "HF_ENDPOINT"),
            None => (file.url.clone(), "the manifest"),
        },
        (None, None) => (file.url.clone(), "the manifest"),
    };
    let refused = |why: &str| Failure::input(format!("{}: {from} gives {url:?}: {why}", file.name));
    if url.bytes().any(|b| !(0x21..0x7f).contains(&b)) {
        return Err(refused("expected a URL without spaces, in ASCII (write others as %XX)"));
    }
    match url.split_once("://") {
        Some(("https", _)) => Ok(url),
        Some(("http", rest)) if is_loopback(rest) => Ok(url),
        // What comes from a mirror by http is proven by its SHA-256, if that is known.
        Some(("http", _)) if from != "the manifest" && file.sha256.is_some() => Ok(url),
        Some(("http", _)) => Err(refused("expected https: nothing proves what comes by http")),
        _ => Err(refused("expected a URL that begins with https://")),
    }
}

/// Whether what follows `http://` names this machine.
fn is_loopback(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    !authority.contains('@') && matches!(host, "localhost" | "127.0.0.1" | "::1")
}

/// Brings a file into `dir`. One that is there already is checked and kept.
pub(crate) fn fetch(
    file: &PublicFile,
    url: &str,
    dir: &Path,
    patience: Patience,
) -> Result<Fetched, Failure> {
    let path = dir.join(&file.file);
    if path.exists() {
        return check_present(file, &path);
    }
    let unwritable =
        |error: io::Error| Failure::input(format!("{}: cannot be written: {error}", dir.display()));
    fs::create_dir_all(dir).map_err(unwritable)?;
    let part = Part::open(dir.join(format!("{}.part", file.file)))?;
    let mut transfer = Transfer { file, url, part, patience };
    let (sha256, bytes) = transfer.run()?;
    transfer.part.rename(&path)?;
    if file.sha256.is_none() {
        let record = dir.join(format!("{}.sha256", file.file));
        let mut record = NewFile::create(record)?;
        writeln!(record, "{sha256}  {}", file.file).map_err(|e| record.unwritable(e))?;
        record.finish()?;
    }
    Ok(Fetched { path, bytes, sha256, was_there: false })
}

/// The file is there: is it the right one?
fn check_present(file: &PublicFile, path: &Path) -> Result<Fetched, Failure> {
    let open = File::open(path).and_then(|opened| Ok((opened.metadata()?.len(), opened)));
    let (len, opened) =
        open.map_err(|e| Failure::input(format!("{}: cannot be read: {e}", path.display())))?;
    let bar = ByteProgress::new("checking", 0, Some(len));
    let hashed = sha256_of(opened, &mut |done| bar.set(done));
    let (sha256, bytes) =
        hashed.map_err(|e| Failure::input(format!("{}: cannot be read: {e}", path.display())))?;
    bar.finish(bytes);
    match mistake(file, &sha256, bytes) {
        None => Ok(Fetched { path: path.into(), bytes, sha256, was_there: true }),
        Some(what) => Err(Failure::input(format!(
            "{}: is there already, but {what}\n  remove it and fetch again, or fetch to another --dir",
            path.display()
        ))),
    }
}

/// What is wrong with a file of this sum and size.
pub(crate) fn mistake(file: &PublicFile, sha256: &str, bytes: u64) -> Option<String> {
    if let Some(expected) = file.bytes.filter(|&expected| expected != bytes) {
        return Some(format!("it has {bytes} bytes, expected {expected}"));
    }
    let expected = file.sha256.as_deref().filter(|expected| *expected != sha256)?;
    Some(format!("its SHA-256 is {sha256}, expected {expected}"))
}

/// What has arrived so far, locked against a second download of the same file.
struct Part {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Part {
    fn open(path: PathBuf) -> Result<Part, Failure> {
        let refused = |e: io::Error| Failure::other(format!("{}: cannot be written: {e}", path.display()));
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(refused)?;
        match file.try_lock() {
            // Some file systems know no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => {
                let message = "is being downloaded by another newleaf; wait for it";
                return Err(Failure::other(format!("{}: {message}", path.display())));
            }
        }
        let bytes = file.metadata().map_err(refused)?.len();
        Ok(Part { bytes, file, path })
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let advice = "is there space left? The same command goes on from here";
        Failure::other(format!("{}: cannot be written: {error}: {advice}", self.path.display()))
    }

    fn cut(&mut self, bytes: u64) -> Result<(), Failure> {
        let cut = self.file.set_len(bytes).and_then(|()| self.file.seek(SeekFrom::Start(bytes)));
        cut.map_err(|e| self.failure(&e))?;
        self.bytes = bytes;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|e| self.failure(&e))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn sha256(&mut self) -> Result<(String, u64), Failure> {
        self.file.rewind().and_then(|()| sha256_of(&self.file, &mut |_| ())).map_err(|e| self.failure(&e))
    }

    fn delete(&mut self) {
        let _ = self.file.set_len(0);
        let _ = fs::remove_file(&self.path);
        self.bytes = 0;
    }

    fn rename(self, to: &Path) -> Result<(), Failure> {
        let Part { path, file, .. } = self;
        let synced = file.sync_all();
        drop(file); // Windows renames no open file
        synced
            .and_then(|()| fs::rename(path, to))
            .map_err(|e| Failure::other(format!("{}: cannot be written: {e}", to.display())))
    }
}

/// A download in progress.
struct Transfer<'a> {
    file: &'a PublicFile,
    url: &'a str,
    part: Part,
    patience: Patience,
}

/// Why an attempt ended early.
enum Interrupted {
    /// Worth another attempt; the message if it was the last.
    Passing(String),
    /// Not.
    Final(Failure),
}

impl From<CurlError> for Interrupted {
    fn from(error: CurlError) -> Self {
        match error.is_passing() {
            true => Interrupted::Passing(error.explain()),
            false => Interrupted::Final(Failure::other(error.explain())),
        }
    }
}

impl From<Failure> for Interrupted {
    fn from(failure: Failure) -> Self {
        Interrupted::Final(failure)
    }
}

impl Transfer<'_> {
    /// Downloads until the file is complete and right; answers its SHA-256 and size.
    fn run(&mut self) -> Result<(String, u64), Failure> {
        if self.file.sha256.is_none() {
            self.part.cut(0)?; // nothing would prove that two halves belong together
        }
        let resumed = self.part.bytes > 0;
        if resumed {
            let done = crate::screen::byte_progress::megabytes(self.part.bytes);
            eprintln!("{}: going on after {done}", self.file.name);
        }
        self.complete()?;
        let (sha256, bytes) = self.part.sha256()?;
        let Some(what) = mistake(self.file, &sha256, bytes) else { return Ok((sha256, bytes)) };
        self.part.delete();
        if resumed {
            eprintln!(
                "{}: {what}; what was there before was wrong: once more from the start",
                self.file.name
            );
            self.part = Part::open(self.part.path.clone())?;
            return self.run();
        }
        Err(Failure::input(format!(
            "{}: what came from {} is another file: {what}\n  it was deleted; the publisher may have changed it, \
             or the network answered in its place",
            self.file.name, self.url
        )))
    }

    /// Attempt after attempt, as long as they bring something.
    fn complete(&mut self) -> Result<(), Failure> {
        let bar = ByteProgress::new(&self.file.name, self.part.bytes, self.file.bytes);
        let mut failures = 0;
        while self.file.bytes.is_none_or(|all| self.part.bytes != all) {
            let before = self.part.bytes;
            let message = match self.attempt(&bar) {
                Ok(()) => break,
                Err(Interrupted::Final(failure)) => return Err(failure.about(&self.file.name)),
                Err(Interrupted::Passing(message)) => message,
            };
            failures = if self.part.bytes > before { 1 } else { failures + 1 };
            if failures > self.patience.retries {
                return Err(Failure::other(format!("{}: {}: {message}", self.file.name, self.url)));
            }
            eprintln!("{}: {message} (trying again)", self.file.name);
            std::thread::sleep(Duration::from_secs(1 << failures.min(5)) / 2);
        }
        eprintln!("{}: {}", self.file.name, bar.finish(self.part.bytes));
        Ok(())
    }

    /// One request, to the end of its answer.
    fn attempt(&mut self, bar: &ByteProgress) -> Result<(), Interrupted> {
        let request = Request { url: self.url, from: self.part.bytes, stall_s: self.patience.stall_s };
        let response = request.send()?;
        self.check(&response)?;
        self.part.cut(response.from)?; // a server without ranges answers from the start
        let (part, limit) = (&mut self.part, self.file.bytes.unwrap_or(u64::MAX));
        response.copy_to(|bytes| {
            if part.bytes + bytes.len() as u64 > limit {
                part.delete();
                let message = format!("more than the {limit} bytes of the manifest come: it is another file");
                return Err(Interrupted::Final(Failure::input(message)));
            }
            part.append(bytes)?;
            bar.set(part.bytes);
            Ok(())
        })
    }

    /// Refuses an answer that is not the file.
    fn check(&mut self, response: &Response) -> Result<(), Interrupted> {
        let (status, url) = (response.status, self.url);
        match status {
            200 | 206 => {}
            416 if self.part.bytes > 0 => {
                self.part.cut(0)?; // there is more here than there is in the file
                return Err(Interrupted::Passing(format!("{url}: the server has no such range (416)")));
            }
            404 | 410 => {
                let advice = "the publisher removed or moved it; look for a mirror (NEWLEAF_MIRROR)";
                let failure = Failure::other(format!("{url}: not there ({status}): {advice}"));
                return Err(Interrupted::Final(failure));
            }
            429 | 500..600 => {
                return Err(Interrupted::Passing(format!("{url}: the server answers {status}")));
            }
            _ => {
                let failure =
                    Failure::other(format!("{url}: the server answers {status}: expected the file"));
                return Err(Interrupted::Final(failure));
            }
        }
        if response.from > self.part.bytes {
            let message = format!("{url}: the answer begins at byte {}, not where asked", response.from);
            return Err(Interrupted::Final(Failure::other(message)));
        }
        match (response.total, self.file.bytes) {
            (Some(found), Some(expected)) if found != expected => {
                self.part.delete();
                Err(Interrupted::Final(Failure::input(format!(
                    "{url}: the file has {found} bytes there, expected {expected}: it is another one"
                ))))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_this_machine() {
        for rest in ["127.0.0.1/a", "localhost:80/", "[::1]:8000/a", "127.0.0.1"] {
            assert!(is_loopback(rest), "{rest}");
        }
        for rest in
            ["127.0.0.1@evil.org/", "127.0.0.1.evil.org", "localhost.org", "evil.org/127.0.0.1", "[::2]", ""]
        {
            assert!(!is_loopback(rest), "{rest}");
        }
    }
}
