//! A small HTTP server on loopback that misbehaves as it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a server does with the next request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// The file, from where it is asked for.
    File,
    /// The file from its start, whatever is asked for.
    IgnoreRange,
    /// The headers of the file, so many bytes of it, and the connection breaks.
    BreakAfter(usize),
    /// The same, but the connection stays and nothing comes.
    StallAfter(usize),
    /// The file without saying how long it is.
    WithoutLength,
    /// Only this status.
    Status(u16),
    /// The file is elsewhere.
    Redirect(String),
    /// Raw bytes in place of HTTP.
    Raw(&'static [u8]),
}

/// A server with one file at every path.
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Gives `answers` one after the other, and the file when there are no more.
    pub(crate) fn new(file: &[u8], answers: &[Answer]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (file, mut answers, log) = (file.to_vec(), Vec::from(answers).into_iter(), Arc::clone(&requests));
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let answer = answers.next().unwrap_or(Answer::File);
                let (file, log) = (file.clone(), Arc::clone(&log));
                std::thread::spawn(move || serve(connection, &file, answer, &log));
            }
        });
        Server { port, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The first byte that every request so far asked for, and its path.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut connection: TcpStream, file: &[u8], answer: Answer, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(connection.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_string();
    let mut from = 0;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok()?;
        }
    }
    log.lock().unwrap().push(format!("{from} {path}"));
    let n = file.len();
    let (mut headers, from) = match (&answer, from) {
        (Answer::Status(status), _) => (format!("HTTP/1.1 {status} So\r\nContent-Length: 5\r\n"), n),
        (Answer::Redirect(to), _) => {
            (format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 5\r\n"), n)
        }
        (Answer::WithoutLength, _) => ("HTTP/1.1 200 OK\r\n".to_string(), 0),
        (Answer::IgnoreRange, _) | (_, 0) => (format!("HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n"), 0),
        (_, from) if from >= n => ("HTTP/1.1 416 No\r\nContent-Length: 5\r\n".into(), n),
        (_, from) => {
            let (last, rest) = (n - 1, n - from);
            let range = format!("Content-Range: bytes {from}-{last}/{n}\r\nContent-Length: {rest}\r\n");
            (format!("HTTP/1.1 206 Partial\r\n{range}"), from)
        }
    };
    headers += "Connection: close\r\n\r\n";
    let body: &[u8] = if from == n { b"sorry" } else { &file[from..] };
    match answer {
        Answer::Raw(bytes) => connection.write_all(bytes).ok()?,
        Answer::BreakAfter(len) | Answer::StallAfter(len) => {
            connection
                .write_all(headers.as_bytes())
                .and_then(|()| connection.write_all(&body[..len]))
                .ok()?;
        }
        _ => connection.write_all(headers.as_bytes()).and_then(|()| connection.write_all(body)).ok()?,
    }
    connection.flush().ok()?;
    if matches!(answer, Answer::StallAfter(_)) {
        std::thread::sleep(std::time::Duration::from_secs(20)); // longer than anyone waits
    }
    Some(())
}
