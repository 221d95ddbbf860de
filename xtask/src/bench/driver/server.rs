//! The server for both tools: it responds at once and records the times of requests.
//!
//! Each run has a separate process, so that the previous run (ten thousand ending threads, memory) does not delay the
//! next one, and the process that starts the tools stays small, since the system counts its resident memory as theirs.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use serde::{Deserialize, Serialize};

/// Options of the server.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Rate of the expected requests per second, to report their lateness
    #[arg(long)]
    rate: Option<u32>,
}

/// The server's record of a run.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct View {
    pub(super) requests: usize,
    /// The time of the first request, in seconds since 1970.
    pub(super) first_unix_s: Option<f64>,
    /// The 99th percentile of response times in milliseconds; `None` without requests.
    pub(super) p99_ms: Option<f64>,
    /// The lateness of requests, 99th percentile and maximum, in milliseconds, if there is a rate.
    pub(super) late_ms: Option<(f64, f64)>,
}

/// The server's record of a request.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    took: Duration,
}

/// Prints its address, answers requests until its input ends, and prints its record. Returns whether it succeeded.
pub fn run(arguments: &Arguments) -> bool {
    match serve(arguments.rate) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("the server failed: {error}");
            false
        }
    }
}

fn serve(rate: Option<u32>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}/", listener.local_addr()?);
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let notes = Arc::clone(&seen);
    let (begun, begun_unix) = (Instant::now(), SystemTime::now());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A thread per connection needs no scheduling in user space and costs little per request.
            let notes = Arc::clone(&notes);
            let _ = thread::Builder::new()
                .stack_size(64 * 1024)
                .spawn(move || answer(stream, &notes));
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    let unix_s = |at: Instant| {
        let since = begun_unix + (at - begun);
        since
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64())
    };
    println!("{}", serde_json::to_string(&view(seen, rate, unix_s))?);
    Ok(())
}

fn view(mut seen: Vec<Seen>, rate: Option<u32>, unix_s: impl Fn(Instant) -> f64) -> View {
    seen.sort_by_key(|one| one.at);
    let mut took: Vec<f64> = seen.iter().map(|one| millis(one.took)).collect();
    took.sort_by(f64::total_cmp);
    let times: Vec<Instant> = seen.iter().map(|one| one.at).collect();
    View {
        requests: times.len(),
        first_unix_s: times.first().copied().map(unix_s),
        p99_ms: (!took.is_empty()).then(|| percentile(&took, 0.99)),
        late_ms: rate.and_then(|rate| lags(&times, rate)),
    }
}

/// The lateness of requests relative to the grid on which the earliest one (relative to its position) is on time.
fn lags(times: &[Instant], per_s: u32) -> Option<(f64, f64)> {
    let first = *times.first()?;
    let ideal = |index: usize| index as f64 * 1000.0 / f64::from(per_s);
    let raw: Vec<f64> = times
        .iter()
        .enumerate()
        .map(|(index, at)| millis(*at - first) - ideal(index))
        .collect();
    let earliest = raw.iter().copied().fold(f64::INFINITY, f64::min);
    let mut lags: Vec<f64> = raw.iter().map(|lag| lag - earliest).collect();
    lags.sort_by(f64::total_cmp);
    Some((percentile(&lags, 0.99), lags[lags.len() - 1]))
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    let index = (sorted.len() as f64 * share) as usize;
    sorted
        .get(index.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 120\r\n\r\n\
{\"score\":0.97,\"detections\":[{\"type\":\"pii\",\"start\":11,\"end\":19}],\"detector\":\"bench\",\"version\":\"1\",\"processing_ms\":12.345}";

fn answer(mut stream: TcpStream, notes: &Mutex<Vec<Seen>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut pending = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        let at = Instant::now();
        pending.extend_from_slice(&buffer[..count]);
        while let Some(length) = request_length(&pending) {
            pending.drain(..length);
            stream.write_all(ANSWER).ok()?;
            let took = at.elapsed();
            notes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(Seen { at, took });
        }
    }
}

/// The length of the first request, if it is complete.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let body = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = head
        + body
            .map_or(Ok(0), |body| body.trim().parse::<usize>())
            .ok()?;
    (bytes.len() >= length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let head = ANSWER
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("a head")
            + 4;
        assert_eq!(ANSWER.len() - head, 120);
    }

    #[test]
    fn requests_are_told_apart() {
        assert_eq!(request_length(b"GET / HTTP/1.1\r\n\r\nGET"), Some(18));
        assert_eq!(
            request_length(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nh"),
            None
        );
        assert_eq!(request_length(b"GET / HTTP/1.1\r\n"), None);
    }

    #[test]
    fn lateness_is_counted_from_the_best_grid() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let (_, most) = lags(&[at(3), at(10), at(20), at(37)], 100).expect("times");
        assert!(
            (most - 7.0).abs() < 1e-6,
            "the second and third are in time: {most}"
        );
    }
}
