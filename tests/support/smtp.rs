//! An SMTP server of one's own, which keeps what it gets and misbehaves as told.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a server that demands a login accepts.
pub const USER: &str = "waybill";
pub const PASSWORD: &str = "correct horse";
/// What a client that says nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// Never encrypted.
    Plain,
    /// Encrypted after STARTTLS, and nothing else is taken before.
    StartTls,
    /// Encrypted from the first byte.
    Tls,
}

/// How it misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// The greeting is this.
    Greets(&'static str),
    /// Recipients are answered this.
    Recipients(&'static str),
    /// It says nothing at all.
    Silent,
    /// It says one byte a second.
    Slow,
    /// It has the message, and is gone before it says so.
    DiesAfterData,
    /// It takes the message and is silent when told goodbye.
    NoGoodbye,
}

/// A message that it took.
#[derive(Debug, Clone)]
pub struct Mail {
    pub helo: String,
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body as they came.
    pub data: String,
    pub was_encrypted: bool,
    pub user: Option<String>,
}

impl Mail {
    /// A header, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
        let start = format!("{name}: ");
        head.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default().to_owned()
    }

    /// All of it, with quoted-printable undone.
    pub fn text(&self) -> String {
        let joined = self.data.replace("=\r\n", "");
        let mut bytes = Vec::new();
        let mut rest = joined.as_bytes();
        while let Some((byte, after)) = rest.split_first() {
            let hex = (*byte == b'=').then(|| after.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
            match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(decoded) => {
                    bytes.push(decoded);
                    rest = &after[2..];
                }
                None => {
                    bytes.push(*byte);
                    rest = after;
                }
            }
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// The server. It ends with the test.
pub struct SmtpServer {
    pub port: u16,
    shared: Arc<Shared>,
    folder: TempDir,
}

struct Shared {
    speech: Speech,
    demands_login: AtomicBool,
    tls: Arc<ServerConfig>,
    fault: Mutex<Fault>,
    mails: Mutex<Vec<Mail>>,
    connections: AtomicU32,
    is_over: AtomicBool,
}

impl SmtpServer {
    pub fn start(speech: Speech) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let own = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(folder.path().join("ca.pem"), own.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let shared = Arc::new(Shared {
            speech,
            demands_login: AtomicBool::new(false),
            tls: Arc::new(tls),
            fault: Mutex::default(),
            mails: Mutex::default(),
            connections: AtomicU32::new(0),
            is_over: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if own.is_over.load(Ordering::Relaxed) {
                    return;
                }
                own.connections.fetch_add(1, Ordering::Relaxed);
                let own = Arc::clone(&own);
                std::thread::spawn(move || drop(converse(&own, stream)));
            }
        });
        Self { port, shared, folder }
    }

    /// From now on nobody is served without a login.
    pub fn demand_login(&self) {
        self.shared.demands_login.store(true, Ordering::Relaxed);
    }

    /// From now on it misbehaves like this.
    pub fn misbehave(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// What it took so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap().clone()
    }

    /// How often somebody came.
    pub fn connections(&self) -> u32 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The file of its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the one who accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn converse(shared: &Shared, stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let fault = *shared.fault.lock().unwrap();
    if fault == Fault::Silent {
        // Until the client has had enough.
        let _ = (&stream).read(&mut [0; 1]);
        std::thread::sleep(PATIENCE);
        return Ok(());
    }
    let raw = stream.try_clone()?;
    let encrypted = |raw: TcpStream| -> io::Result<Box<dyn Wire>> {
        let connection = ServerConnection::new(Arc::clone(&shared.tls)).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, raw)))
    };
    let wire = if shared.speech == Speech::Tls { encrypted(stream)? } else { Box::new(stream) };
    let mut talk =
        Talk { shared, fault, wire, encrypted: shared.speech == Speech::Tls, helo: String::new(), user: None };
    let greeting = if let Fault::Greets(greeting) = fault { greeting } else { "220 localhost ready" };
    talk.say(greeting)?;
    if talk.listen()? == Next::StartTls {
        talk.say("220 go on")?;
        (talk.wire, talk.encrypted) = (encrypted(raw)?, true);
        talk.listen()?;
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Next {
    StartTls,
    Over,
}

struct Talk<'a> {
    shared: &'a Shared,
    fault: Fault,
    wire: Box<dyn Wire>,
    encrypted: bool,
    helo: String,
    user: Option<String>,
}

impl Talk<'_> {
    fn listen(&mut self) -> io::Result<Next> {
        let (mut from, mut to) = (String::new(), Vec::new());
        loop {
            let line = self.line()?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            let is_unsafe = self.shared.speech == Speech::StartTls && !self.encrypted;
            let needs_login = self.shared.demands_login.load(Ordering::Relaxed) && self.user.is_none();
            match verb.as_str() {
                "EHLO" | "HELO" => {
                    self.helo = line.split(' ').nth(1).unwrap_or_default().to_owned();
                    let more = match (is_unsafe, self.shared.demands_login.load(Ordering::Relaxed)) {
                        (true, _) => "250 STARTTLS",
                        (false, true) => "250 AUTH PLAIN LOGIN",
                        (false, false) => "250 8BITMIME",
                    };
                    self.say(&format!("250-localhost\r\n{more}"))?;
                }
                "STARTTLS" if is_unsafe => return Ok(Next::StartTls),
                "AUTH" if !is_unsafe => self.login(&line)?,
                "QUIT" if self.fault == Fault::NoGoodbye => std::thread::sleep(PATIENCE),
                "QUIT" => {
                    self.say("221 bye")?;
                    return Ok(Next::Over);
                }
                "MAIL" if is_unsafe => self.say("530 Must issue a STARTTLS command first")?,
                "MAIL" if needs_login => self.say("530 Authentication required")?,
                "MAIL" => {
                    from = address(&line);
                    self.say("250 ok")?;
                }
                "RCPT" => match self.fault {
                    Fault::Recipients(reply) => self.say(reply)?,
                    _ => {
                        to.push(address(&line));
                        self.say("250 ok")?;
                    }
                },
                "DATA" => {
                    self.say("354 go on")?;
                    let data = self.message()?;
                    let (helo, user) = (self.helo.clone(), self.user.clone());
                    let mail = Mail {
                        helo,
                        from: std::mem::take(&mut from),
                        to: std::mem::take(&mut to),
                        data,
                        was_encrypted: self.encrypted,
                        user,
                    };
                    self.shared.mails.lock().unwrap().push(mail);
                    if self.fault == Fault::DiesAfterData {
                        return Ok(Next::Over);
                    }
                    self.say("250 taken")?;
                }
                _ => self.say("500 what?")?,
            }
        }
    }

    fn login(&mut self, line: &str) -> io::Result<()> {
        let decoded = |text: &str| STANDARD.decode(text.trim()).unwrap_or_default();
        let mut words = line.split(' ').skip(1);
        let given = match (words.next(), words.next()) {
            (Some("PLAIN"), Some(given)) => decoded(given),
            (Some("LOGIN"), None) => {
                self.say("334 VXNlcm5hbWU6")?;
                let user = decoded(&self.line()?);
                self.say("334 UGFzc3dvcmQ6")?;
                [vec![0], user, vec![0], decoded(&self.line()?)].concat()
            }
            _ => Vec::new(),
        };
        if given == format!("\0{USER}\0{PASSWORD}").into_bytes() {
            self.user = Some(USER.to_owned());
            return self.say("235 welcome");
        }
        self.say("535 5.7.8 Authentication credentials invalid")
    }

    fn message(&mut self) -> io::Result<String> {
        let mut data = String::new();
        loop {
            match self.line()?.as_str() {
                "." => return Ok(data),
                line => data += &(line.strip_prefix('.').unwrap_or(line).to_owned() + "\r\n"),
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            self.wire.read_exact(&mut byte)?;
            line.extend(byte);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).map_err(io::Error::other)
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        let reply = format!("{reply}\r\n");
        if self.fault == Fault::Slow {
            for byte in reply.bytes() {
                self.wire.write_all(&[byte])?;
                self.wire.flush()?;
                std::thread::sleep(Duration::from_secs(1));
            }
            return Ok(());
        }
        self.wire.write_all(reply.as_bytes())?;
        self.wire.flush()
    }
}

fn address(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(address, _)| address).to_owned()
}
