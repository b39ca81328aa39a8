//! Finished files behind signed links (contract 4), with `Range`, `HEAD` and `ETag`; those of a bucket
//! are redirected to or passed through.

use std::io::Read;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::app::App;
use crate::domain::{Error, Id, Kind, Result, export_log};
use crate::export;
use crate::kit::percent::attachment;
use crate::render::media_type;
use crate::settings::Delivery;
use crate::storage::{Kept, Reader};

use super::guard::Shared;
use super::page::query;
use super::reply::Answer;
use super::work;

/// Bytes that are read at once: as fast as a kernel's own copying (performance.md).
const CHUNK: usize = 512 * 1024;
/// Chunks that wait for the client.
const CHUNKS: usize = 2;
/// Seconds that a link to the bucket holds which is made when it is followed.
const CLICK_SECONDS: i64 = 3600;

/// The organisation in a key, which the signature covers.
fn organization(key: &str) -> Option<Id> {
    key.split('_').nth(1)?.parse().ok()
}

/// `GET /files/{day}/{name}`; `HEAD` goes the same way.
pub(super) async fn get(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path((day, file)): Path<(String, String)>,
    method: Method,
    uri: Uri,
) -> Answer {
    let key = format!("{day}/{file}");
    let mut params = query(&uri);
    let name = params.string("name").unwrap_or_default();
    let expires = params.string("expires").and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
    let signature = params.string("signature").unwrap_or_default();
    let export: Option<Id> = params.string("export").and_then(|text| text.parse().ok());
    let app = &shared.app;
    let not_valid = || Error::new(Kind::Forbidden, "This link is not valid.");
    let (export, organization) = export.zip(organization(&key)).ok_or_else(not_valid)?;
    if !app.file_link_is_genuine(&key, export, &name, expires, &signature) {
        return Err(not_valid().into());
    }
    let gone = || Error::new(Kind::Gone, "This export has expired. Run it again.");
    if expires <= app.clock.now().seconds() {
        return Err(gone().into());
    }
    let reader = shared.clone();
    let follows = method == Method::GET;
    let found = work(move || {
        let app = &reader.app;
        // An entry that was deleted or has expired takes its links with it.
        let log = app.store.view()?.export(organization, export)?;
        let file = log.as_ref().and_then(|log| log.file_at(app.clock.now())).filter(|file| file.key == key);
        file.map_or(Ok(None), |file| find(app, file, follows))
    });
    let answer = match found.await?.ok_or_else(gone)? {
        Found::Elsewhere(link) => elsewhere(&link)?,
        Found::Here(kept) => answer(&headers, &file, &name, kept)?,
    };
    if method == Method::GET && begins(&answer) {
        tokio::task::spawn_blocking(move || {
            if let Err(error) = export::downloaded(&shared.app, organization, export) {
                tracing::warn!(cause = error.chain(), "a download could not be counted");
            }
        });
    }
    Ok(answer)
}

/// A file that was asked for.
enum Found {
    /// To be read and passed on.
    Here(Kept),
    /// To be fetched by this link.
    Elsewhere(String),
}

/// A link is signed for the method that it is followed with, so that other methods are answered here.
fn find(app: &App, file: &export_log::File, follows: bool) -> Result<Option<Found>> {
    if follows
        && app.settings.storage.delivery == Delivery::Redirect
        && let Some(link) = export::bucket_link(app, file, CLICK_SECONDS)?
    {
        return Ok(Some(Found::Elsewhere(link)));
    }
    Ok(app.storage.read(&file.key, &file.place)?.map(Found::Here))
}

fn elsewhere(link: &str) -> Result<Response> {
    let location = HeaderValue::from_str(link).map_err(|error| Error::internal("http", error))?;
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"))];
    Ok((StatusCode::FOUND, headers).into_response())
}

/// Whether the answer holds the first byte of the file, or leads to it: a download that is taken up
/// again was counted.
fn begins(answer: &Response) -> bool {
    match answer.status() {
        StatusCode::OK | StatusCode::FOUND => true,
        StatusCode::PARTIAL_CONTENT => {
            let range = answer.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
            range.is_some_and(|range| range.starts_with("bytes 0-"))
        }
        _ => false,
    }
}

