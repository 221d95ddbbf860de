//! Requests without a response are failures in the load script's rates.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::binary::sparring;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/k6/orchestration_load.js"
);

/// The counts of the server at one path.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    asked: u64,
    reset: u64,
}

type Ledger = Arc<Mutex<HashMap<String, Done>>>;

/// A server that resets three of ten requests of each path, never the first. Its thread ends with the process.
fn serve() -> (String, Ledger) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let ledger = Ledger::default();
    let shared = Arc::clone(&ledger);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let ledger = Arc::clone(&shared);
            std::thread::spawn(move || answer(stream, &ledger));
        }
    });
    (url, ledger)
}

fn answer(stream: TcpStream, ledger: &Ledger) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let is_reset = {
        let mut ledger = ledger.lock().ok()?;
        let done = ledger.entry(path.clone()).or_default();
        let is_reset = [1, 4, 7].contains(&(done.asked % 10));
        done.asked += 1;
        done.reset += u64::from(is_reset);
        is_reset
    };
    let mut stream = reader.into_inner();
    if is_reset {
        reset(&stream);
        return None;
    }
    let body = match path.as_str() {
        "/health" => r#"{"status": "healthy"}"#.to_owned(),
        "/orchestrate" => {
            r#"{"detector_results": [{"status": "success"}], "coverage_achieved": 1}"#.to_owned()
        }
        _ => {
            let text = String::from_utf8_lossy(&body);
            let results = vec!["{}"; text.matches("\"content_type\"").count()];
            format!(r#"{{"results": [{}]}}"#, results.join(","))
        }
    };
    // No connection is used twice, so that no reset is mistaken for the end of an idle one.
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    write!(
        stream,
        "{head}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()
}

/// Lets the connection end by RST instead of FIN once it is dropped.
fn reset(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let size = libc::socklen_t::try_from(size_of::<libc::linger>()).expect("a small size");
    // SAFETY: the descriptor is open for as long as `stream` lives; the pointer and size are those of `linger`.
    let code = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size,
        )
    };
    assert_eq!(code, 0, "the option is known");
}

#[test]
fn a_request_without_an_answer_counts_as_a_failure() {
    let (url, ledger) = serve();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let export = folder.path().join("summary.json");
    let output = sparring()
        .args(["run", "--quiet", "--summary-export"])
        .arg(&export)
        .arg(SCRIPT)
        .env("PERF_BASE_URL", url)
        .env("K6_SMOKE_VUS", "20")
        .env("K6_SMOKE_DURATION", "4s")
        .output()
        .expect("the binary was built for this test");
    let text = std::fs::read_to_string(&export)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    let ledger = ledger.lock().expect("no thread panicked").clone();
    let reset = |paths: &[&str]| -> u64 { paths.iter().map(|path| ledger[*path].reset).sum() };
    let fails = |metric: &str| summary["metrics"][metric]["fails"].as_u64();
    let rate = |metric: &str| summary["metrics"][metric]["value"].as_f64();
    assert!(reset(&["/health"]) > 0, "{ledger:?}");
    assert_eq!(
        fails("health_success"),
        Some(reset(&["/health"])),
        "{ledger:?}"
    );
    let orchestrated = reset(&["/orchestrate", "/orchestrate/batch"]);
    assert_eq!(
        fails("orchestrate_success"),
        Some(orchestrated),
        "{ledger:?}"
    );
    assert!(rate("health_success") < Some(1.0) && rate("orchestrate_success") < Some(1.0));
    assert_eq!(output.status.code(), Some(99));
}
