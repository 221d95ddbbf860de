//! The load driver against real k6: the same scripts against the same server, taking turns.
//!
//! CPU time per iteration is what counts: it is the tool's own and survives a busy machine. The
//! server lives in this process, so its time is in nobody's account.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use clap::Args;

use super::process::{self, Usage, median};

/// What to measure.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The binary to be measured; build it with `cargo build --release` first
    #[arg(long, default_value = "target/release/sparring")]
    sparring: PathBuf,
    /// Real k6
    #[arg(long, default_value = "k6")]
    k6: PathBuf,
    /// How often each tool runs each script
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each run takes, in seconds
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Only these works, by their letters
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// A script and what its figures are divided by.
struct Work {
    letter: &'static str,
    what: &'static str,
    vus: u32,
    body: &'static str,
    /// Memory is divided by VUs.
    per_vu: bool,
}

const WORKS: &[Work] = &[
    Work {
        letter: "A",
        what: "GET, 50 VUs",
        vus: 50,
        body: "http.get(url);",
        per_vu: false,
    },
    Work {
        letter: "A1000",
        what: "GET, 1 000 VUs",
        vus: 1000,
        body: "http.get(url);",
        per_vu: false,
    },
    Work {
        letter: "B",
        what: "POST, check, json(), Trend, 50 VUs",
        vus: 50,
        body: "busy();",
        per_vu: false,
    },
    Work {
        letter: "C",
        what: "B and sleep(0.1), 1 000 VUs",
        vus: 1000,
        body: "busy(); sleep(0.1);",
        per_vu: false,
    },
    Work {
        letter: "M",
        what: "GET and sleep(1), 2 000 VUs",
        vus: 2000,
        body: "http.get(url); sleep(1);",
        per_vu: true,
    },
    Work {
        letter: "J",
        what: "pure JavaScript, 1 VU",
        vus: 1,
        body: "compute();",
        per_vu: false,
    },
];

/// Our own text, valid for both tools.
const PRELUDE: &str = r#"
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Trend } from 'k6/metrics';
const url = __ENV.TARGET;
const took = new Trend('took', true);
const payload = JSON.stringify({ content: 'call me at 555-0100', detector: 'pii', items: [1, 2, 3] });
const params = { headers: { 'Content-Type': 'application/json' } };
function busy() {
    const response = http.post(url, payload, params);
    check(response, { 'status is 200': (r) => r.status === 200, 'has a score': (r) => r.json().score > 0 });
    took.add(response.timings.duration);
}
function compute() {
    const rows = [];
    for (let i = 0; i < 300; i++) {
        rows.push({ id: i, name: 'row ' + ((i * 7919) % 300), tags: ['a', 'b', String(i % 7)] });
    }
    rows.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    const copy = JSON.parse(JSON.stringify(rows));
    let hits = 0;
    for (const row of copy) {
        if (/^row \d*[13579]$/.test(row.name)) { hits += row.tags.join('-').length; }
    }
    const counts = {};
    for (let i = 0; i < 2000; i++) { counts['k' + (i % 50)] = (counts['k' + (i % 50)] || 0) + i; }
    return hits + Object.keys(counts).length;
}
"#;

/// The figures of one run.
struct Figures {
    per_s: f64,
    cpu_us: f64,
    rss_mb: f64,
}

/// Runs the benchmark and prints a table. True: every run came to its end.
pub fn run(arguments: &Arguments) -> bool {
    match compare(arguments) {
        Ok(()) => true,
        Err(error) => {
            println!("the benchmark failed: {error}");
            false
        }
    }
}

