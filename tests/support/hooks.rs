//! A program that takes webhooks, and answers as told.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Call {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Call {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// The program. It ends with the test.
pub struct HookServer {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    calls: Mutex<Vec<Call>>,
    answer: AtomicU16,
    is_over: AtomicBool,
}

impl HookServer {
    pub fn start() -> Self {
        let shared =
            Arc::new(Shared { calls: Mutex::default(), answer: AtomicU16::new(204), is_over: AtomicBool::new(false) });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if own.is_over.load(Ordering::Relaxed) {
                    return;
                }
                // A connection that nobody speaks on any more.
                let _ = take(&own, stream);
            }
        });
        Self { url, shared }
    }

    /// The number of its next answers.
    pub fn answer(&self, code: u16) {
        self.shared.answer.store(code, Ordering::Relaxed);
    }

    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }
}

impl Drop for HookServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let address = self.url.trim_start_matches("http://").trim_end_matches("/hook");
        let _ = TcpStream::connect(address);
    }
}

fn take(shared: &Shared, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut call = Call { path, headers, body: String::new() };
    let length: usize = call.header("content-length").parse().unwrap_or_default();
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    call.body = String::from_utf8(body).unwrap();
    shared.calls.lock().unwrap().push(call);
    let code = shared.answer.load(Ordering::Relaxed);
    write!(stream, "HTTP/1.1 {code} So\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
