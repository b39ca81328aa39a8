//! A proxy on the loopback between the server and its bucket, which does to each request what a test
//! wants: nothing, or what networks and servers do on bad days.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// With its query.
    pub path: String,
    /// Its first line and its headers.
    pub head: String,
}

impl Asked {
    /// What it is about, in a word.
    pub fn what(&self) -> &'static str {
        let has = |part: &str| self.path.contains(part);
        match self.method.as_str() {
            "PUT" if has("partNumber=") => "part",
            "PUT" if self.path.matches('/').count() > 1 => "put",
            "PUT" => "make",
            "POST" if has("uploads") => "begin",
            "POST" if has("uploadId=") => "complete",
            "POST" => "delete many",
            "HEAD" if self.path.matches('/').count() > 1 => "stat",
            "HEAD" => "look",
            "DELETE" if has("uploadId=") => "abort",
            "DELETE" => "delete",
            _ if has("list-type=") => "list",
            _ if has("uploads") => "list uploads",
            _ => "get",
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It goes through.
    Pass,
    /// The connection is broken off before anything is read.
    Reset,
    /// Nothing is answered, ever.
    Stall,
    /// The connection is broken off within the request's body.
    CutRequest,
    /// The connection is broken off within the answer.
    CutAnswer,
    /// The work is done, and the answer is lost.
    LoseAnswer,
    /// The answer has another tag.
    WrongTag,
    /// An error with this status, and this code in a body where there may be one.
    Refuse(u16, &'static str),
    /// An error with this status whose body is said to be so many bytes long, or else never ends.
    Flood(u16, Option<usize>),
    /// Access is refused without a word, by somebody whose clock is so many seconds ahead.
    RefuseAt(i64),
    /// The answer is that of somebody whose clock is so many seconds ahead.
    Ahead(i64),
    /// An answer of 200 that carries an error with this code.
    ErrorInside(&'static str),
    /// To another address, with this status.
    Redirect(u16, String),
}

type Rule = Box<dyn FnMut(&Asked) -> Fate + Send>;

pub struct Proxy {
    pub url: String,
    rule: Arc<Mutex<Rule>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    flooded: Arc<AtomicUsize>,
    /// Connections that are never answered, until the proxy goes.
    _stalled: Arc<Mutex<Vec<TcpStream>>>,
    is_over: Arc<AtomicBool>,
}

impl Proxy {
    /// In front of a server at this address; everything goes through at first.
    pub fn before(upstream: &str) -> Self {
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_| Fate::Pass)));
        let (asked, stalled, flooded) = (Arc::default(), Arc::default(), Arc::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let shared = Shared {
            upstream,
            rule: Arc::clone(&rule),
            asked: Arc::clone(&asked),
            flooded: Arc::clone(&flooded),
            stalled: Arc::clone(&stalled),
        };
        let over = Arc::clone(&is_over);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = shared.clone();
                // A connection that breaks is what many a test wants.
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { url, rule, asked, flooded, _stalled: stalled, is_over }
    }

    /// Decides from here on.
    pub fn rule(&self, rule: impl FnMut(&Asked) -> Fate + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// This fate for the first request of this kind, the rest goes through.
    pub fn once(&self, what: &'static str, fate: Fate) {
        let mut fate = Some(fate);
        self.rule(move |asked| if asked.what() == what { fate.take().unwrap_or(Fate::Pass) } else { Fate::Pass });
    }

    /// This fate for every request of this kind.
    pub fn always(&self, what: &'static str, fate: Fate) {
        self.rule(move |asked| if asked.what() == what { fate.clone() } else { Fate::Pass });
    }

    /// This fate for everything.
    pub fn everything(&self, fate: Fate) {
        self.rule(move |_| fate.clone());
    }

    /// What was asked for so far, in a word each.
    pub fn asked(&self) -> Vec<&'static str> {
        self.asked.lock().unwrap().iter().map(Asked::what).collect()
    }

    /// Everything that was asked for so far.
    pub fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Bytes of errors without end that were taken.
    pub fn flooded(&self) -> usize {
        self.flooded.load(Ordering::Relaxed)
    }

    pub fn count(&self, what: &str) -> usize {
        self.asked().into_iter().filter(|asked| *asked == what).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

#[derive(Clone)]
struct Shared {
    upstream: String,
    rule: Arc<Mutex<Rule>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    flooded: Arc<AtomicUsize>,
    stalled: Arc<Mutex<Vec<TcpStream>>>,
}

impl Shared {
    /// One request, after which the connection ends.
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let head = head(&mut client)?;
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut words = text.split(' ');
        let [method, path] = [words.next(), words.next()].map(|word| word.unwrap_or_default().to_owned());
        let asked = Asked { method, path, head: text.clone() };
        self.asked.lock().unwrap().push(asked.clone());
        let fate = (self.rule.lock().unwrap())(&asked);
        let length: u64 = header(&text, "content-length").and_then(|text| text.parse().ok()).unwrap_or_default();
        let mut body = Vec::new();
        match fate {
            // What was sent is not read, so that the end of the connection is a reset.
            Fate::Reset => return Ok(()),
            Fate::Stall => {
                self.stalled.lock().unwrap().push(client);
                return Ok(());
            }
            Fate::CutRequest => {
                (&client).take(length / 2).read_to_end(&mut body)?;
                return Ok(());
            }
            _ => (&client).take(length).read_to_end(&mut body)?,
        };
        match fate {
            Fate::Refuse(status, code) => client.write_all(&answer(status, code, "", asked.method == "HEAD")),
            Fate::ErrorInside(code) => client.write_all(&answer(200, code, "", false)),
            Fate::Redirect(status, to) => client.write_all(&answer(status, "", &format!("location: {to}\r\n"), true)),
            Fate::RefuseAt(ahead) => client.write_all(&answer(403, "", &date(ahead), true)),
            Fate::Flood(status, length) => self.flood(&mut client, status, length),
            fate => {
                let answered = self.passed_on(&text, &body)?;
                match fate {
                    Fate::LoseAnswer => Ok(()),
                    Fate::CutAnswer => client.write_all(&answered[..answered.len() - answered.len().min(10)]),
                    Fate::WrongTag => {
                        client.write_all(&with(&answered, "etag", "etag: \"00000000000000000000000000000000\""))
                    }
                    Fate::Ahead(ahead) => client.write_all(&with(&answered, "date", date(ahead).trim())),
                    _ => client.write_all(&answered),
                }
            }
        }
    }

    /// Writes until nobody reads any more.
    fn flood(&self, client: &mut TcpStream, status: u16, length: Option<usize>) -> io::Result<()> {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/xml\r\n");
        let rest = length.map_or("transfer-encoding: chunked".to_owned(), |length| format!("content-length: {length}"));
        client.write_all(format!("{head}{rest}\r\n\r\n").as_bytes())?;
        let block = [b' '; 16 << 10];
        loop {
            if length.is_none() {
                client.write_all(format!("{:x}\r\n", block.len()).as_bytes())?;
            }
            client.write_all(&block)?;
            self.flooded.fetch_add(block.len(), Ordering::Relaxed);
            if length.is_none() {
                client.write_all(b"\r\n")?;
            }
        }
    }

    fn passed_on(&self, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        let mut upstream = TcpStream::connect(&self.upstream)?;
        let head = head.trim_end().to_owned() + "\r\nconnection: close\r\n\r\n";
        upstream.write_all(head.as_bytes())?;
        upstream.write_all(body)?;
        let mut answered = Vec::new();
        upstream.read_to_end(&mut answered)?;
        Ok(answered)
    }
}

fn head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let pairs = head.lines().filter_map(|line| line.split_once(':'));
    pairs.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

fn answer(status: u16, code: &str, more: &str, is_bare: bool) -> Vec<u8> {
    let body = match is_bare || code.is_empty() {
        true => String::new(),
        false => format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>On a bad day</Message></Error>"),
    };
    let length = body.len();
    let kind = if body.is_empty() { "" } else { "content-type: application/xml\r\n" };
    let head = format!("HTTP/1.1 {status} X\r\n{more}{kind}content-length: {length}\r\nconnection: close\r\n\r\n");
    (head + body.as_str()).into_bytes()
}

/// The header that says when it was written.
fn date(ahead_seconds: i64) -> String {
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead_seconds);
    format!("date: {}\r\n", now.strftime("%a, %d %b %Y %H:%M:%S GMT"))
}

/// The answer with this line in the place of a header.
fn with(answer: &[u8], name: &str, wanted: &str) -> Vec<u8> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]);
    let name = format!("{name}:");
    let replaced = |line| if str::to_ascii_lowercase(line).starts_with(&name) { wanted } else { line };
    let head: Vec<&str> = head.split("\r\n").map(replaced).collect();
    [head.join("\r\n").as_bytes(), &answer[end..]].concat()
}
