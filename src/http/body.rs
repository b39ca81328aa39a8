//! Reading a request's body: never more than its limit, never waiting for long.

use std::io::{self, BufRead, Read};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::domain::{Error, Kind, Result};

/// Handfuls of a streamed body that wait to be read.
const HANDFULS: usize = 2;
/// Bytes of a handful, which the last of its pieces may exceed. Waking the thread that reads costs more
/// than reading what a client sends at a time.
const HANDFUL_BYTES: usize = 256 << 10;
/// Pieces of a handful: the smallest hold memory for more than they have.
const HANDFUL_PIECES: usize = 64;
/// Bytes that must come for each second of waiting, over a whole idle time: who sends a byte now
/// and then holds a connection as well as who sends none.
const LEAST_PER_SECOND: u64 = 64;

/// The whole body.
pub(super) async fn whole(body: Body, most: usize, idle_seconds: u64) -> Result<Vec<u8>> {
    let mut source = Source::new(body, idle_seconds);
    let mut bytes = Vec::new();
    while let Some(piece) = source.piece().await? {
        if bytes.len() + piece.len() > most {
            return Err(Error::new(Kind::TooLarge, format!("The body must not be larger than {most} bytes.")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A body with an eye on how fast it comes.
struct Source {
    body: Body,
    idle: Duration,
    waited: Duration,
    came: u64,
}

impl Source {
    fn new(body: Body, idle_seconds: u64) -> Self {
        Self { body, idle: Duration::from_secs(idle_seconds), waited: Duration::ZERO, came: 0 }
    }

    /// The next bytes of the body.
    async fn piece(&mut self) -> Result<Option<Bytes>> {
        loop {
            let asked = Instant::now();
            let frame = tokio::time::timeout(self.idle, self.body.frame()).await;
            let idle = self.idle.as_secs();
            let silent = || Error::new(Kind::Timeout, format!("No byte of the body came for {idle} seconds."));
            match frame.map_err(|_| silent())? {
                None => return Ok(None),
                Some(Err(error)) => return Err(Error::invalid("The body broke off.").with_source(error)),
                Some(Ok(frame)) => {
                    // Trailers mean nothing here.
                    let data = frame.into_data().unwrap_or_default();
                    self.keep_pace(asked.elapsed(), data.len() as u64)?;
                    if !data.is_empty() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The next pieces of the body, and how it ended if it has.
    async fn handful(&mut self) -> (Vec<Bytes>, Option<Result<()>>) {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        while bytes < HANDFUL_BYTES && pieces.len() < HANDFUL_PIECES {
            match self.piece().await {
                Ok(Some(piece)) => {
                    bytes += piece.len();
                    pieces.push(piece);
                }
                Ok(None) => return (pieces, Some(Ok(()))),
                Err(error) => return (pieces, Some(Err(error))),
            }
        }
        (pieces, None)
    }

    /// Only what we wait for counts: a body that we read slowly is not the client's fault.
    fn keep_pace(&mut self, waited: Duration, came: u64) -> Result<()> {
        self.waited += waited;
        self.came += came;
        if self.waited < self.idle {
            return Ok(());
        }
        if self.came < LEAST_PER_SECOND * self.idle.as_secs() {
            return Err(Error::new(Kind::Timeout, "The body comes too slowly."));
        }
        (self.waited, self.came) = (Duration::ZERO, 0);
        Ok(())
    }
}

/// # Errors
/// `Unsupported` when the body is said to be something else.
pub(super) fn expect(headers: &HeaderMap, allowed: &[&str]) -> Result<()> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    if allowed.iter().any(|allowed| kind.eq_ignore_ascii_case(allowed)) {
        return Ok(());
    }
    let allowed = allowed.join(" or ");
    Err(Error::new(Kind::Unsupported, format!("The Content-Type header must be {allowed}.")))
}

/// A body that is read on a thread that may wait, while it comes in.
pub(super) struct Streamed {
    handfuls: mpsc::Receiver<Result<Vec<Bytes>>>,
    /// The rest of a handful.
    left: std::vec::IntoIter<Bytes>,
    /// The rest of a piece.
    piece: Bytes,
}

/// Starts to read a body of any length.
pub(super) fn streamed(body: Body, idle_seconds: u64) -> Streamed {
    let (send, handfuls) = mpsc::channel(HANDFULS);
    let mut source = Source::new(body, idle_seconds);
    tokio::spawn(async move {
        loop {
            let (handful, ended) = source.handful().await;
            let is_over = ended.is_some();
            // What came before an error is read before it.
            for part in [(!handful.is_empty()).then_some(Ok(handful)), ended.and_then(Result::err).map(Err)] {
                if let Some(part) = part
                    && send.send(part).await.is_err()
                {
                    return;
                }
            }
            if is_over {
                return;
            }
        }
    });
    Streamed { handfuls, left: Vec::new().into_iter(), piece: Bytes::new() }
}

impl Read for Streamed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Streamed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() {
            if let Some(piece) = self.left.next() {
                self.piece = piece;
                continue;
            }
            match self.handfuls.blocking_recv() {
                None => break,
                Some(Ok(handful)) => self.left = handful.into_iter(),
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, length: usize) {
        self.piece.advance(length);
    }
}
