//! HTTP by the user's `curl`: one request, its headers, and its body as a stream.
//!
//! A program and not a library: TLS, certificates and proxies are then those that the system keeps in order, and no
//! crate here talks to the network.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Headers longer than this are refused.
const MAX_HEADERS: u64 = 1 << 16;

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    /// The first byte that is wanted.
    pub(super) from: u64,
    /// Seconds without a byte after which it is given up.
    pub(super) stall_s: u32,
}

/// An answer whose headers have arrived.
pub(super) struct Response {
    pub(super) status: u16,
    /// Where the body begins in the file, and the size of the whole file, as far as the headers say.
    pub(super) from: u64,
    pub(super) total: Option<u64>,
    child: Running,
    body: BufReader<ChildStdout>,
}

/// What went wrong.
#[derive(Debug)]
pub(super) enum CurlError {
    /// There is no curl.
    Absent,
    /// curl gave up, with its exit code and message.
    Failed { code: i32, message: String },
    /// curl cannot be talked to.
    Io(io::Error),
}

impl CurlError {
    /// Whether it may work when it is tried again.
    pub(super) fn is_passing(&self) -> bool {
        // The transfer was cut off (18), timed out (28), or the connection broke (52, 55, 56, 92).
        matches!(self, CurlError::Failed { code: 18 | 28 | 52 | 55 | 56 | 92, .. })
    }

    /// What happened and what to do.
    pub(super) fn explain(&self) -> String {
        let (code, message) = match self {
            CurlError::Absent => {
                return "the program curl is not there; it downloads for newleaf: install it (it is part of \
                        Windows 10 and macOS; elsewhere: apt install curl), or download the file yourself"
                    .into();
            }
            CurlError::Io(error) => return format!("cannot run curl: {error}"),
            CurlError::Failed { code, message } => (code, message.trim().trim_start_matches("curl: ")),
        };
        let advice = match code {
            5 | 6 => "are you online? A proxy is set with https_proxy",
            7 => "the server does not answer; try again later, or name a mirror with NEWLEAF_MIRROR",
            18 | 52 | 55 | 56 | 92 => "the connection broke; the same command goes on from here",
            28 => "nothing came for too long; the same command goes on from here",
            1 => "only https is followed; is there a newer URL?",
            35 | 53 | 58 | 59 | 60 | 77 => {
                "the connection would not be safe; is the clock of this machine right?"
            }
            47 => "the server redirects in circles",
            _ => "try again later, or name a mirror with NEWLEAF_MIRROR",
        };
        format!("{message}: {advice}")
    }
}

/// A process that ends with its handle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill(); // an error if it has ended already
        let _ = self.0.wait();
    }
}

impl Running {
    /// Waits for the end; an error if it was no success.
    fn finish(&mut self) -> Result<(), CurlError> {
        let mut message = String::new();
        if let Some(stderr) = &mut self.0.stderr {
            stderr.take(4096).read_to_string(&mut message).map_err(CurlError::Io)?;
        }
        let status = self.0.wait().map_err(CurlError::Io)?;
        match status.success() {
            true => Ok(()),
            false => Err(CurlError::Failed { code: status.code().unwrap_or(-1), message }),
        }
    }
}

