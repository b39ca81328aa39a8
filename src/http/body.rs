//! Reading a request's body: never more than its limit, never waiting for long.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::domain::{Error, Kind, Result};

/// Pieces of a streamed body that wait to be read.
const PIECES: usize = 16;

/// The whole body.
pub(super) async fn whole(body: Body, most: usize, idle_seconds: u64) -> Result<Vec<u8>> {
    let mut body = body;
    let mut bytes = Vec::new();
    while let Some(piece) = piece(&mut body, idle_seconds).await? {
        if bytes.len() + piece.len() > most {
            return Err(Error::new(Kind::TooLarge, format!("The body must not be larger than {most} bytes.")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The next bytes of the body.
async fn piece(body: &mut Body, idle_seconds: u64) -> Result<Option<Bytes>> {
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(idle_seconds), body.frame()).await;
        let slow = || Error::new(Kind::Timeout, format!("No byte of the body came for {idle_seconds} seconds."));
        match frame.map_err(|_| slow())? {
            None => return Ok(None),
            Some(Err(error)) => return Err(Error::invalid("The body broke off.").with_source(error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => return Ok(Some(data)),
                // Trailers mean nothing here.
                Err(_) => continue,
            },
        }
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
pub(super) fn streamed(mut body: Body, idle_seconds: u64) -> Streamed {
    let (send, pieces) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        loop {
            let piece = piece(&mut body, idle_seconds).await;
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
