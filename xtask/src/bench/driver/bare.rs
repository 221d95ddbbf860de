//! The cost of a bare GET against tools without scripts: wrk and oha, with k6 beside them.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::process::{self, median};
use super::super::section::{Section, output};
use super::target::Target;
use super::{Arguments, works};

const CONNECTIONS: u32 = 50;
/// CPU of a GET relative to wrk's.
const MAX_OF_WRK: f64 = 1.5;

/// A tool that sends GETs over 50 connections and discards their bodies.
struct Tool {
    name: &'static str,
    /// The command without the address.
    command: Vec<String>,
    /// Whether the address comes last on the command line; scripts read it from `TARGET`.
    takes_url: bool,
    cpu_us: Vec<f64>,
    per_s: Vec<f64>,
}

/// Adds the table of all tools and the aims relative to wrk and oha.
///
/// # Errors
/// An installed tool fails.
pub(super) fn compare(
    section: &mut Section,
    arguments: &Arguments,
    folder: &Path,
) -> io::Result<()> {
    let script = folder.join("bare.js");
    std::fs::write(&script, works::bare(CONNECTIONS, arguments.seconds))?;
    let mut tools = tools(section, arguments, &script);
    for _ in 0..arguments.rounds {
        for tool in &mut tools {
            tool.run(arguments.seconds)?;
        }
    }
    section.table(&[
        "GET, 50 connections, bodies discarded",
        "requests/s",
        "CPU µs per request",
        "of ours",
    ]);
    let cost = |name| {
        let tool = tools.iter().find(|tool| tool.name == name);
        tool.map(|tool| median(&tool.cpu_us))
    };
    let ours = cost("sparring").unwrap_or(f64::NAN);
    for tool in &tools {
        let cpu_us = median(&tool.cpu_us);
        section.line(format!(
            "| {} | {:.0} | {cpu_us:.1} | {:.2} |",
            tool.name,
            median(&tool.per_s),
            cpu_us / ours
        ));
    }
    for (name, most) in [("wrk", MAX_OF_WRK), ("oha", 1.0)] {
        let Some(cost) = cost(name) else { continue };
        let ratio = ours / cost;
        section.aim(
            "CPU of a GET, bodies discarded",
            &format!("{ratio:.2}"),
            &format!("at most {most:.1} of {name}'s"),
            ratio <= most,
        );
    }
    Ok(())
}

/// The installed tools.
fn tools(section: &mut Section, arguments: &Arguments, script: &Path) -> Vec<Tool> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (length, connections) = (format!("{}s", arguments.seconds), CONNECTIONS.to_string());
    let script = text(script);
    let run = ["run", "--quiet", script.as_str()];
    let wrk = ["-t", "2", "-c", &connections, "-d", &length];
    let oha = ["--no-tui", "-c", &connections, "-z", &length];
    let all = [
        ("wrk", &arguments.wrk, words(&wrk), true),
        ("oha", &arguments.oha, words(&oha), true),
        ("sparring", &arguments.sparring, words(&run), false),
        ("k6", &arguments.k6, words(&run), false),
    ];
    let mut there = Vec::new();
    for (name, path, mut command, takes_url) in all {
        if takes_url {
            // wrk prints its version with `-v` and exit code 1, oha with `--version`.
            let flag = if name == "wrk" { "-v" } else { "--version" };
            let version = output(&text(path), &[flag]);
            if version == "?" {
                eprintln!("{name} is skipped: {} cannot be run", path.display());
                continue;
            }
            section.how(version.split(" [").next().unwrap_or(name));
        }
        command.insert(0, text(path));
        there.push(Tool {
            name,
            command,
            takes_url,
            cpu_us: Vec::new(),
            per_s: Vec::new(),
        });
    }
    there
}

impl Tool {
    /// One run; the requests are counted by the server.
    fn run(&mut self, seconds: u32) -> io::Result<()> {
        let target = Target::start(None)?;
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        if self.takes_url {
            command.arg(&target.url);
        }
        command
            .env("TARGET", &target.url)
            .env("K6_NO_USAGE_REPORT", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let usage = process::measure(&mut command)?;
        let requests = target.end()?.requests as f64;
        if !usage.status.success() || requests < 1.0 {
            let Self { name, .. } = self;
            let status = usage.status;
            return Err(io::Error::other(format!("{name} ended with {status}")));
        }
        self.cpu_us.push(usage.cpu.as_secs_f64() * 1e6 / requests);
        self.per_s.push(requests / f64::from(seconds));
        Ok(())
    }
}