fn answer(headers: &HeaderMap, file: &str, name: &str, kept: Kept) -> Result<Response> {
    // Keys are never given twice, and a file never changes once it is there.
    let tag = format!("\"{}-{:x}-{:x}\"", file.split('.').next().unwrap_or_default(), kept.size, kept.modified.0);
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let mut common = HeaderMap::new();
    let mut put = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            common.insert(name, value);
        }
    };
    put(header::ETAG, &tag);
    put(header::ACCEPT_RANGES, "bytes");
    put(header::CACHE_CONTROL, "private, no-store");
    if text(header::IF_NONE_MATCH).is_some_and(|given| matches(given, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    put(header::CONTENT_TYPE, media_type(file.rsplit('.').next().unwrap_or_default()));
    put(header::CONTENT_DISPOSITION, &attachment(if name.is_empty() { file } else { name }));
    let range = text(header::RANGE).filter(|_| text(header::IF_RANGE).is_none_or(|given| given == tag));
    let (status, start, length) = match range.map(|range| part(range, kept.size)) {
        None | Some(Part::All) => (StatusCode::OK, 0, kept.size),
        Some(Part::Of { start, length }) => {
            put(header::CONTENT_RANGE, &format!("bytes {start}-{}/{}", start + length - 1, kept.size));
            (StatusCode::PARTIAL_CONTENT, start, length)
        }
        Some(Part::Outside) => {
            put(header::CONTENT_RANGE, &format!("bytes */{}", kept.size));
            let answer = super::reply::failure(StatusCode::RANGE_NOT_SATISFIABLE, "The file does not reach that far.");
            common.remove(header::CONTENT_TYPE);
            common.remove(header::CONTENT_DISPOSITION);
            return Ok((common, answer).into_response());
        }
    };
    put(header::CONTENT_LENGTH, &length.to_string());
    let reader = kept.reader(start).map_err(|error| Error::internal("storage", error))?;
    Ok((status, common, contents(reader, length)).into_response())
}

/// What a `Range` header means for a file of this size (RFC 9110, 14.2).
#[derive(Debug, PartialEq, Eq)]
enum Part {
    All,
    Of { start: u64, length: u64 },
    Outside,
}

/// Several ranges at once, and what cannot be read, mean the whole file.
fn part(range: &str, size: u64) -> Part {
    let Some((first, last)) =
        range.strip_prefix("bytes=").filter(|set| !set.contains(',')).and_then(|set| set.split_once('-'))
    else {
        return Part::All;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (start, end) = match (first.trim().is_empty(), number(first), last.trim().is_empty(), number(last)) {
        (true, _, false, Some(0)) => return Part::Outside,
        (true, _, false, Some(last)) => (size.saturating_sub(last), size),
        (false, Some(start), true, _) => (start, size),
        (false, Some(start), false, Some(last)) if last >= start => (start, size.min(last.saturating_add(1))),
        _ => return Part::All,
    };
    if start >= size { Part::Outside } else { Part::Of { start, length: end - start } }
}

fn matches(given: &str, tag: &str) -> bool {
    given.split(',').map(|given| given.trim().trim_start_matches("W/")).any(|given| given == "*" || given == tag)
}

/// Reads ahead on a thread that may wait for the disk or the bucket.
fn contents(mut file: Reader, length: u64) -> Body {
    let (send, chunks) = mpsc::channel::<std::io::Result<Bytes>>(CHUNKS);
    tokio::task::spawn_blocking(move || {
        let mut left = length;
        let mut next = || -> std::io::Result<Bytes> {
            let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
            file.read_exact(&mut chunk)?;
            left -= chunk.len() as u64;
            Ok(chunk.into())
        };
        loop {
            match next() {
                Ok(end) if end.is_empty() => return,
                chunk => {
                    let failed = chunk.is_err();
                    if send.blocking_send(chunk).is_err() || failed {
                        return;
                    }
                }
            }
        }
    });
    Body::from_stream(stream::unfold(
        chunks,
        |mut chunks| async move { chunks.recv().await.map(|chunk| (chunk, chunks)) },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part_of_the_file_or_outside_of_it() {
        let of = |start, length| Part::Of { start, length };
        assert_eq!(part("bytes=0-9", 100), of(0, 10));
        assert_eq!(part("bytes=90-", 100), of(90, 10));
        assert_eq!(part("bytes=90-500", 100), of(90, 10));
        assert_eq!(part("bytes=-10", 100), of(90, 10));
        assert_eq!(part("bytes=-500", 100), of(0, 100));
        assert_eq!(part("bytes=100-", 100), Part::Outside);
        assert_eq!(part("bytes=-0", 100), Part::Outside);
        for whole in ["bytes=9-3", "bytes=0-1,5-6", "items=0-1", "bytes=x-", "bytes=-"] {
            assert_eq!(part(whole, 100), Part::All, "{whole}");
        }
    }
}
