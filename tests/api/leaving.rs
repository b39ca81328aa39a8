//! A client that goes away: the work stops, and nothing is left behind.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::support::{House, eventually, tasks};

fn ask(house: &House, download: &str, accept: &str) -> TcpStream {
    let mut stream = TcpStream::connect(house.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let body = format!(r#"{{"download":"{download}","limit":1000000}}"#);
    let head = format!(
        "POST /api/v3/tasks/export HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: {accept}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        house.token(),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn filled() -> House {
    let house = House::with(|settings| settings.export.direct_at_once = 1);
    house.load(&tasks(100_000));
    house
}

#[test]
fn who_leaves_while_the_file_is_made_leaves_nothing_behind() {
    let house = filled();
    for wait in [0, 5, 40, 200] {
        let stream = ask(&house, "xlsx", "application/json");
        std::thread::sleep(Duration::from_millis(wait));
        stream.shutdown(Shutdown::Both).unwrap();
        drop(stream);
        let left = Instant::now();
        // The only turn there is comes back once the work has stopped.
        eventually("the work stops", || house.app.direct.available_permits() == 1 && house.temp_files() == 0);
        assert!(left.elapsed() < Duration::from_secs(2), "{:?}", left.elapsed());
        assert_eq!(house.kept_files(), 0);
    }
}

#[test]
fn who_leaves_while_the_file_comes_in_leaves_nothing_behind() {
    let house = filled();
    let mut stream = ask(&house, "ndjson", "application/octet-stream");
    let mut first = [0; 4096];
    stream.read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200 OK"));
    assert_eq!(house.app.direct.available_permits(), 0);
    drop(stream);
    let left = Instant::now();
    eventually("the work stops", || house.app.direct.available_permits() == 1);
    assert!(left.elapsed() < Duration::from_secs(2), "{:?}", left.elapsed());
    assert_eq!((house.temp_files(), house.kept_files()), (0, 0));
}

#[test]
fn who_takes_nothing_is_cut_off() {
    let house = House::with(|settings| {
        settings.export.direct_at_once = 1;
        settings.server.write_stall_seconds = 1;
    });
    house.load(&tasks(200_000));
    let stream = ask(&house, "ndjson", "application/octet-stream");
    eventually("the export runs", || house.app.direct.available_permits() == 0);
    eventually("the export is given up", || house.app.direct.available_permits() == 1);
    drop(stream);
}