impl Request<'_> {
    /// Sends the request, follows redirections, and reads the headers of the answer.
    pub(super) fn send(&self) -> Result<Response, CurlError> {
        let mut child = Running(self.command().spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CurlError::Absent,
            _ => CurlError::Io(error),
        })?);
        let mut body = BufReader::with_capacity(1 << 16, child.0.stdout.take().expect("it is piped"));
        let mut headers = (&mut body).take(MAX_HEADERS);
        loop {
            let block = read_block(&mut headers).map_err(CurlError::Io)?;
            let Some(status) = block.first().and_then(|line| status_of(line)) else {
                child.finish()?; // curl says what is wrong, if it did not succeed
                let message = format!("no HTTP headers: {:?}", block.first());
                return Err(CurlError::Failed { code: 0, message });
            };
            let is_last =
                status >= 200 && !((300..400).contains(&status) && field(&block, "location").is_some());
            if is_last {
                let (from, total) = range_of(status, &block);
                return Ok(Response { status, from, total, child, body });
            }
        }
    }

    fn command(&self) -> Command {
        let protocols = if self.url.starts_with("http://") { "=http,https" } else { "=https" };
        let mut command = Command::new("curl");
        command
            .args(["-q", "--silent", "--show-error", "--globoff"]) // -q: no settings of the user's
            .args(["--include", "--suppress-connect-headers"])
            .args(["--location", "--max-redirs", "5", "--proto", protocols, "--proto-redir", protocols])
            .args(["--connect-timeout", &self.stall_s.to_string()])
            .args(["--speed-limit", "1", "--speed-time", &self.stall_s.to_string()])
            .args(["--user-agent", concat!("newleaf/", env!("CARGO_PKG_VERSION"))]);
        if self.from > 0 {
            command.args(["--range", &format!("{}-", self.from)]);
        }
        command.args(["--url", self.url]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Response {
    /// Hands out the body; an error of `sink` ends the transfer and is the answer.
    pub(super) fn copy_to<E: From<CurlError>>(
        mut self,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let bytes = self.body.fill_buf().map_err(|e| E::from(CurlError::Io(e)))?;
            let len = bytes.len();
            if len == 0 {
                return Ok(self.child.finish()?);
            }
            sink(bytes)?;
            self.body.consume(len);
        }
    }
}

/// The lines up to an empty one.
fn read_block(from: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        let line = String::from_utf8_lossy(&line).trim_end().to_string();
        if line.is_empty() {
            return Ok(lines);
        }
        lines.push(line);
    }
}

/// 200 of `HTTP/1.1 200 OK`.
fn status_of(line: &str) -> Option<u16> {
    line.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()
}

fn field<'a>(block: &'a [String], name: &str) -> Option<&'a str> {
    let of_name = |line: &'a String| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    };
    block.iter().skip(1).find_map(of_name)
}

/// Where the body begins, and the size of the whole: from `Content-Range: bytes 5-9/10`, or from the
/// length of a whole answer.
fn range_of(status: u16, block: &[String]) -> (u64, Option<u64>) {
    if status == 206 {
        let range = field(block, "content-range").and_then(|value| value.strip_prefix("bytes "));
        let parts = range.and_then(|range| range.split_once('/'));
        let from = parts.and_then(|(span, _)| span.split('-').next()?.parse().ok());
        return (from.unwrap_or(0), parts.and_then(|(_, total)| total.parse().ok()));
    }
    let is_whole = (200..300).contains(&status);
    (0, field(block, "content-length").filter(|_| is_whole).and_then(|value| value.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Vec<String> {
        read_block(&mut text.as_bytes()).unwrap()
    }

    #[test]
    fn headers_are_understood() {
        let headers = block("HTTP/2 206 \r\ncontent-RANGE: bytes 5-9/10\r\nLocation:  x\r\n\r\nHTTP/1.1 ");
        assert_eq!(status_of(&headers[0]), Some(206));
        assert_eq!(field(&headers, "location"), Some("x"));
        assert_eq!(range_of(206, &headers), (5, Some(10)));
        assert_eq!(range_of(206, &block("HTTP/1.1 206\r\nContent-Range: bytes 7-8/*\r\n\r\n")), (7, None));
        assert_eq!(range_of(200, &block("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")), (0, Some(12)));
        for odd in ["", "HTTP/1.1", "HTTP/1.1 abc", "SSH-2.0", "HTTP/1.1 99999 x"] {
            assert_eq!(status_of(odd), None, "{odd}");
        }
        for odd in ["bytes", "bytes x-y/z", "items 1-2/3", ""] {
            assert_eq!(
                range_of(206, &block(&format!("HTTP/1.1 206\r\nContent-Range: {odd}\r\n"))),
                (0, None)
            );
        }
    }
}
