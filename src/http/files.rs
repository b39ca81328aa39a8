//! Finished files behind signed links (contract 4), with `Range`, `HEAD` and `ETag`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

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
use crate::kit::percent::encoded;
use crate::render::media_type;
use crate::storage::Kept;

use super::guard::Shared;
use super::page::query;
use super::reply::Answer;
use super::work;

/// Bytes that are read at once: as fast as a kernel's own copying (performance.md).
const CHUNK: usize = 512 * 1024;
/// Chunks that wait for the client.
const CHUNKS: usize = 2;

/// The link to the file of an export, good for as long as the settings say and the file is there.
pub fn link(app: &App, export: Id, file: &export_log::File) -> String {
    let hours = i64::from(app.settings.storage.link_hours);
    app.file_link(export, file, app.clock.now().seconds() + hours * 3600)
}

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
    let kept = work(move || {
        let app = &reader.app;
        // An entry that was deleted or has expired takes its links with it.
        let log = app.store.view()?.export(organization, export)?;
        let is_there = log.is_some_and(|log| log.file_at(app.clock.now()).is_some_and(|file| file.key == key));
        if is_there { app.folder.read(&key) } else { Ok(None) }
    });
    let kept = kept.await?.ok_or_else(gone)?;
    let answer = answer(&headers, &file, &name, kept)?;
    if method == Method::GET && begins(&answer) {
        tokio::task::spawn_blocking(move || {
            if let Err(error) = export::downloaded(&shared.app, organization, export) {
                tracing::warn!(cause = error.chain(), "a download could not be counted");
            }
        });
    }
    Ok(answer)
}

/// `attachment` with the name as RFC 6266 wants it: plain, and again in UTF-8.
pub(super) fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '/') || c == ' ' { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", encoded(name))
}

/// Whether the answer holds the first byte of the file: a download that is taken up again was counted.
fn begins(answer: &Response) -> bool {
    match answer.status() {
        StatusCode::OK => true,
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
    put(header::CONTENT_DISPOSITION, &disposition(if name.is_empty() { file } else { name }));
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
    let mut file = kept.file;
    file.seek(SeekFrom::Start(start)).map_err(|error| Error::internal("storage", error))?;
    Ok((status, common, contents(file, length)).into_response())
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

/// Reads ahead on a thread that may wait for the disk. The file stays readable when it is deleted.
fn contents(mut file: File, length: u64) -> Body {
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

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        let text = disposition("a\"b\r\nc/ü.xlsx");
        assert_eq!(text, "attachment; filename=\"a_b__c__.xlsx\"; filename*=UTF-8''a%22b%0D%0Ac%2F%C3%BC.xlsx");
    }
}