fn compare(arguments: &Arguments) -> io::Result<()> {
    let target = serve()?;
    let folder = std::env::temp_dir().join(format!("sparring-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    println!("| work | tool | iterations/s | CPU µs per iteration | peak RSS MB | per VU kB |");
    println!("|---|---|---|---|---|---|");
    let wanted = |work: &&Work| {
        arguments.only.is_empty() || arguments.only.iter().any(|one| one == work.letter)
    };
    for work in WORKS.iter().filter(wanted) {
        compare_one(arguments, work, (&folder, &target))?;
    }
    std::fs::remove_dir_all(&folder)
}

fn compare_one(arguments: &Arguments, work: &Work, place: (&Path, &str)) -> io::Result<()> {
    let (folder, target) = place;
    let script = folder.join(format!("{}.js", work.letter));
    let options = format!(
        "export const options = {{ vus: {}, duration: '{}s' }};\n",
        work.vus, arguments.seconds
    );
    std::fs::write(
        &script,
        format!(
            "{PRELUDE}{options}export default function () {{ {} }}\n",
            work.body
        ),
    )?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        ours.push(measure(&arguments.sparring, &script, target)?);
        theirs.push(measure(&arguments.k6, &script, target)?);
    }
    let (ours, theirs) = (middle(&ours), middle(&theirs));
    for (tool, figures) in [("sparring", &ours), ("k6", &theirs)] {
        let per_vu = if work.per_vu {
            format!("{:.0}", figures.rss_mb * 1000.0 / f64::from(work.vus))
        } else {
            String::new()
        };
        println!(
            "| {}: {} | {tool} | {:.0} | {:.1} | {:.0} | {per_vu} |",
            work.letter, work.what, figures.per_s, figures.cpu_us, figures.rss_mb
        );
    }
    println!(
        "| | ratio | {:.2} | 1/{:.2} | 1/{:.2} | |",
        ours.per_s / theirs.per_s,
        theirs.cpu_us / ours.cpu_us,
        theirs.rss_mb / ours.rss_mb
    );
    Ok(())
}

fn measure(tool: &Path, script: &Path, target: &str) -> io::Result<Figures> {
    let export = script.with_extension("json");
    let mut command = Command::new(tool);
    command
        .args(["run", "--quiet", "--summary-export"])
        .arg(&export)
        .arg(script);
    command
        .env("TARGET", target)
        .env("K6_NO_USAGE_REPORT", "true");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let usage: Usage = process::measure(&mut command)?;
    if !usage.status.success() {
        return Err(io::Error::other(format!(
            "{} ended with {}",
            tool.display(),
            usage.status
        )));
    }
    let summary: serde_json::Value = serde_json::from_slice(&std::fs::read(&export)?)?;
    let of = |key: &str| {
        summary["metrics"]["iterations"][key]
            .as_f64()
            .unwrap_or(f64::NAN)
    };
    let iterations = of("count");
    Ok(Figures {
        per_s: of("rate"),
        cpu_us: usage.cpu.as_secs_f64() * 1e6 / iterations,
        rss_mb: usage.peak_rss_bytes as f64 / 1e6,
    })
}

fn middle(runs: &[Figures]) -> Figures {
    let of = |pick: fn(&Figures) -> f64| median(&runs.iter().map(pick).collect::<Vec<_>>());
    Figures {
        per_s: of(|run| run.per_s),
        cpu_us: of(|run| run.cpu_us),
        rss_mb: of(|run| run.rss_mb),
    }
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 120\r\n\r\n\
{\"score\":0.97,\"detections\":[{\"type\":\"pii\",\"start\":11,\"end\":19}],\"detector\":\"bench\",\"version\":\"1\",\"processing_ms\":12.345}";

/// Starts a server that gives every request the same answer; it ends with the process.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let target = format!("http://{}/", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A thread per connection: nothing to schedule in user space, little to pay per request.
            let _ = thread::Builder::new()
                .stack_size(64 * 1024)
                .spawn(move || answer(stream));
        }
    });
    Ok(target)
}

fn answer(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut pending = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        pending.extend_from_slice(&buffer[..count]);
        while let Some(length) = request_length(&pending) {
            pending.drain(..length);
            stream.write_all(ANSWER).ok()?;
        }
    }
}

/// The length of the first request, when it is there completely.
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
}
