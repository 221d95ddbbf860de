//! The driver from one virtual user to fifty thousand, each with a connection of its own.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::process::{self, Usage};
use super::section::{Section, profile};

/// Users that send a GET, or a message over an open WebSocket, every ten seconds. Takes fifteen minutes; the limit of
/// open files bounds the users of a process, so that fifty thousand need several.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The binary to be measured; build it with `cargo build --profile dist` first
    #[arg(long, default_value = "target/dist/sparring")]
    sparring: PathBuf,
    /// Numbers of virtual users
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 1_000, 10_000, 20_000, 50_000])]
    users: Vec<u32>,
    /// The maximum number of users of one process
    #[arg(long, default_value_t = 17_000)]
    per_process: u32,
    /// Length of each run, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Write the results into docs/BENCHMARKS.md
    #[arg(long, conflicts_with = "users")]
    write: bool,
}

/// A user's period, in seconds.
const PERIOD_S: u32 = 10;
/// Users that begin within a second, since opening fifty thousand connections at once would measure only the opening.
const BEGIN_PER_S: u32 = 1_000;
/// One process has ports for 28 000 connections to an address of a server, and with four source addresses for four
/// times as many.
const ADDRESSES: &str = "127.0.0.2-127.0.0.5";

/// A server that responds at once to requests and messages.
const SYSTEM: &str = "\
system: scale
components:
  page: { kind: service, slots: 1000000, operations: { run: { service_ms: 0 } } }
  hub: { kind: hub, slots: 1000000, max_connections: 100000, operations: { message: { service_ms: 0 } } }
endpoints:
  page: { route: GET /page, flow: [{ visit: page.run }] }
  talk: { route: GET /talk, socket: hub, examples: [{ body: { type: message, id: '1' } }], flow: [{ visit: hub.message }] }
";

/// `late` is the excess of a sleep, or of a timer of a socket.
const SCRIPT: &str = r"
import http from 'k6/http';
import ws from 'k6/ws';
import { check, sleep } from 'k6';
import { Trend } from 'k6/metrics';
const late = new Trend('late');
const period_ms = Number(__ENV.PERIOD_S) * 1000;
const spread_ms = Number(__ENV.SPREAD_S) * 1000;
const hold_ms = Number(__ENV.HOLD_S) * 1000;
let begun = false;
function pause(ms) {
    const before = Date.now();
    sleep(ms / 1000);
    late.add(Date.now() - before - ms);
}
export function get() {
    if (!begun) { begun = true; pause(Math.floor(Math.random() * spread_ms)); }
    check(http.get(`${__ENV.TARGET}/page`), { answered: (r) => r.status === 200 });
    pause(period_ms);
}
export function talk() {
    pause(Math.floor(Math.random() * spread_ms));
    let sent = 0, answered = 0;
    const opened = ws.connect(__ENV.TARGET.replace('http', 'ws') + '/talk', {}, (socket) => {
        let due = Date.now();
        const send = () => {
            late.add(Date.now() - due);
            sent += 1;
            socket.send(JSON.stringify({ type: 'message', id: String(sent) }));
        };
        socket.on('open', () => {
            due = Date.now();
            send();
            socket.setInterval(() => { due += period_ms; send(); }, period_ms);
            socket.setTimeout(() => socket.close(), hold_ms);
        });
        socket.on('message', () => { answered += 1; });
    });
    check(opened, { answered: () => sent > 0 && answered === sent });
}
";

/// Runs the benchmark. Returns whether it was completed; failures are in the table.
pub fn run(arguments: &Arguments, root: &Path) -> bool {
    match measure(arguments, root) {
        Ok(met) => met,
        Err(error) => {
            eprintln!("bench scale: {error}");
            false
        }
    }
}

