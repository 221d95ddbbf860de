//! A measured server as a separate process, and its cost.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::Result;

/// One measurement of one peer: times in microseconds, CPU and waiting per request.
pub struct Cost {
    pub p50_us: f64,
    pub p99_us: f64,
    /// Time in addition to the slowest detector.
    pub over_p50_us: f64,
    pub over_p99_us: f64,
    pub cpu_us: f64,
    /// The time for which it was ready to run while other processes had the cores.
    pub waited_us: f64,
    pub failed: f64,
    /// The lateness of the generator, and the requests that it left out.
    pub late_p99_us: f64,
    pub skipped: f64,
}

/// A measured server; it ends when dropped.
pub struct Peer {
    child: Child,
    /// Kept open for its later output.
    _output: BufReader<ChildStdout>,
    /// The address that it printed.
    pub lines: Vec<String>,
    /// The number of requests so far: each has different content.
    sent: u32,
}

impl Peer {
    pub fn start(peers: &Path, arguments: &[&str], lines: usize) -> Result<Self> {
        let mut command = Command::new(peers);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut said = Vec::new();
        for _ in 0..lines {
            let mut line = String::new();
            output.read_line(&mut line)?;
            said.push(line.trim().to_owned());
        }
        Ok(Self {
            child,
            _output: output,
            lines: said,
            sent: 0,
        })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Requests at a fixed rate.
    pub fn load(&mut self, peers: &Path, rate: u32, seconds: u32) -> Result<Cost> {
        let before = (cpu_us(self.id())?, waited_us(self.id())?);
        let output = Command::new(peers)
            .args(["load", &self.lines[0]])
            .args([rate, seconds, self.sent].map(|it| it.to_string()))
            .output()?;
        self.sent += rate * seconds;
        let cpu = cpu_us(self.id())? - before.0;
        let waited = waited_us(self.id())? - before.1;
        let report: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64);
        let number = |path: &str| number(path).ok_or_else(|| format!("no {path} in {report}"));
        let answered = number("/answered")?;
        if answered < 1.0 {
            return Err(format!("nothing was answered: {report}").into());
        }
        Ok(Cost {
            p50_us: number("/latency_us/p50")?,
            p99_us: number("/latency_us/p99")?,
            over_p50_us: number("/overhead_us/p50")?,
            over_p99_us: number("/overhead_us/p99")?,
            cpu_us: cpu / answered,
            waited_us: waited / answered,
            failed: number("/failed")?,
            late_p99_us: number("/late_us/p99")?,
            skipped: number("/skipped")?,
        })
    }

    /// The same request again and again from 32 connections: requests per second, and CPU time of
    /// each in microseconds.
    pub fn wrk(&self, seconds: u32) -> Result<(f64, f64)> {
        let name = format!("bench-cached-{}.lua", std::process::id());
        let script = std::env::temp_dir().join(name);
        std::fs::write(
            &script,
            "wrk.method = 'POST'\n\
             wrk.body = '{\"content\":\"hello\",\"content_type\":\"text\",\"tenant_id\":\"t\"}'\n\
             wrk.headers['Content-Type'] = 'application/json'\n",
        )?;
        let before = cpu_us(self.id())?;
        let output = Command::new("wrk")
            .args(["-t1", "-c32", &format!("-d{seconds}s"), "-s"])
            .arg(&script)
            .arg(format!("http://{}/orchestrate", self.lines[0]))
            .output();
        drop(std::fs::remove_file(&script));
        let output = output.map_err(|error| format!("wrk cannot be run: {error}"))?;
        let used = cpu_us(self.id())? - before;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains("Non-2xx") {
            return Err(format!("not all answers were right:\n{text}").into());
        }
        let rate = text
            .lines()
            .find_map(|line| line.strip_prefix("Requests/sec:"));
        let rate: f64 = rate.ok_or("wrk printed no rate")?.trim().parse()?;
        Ok((rate, used / (rate * f64::from(seconds))))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The CPU time of a running process on all cores.
fn cpu_us(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may contain anything.
    let (_, fields) = stat.rsplit_once(')').ok_or("no such process")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|it| it.parse::<f64>().ok()).sum();
    // Linux counts in hundredths of a second on every platform that this runs on.
    Ok(ticks * 1e4)
}

/// The time for which its running threads were ready while other processes had the cores.
fn waited_us(pid: u32) -> Result<f64> {
    let mut sum_ns = 0.0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let waited = text.split_whitespace().nth(1);
        sum_ns += waited.and_then(|it| it.parse().ok()).unwrap_or(0.0);
    }
    Ok(sum_ns / 1e3)
}
