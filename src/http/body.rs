//! Reading a request's body: never more than its limit, never waiting for long.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::domain::{Error, Kind, Result};

/// Pieces of a streamed body that wait to be read.
const PIECES: usize = 16;
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
    pieces: mpsc::Receiver<Result<Bytes>>,
    left: Bytes,
}

/// Starts to read a body of any length.
pub(super) fn streamed(body: Body, idle_seconds: u64) -> Streamed {
    let (send, pieces) = mpsc::channel(PIECES);
    let mut source = Source::new(body, idle_seconds);
    tokio::spawn(async move {
        loop {
            let piece = source.piece().await;
            let ended = !matches!(piece, Ok(Some(_)));
            if let Some(piece) = piece.transpose()
                && send.send(piece).await.is_err()
            {
                return;
            }
            if ended {
                return;
            }
        }
    });
    Streamed { pieces, left: Bytes::new() }
}

impl Read for Streamed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.left = piece,
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
        let length = buffer.len().min(self.left.len());
        buffer[..length].copy_from_slice(&self.left[..length]);
        self.left.advance(length);
        Ok(length)
    }
}