fn measure(arguments: &Arguments, root: &Path) -> io::Result<bool> {
    let folder = std::env::temp_dir().join(format!("sparring-scale-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("scale.yaml"), SYSTEM)?;
    let mut section = Section::new("scale");
    section.how(profile(&arguments.sparring));
    section.how(format!(
        "{} s each after all users have begun, 1 000 of them a second; a request or message every {PERIOD_S} s; at most {} users in a process",
        arguments.seconds, arguments.per_process
    ));
    section.table(&[
        "users",
        "what each does",
        "processes",
        "CPU, share of one core",
        "CPU µs per request",
        "memory, MB",
        "kB per user",
        "late p50 / p99 / latest, ms",
        "requests",
        "not answered",
    ]);
    for work in [Work::Get, Work::Talk] {
        for users in &arguments.users {
            let found = one(arguments, &folder, work, *users)?;
            section.line(found.row(work, *users, Times::of(arguments, *users).seconds));
            if *users == 50_000 {
                let what = format!("{users} users, {}", work.what());
                let failed = found.failed.to_string();
                section.aim(&what, &failed, "every request answered", found.failed == 0);
            }
        }
    }
    std::fs::remove_dir_all(&folder)?;
    section.end(arguments.write, root)
}

/// The action of users.
#[derive(Debug, Clone, Copy)]
enum Work {
    Get,
    Talk,
}

impl Work {
    /// The function of the script.
    const fn function(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Talk => "talk",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Get => "GET, own connection",
            Self::Talk => "WebSocket, held open",
        }
    }
}

/// The figures of a run, of all its processes together.
#[derive(Debug, Default)]
struct Found {
    processes: u32,
    cpu: Duration,
    rss_bytes: u64,
    requests: u64,
    failed: u64,
    /// The maximum of the processes, in milliseconds.
    late_ms: [f64; 3],
}

impl Found {
    fn add(&mut self, usage: Usage, summary: &Value) {
        self.processes += 1;
        self.cpu += usage.cpu;
        self.rss_bytes += usage.peak_rss_bytes;
        let metric = |metric: &str, key: &str| summary["metrics"][metric][key].as_f64();
        let count = |name: &str, key: &str| metric(name, key).unwrap_or(0.0) as u64;
        self.requests += count("http_reqs", "count") + count("ws_msgs_sent", "count");
        self.failed += count("checks", "fails");
        for (place, key) in ["med", "p(99)", "max"].into_iter().enumerate() {
            let found = metric("late", key).unwrap_or(f64::NAN);
            self.late_ms[place] = self.late_ms[place].max(found);
        }
    }

    fn row(&self, work: Work, users: u32, seconds: u32) -> String {
        let cpu_s = self.cpu.as_secs_f64();
        let [p50, p99, latest] = self.late_ms;
        format!(
            "| {users} | {} | {} | {:.1} % | {:.0} | {:.0} | {:.1} | {p50:.0} / {p99:.0} / {latest:.0} | {} | {} |",
            work.what(),
            self.processes,
            cpu_s / f64::from(seconds) * 100.0,
            cpu_s * 1e6 / self.requests as f64,
            self.rss_bytes as f64 / 1e6,
            self.rss_bytes as f64 / 1e3 / f64::from(users),
            self.requests,
            self.failed,
        )
    }
}

/// A process that is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// One run with the necessary number of drivers, each with a server of its own.
fn one(arguments: &Arguments, folder: &Path, work: Work, users: u32) -> io::Result<Found> {
    let processes = users.div_ceil(arguments.per_process).max(1);
    let times = Times::of(arguments, users);
    let mut runs = Vec::new();
    for place in 0..processes {
        let share = users / processes + u32::from(place < users % processes);
        let (server, url) = serve(&arguments.sparring, folder)?;
        let script = folder.join(format!("{place}.js"));
        let options = options(work, share, times.seconds);
        std::fs::write(
            &script,
            format!("{SCRIPT}export const options = {options};\n"),
        )?;
        runs.push((server, url, script));
    }
    let mut drivers = Vec::new();
    for (_, url, script) in &runs {
        let begun = Instant::now();
        drivers.push((drive(&arguments.sparring, &times, url, script)?, begun));
    }
    let mut found = Found::default();
    for ((driver, begun), (_, _, script)) in drivers.into_iter().zip(&runs) {
        let usage = process::wait(driver, begun)?;
        let summary = script.with_extension("json");
        let Ok(summary) = std::fs::read(summary) else {
            let status = usage.status;
            return Err(io::Error::other(format!("a run ended with {status}")));
        };
        found.add(usage, &serde_json::from_slice(&summary)?);
    }
    Ok(found)
}

/// The length of a run in seconds, and the part of it in which its users begin.
struct Times {
    seconds: u32,
    spread_s: u32,
}

impl Times {
    fn of(arguments: &Arguments, users: u32) -> Self {
        let spread_s = PERIOD_S.max(users / BEGIN_PER_S);
        // Half a period remains for the response to the last message.
        Self {
            seconds: arguments.seconds + PERIOD_S / 2 + spread_s,
            spread_s,
        }
    }
}

fn options(work: Work, users: u32, seconds: u32) -> String {
    let function = work.function();
    match work {
        Work::Get => format!(
            "{{ discardResponseBodies: true, scenarios: {{ all: {{ executor: 'constant-vus', exec: '{function}', \
             vus: {users}, duration: '{seconds}s', gracefulStop: '{PERIOD_S}s' }} }} }}"
        ),
        Work::Talk => format!(
            "{{ scenarios: {{ all: {{ executor: 'per-vu-iterations', exec: '{function}', vus: {users}, iterations: 1, \
             maxDuration: '{}s' }} }} }}",
            seconds + 60
        ),
    }
}

fn serve(sparring: &Path, folder: &Path) -> io::Result<(Running, String)> {
    let mut server = Command::new(sparring)
        .args(["target", "--quiet", "--port", "0", "--journal", "100"])
        .args(["--log-inputs", "100"])
        .arg(folder.join("scale.yaml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let output = server.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let server = Running(server);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http"));
    let url = url.ok_or_else(|| io::Error::other(format!("the server said {line:?}")))?;
    Ok((server, url.trim_end_matches('/').to_owned()))
}

fn drive(sparring: &Path, times: &Times, url: &str, script: &Path) -> io::Result<Child> {
    Command::new(sparring)
        .args(["run", "--quiet", "--summary-trend-stats", "med,p(99),max"])
        .args(["--local-ips", ADDRESSES, "--summary-export"])
        .arg(script.with_extension("json"))
        .arg(script)
        .env("TARGET", url)
        .env("PERIOD_S", PERIOD_S.to_string())
        .env("SPREAD_S", times.spread_s.to_string())
        .env("HOLD_S", (times.seconds - times.spread_s).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_processes_are_added_and_the_latest_counts() {
        let usage = Usage {
            wall: Duration::from_secs(1),
            cpu: Duration::from_secs(1),
            peak_rss_bytes: 1_000_000,
            status: std::os::unix::process::ExitStatusExt::from_raw(0),
        };
        let summary = |latest: f64| {
            serde_json::json!({ "metrics": {
                "http_reqs": { "count": 5 }, "checks": { "fails": 1 },
                "late": { "med": 1.0, "p(99)": 2.0, "max": latest },
            } })
        };
        let mut found = Found::default();
        found.add(usage, &summary(9.0));
        found.add(usage, &summary(3.0));
        assert_eq!(
            found.row(Work::Get, 4, 10),
            "| 4 | GET, own connection | 2 | 20.0 % | 200000 | 2 | 500.0 | 1 / 2 / 9 | 10 | 2 |"
        );
    }
}
