//! Runs one driver and records its comparable output.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::case::Case;
use super::server::Server;
use super::{log_lines, mask, samples, summary};
use crate::binary::sparring;

/// The driver to run.
pub enum Driver {
    /// k6 itself.
    Real(PathBuf),
    /// The binary under test.
    Ours,
}

/// The output of a run, without times and rates, which differ between any two runs.
#[derive(Debug, Default)]
pub struct Observation {
    pub exit: Option<i32>,
    /// The output of `console`, in order.
    pub console: Vec<String>,
    /// All other lines of the log.
    pub log: Vec<String>,
    /// Metrics with their values that do not depend on time, and thresholds.
    pub summary: Vec<String>,
    pub checks: Vec<String>,
    /// First lines of metrics in the JSON output.
    pub declarations: Vec<String>,
    /// Metric, tags, metadata and constant value of every sample of the JSON output, with the number of samples.
    pub series: Vec<String>,
    /// The standard output, without numbers and the banner's picture.
    pub stdout: Vec<String>,
}

impl Observation {
    /// The compared fields, by name.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("exit code", format!("{:?}", self.exit)),
            ("console", self.console.join("\n")),
            ("log", self.log.join("\n")),
            ("summary", self.summary.join("\n")),
            ("checks", self.checks.join("\n")),
            ("declarations", self.declarations.join("\n")),
            ("series", self.series.join("\n")),
            ("stdout", self.stdout.join("\n")),
        ]
    }
}

pub fn observe(driver: &Driver, case: &Case, server: &Server) -> Observation {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let export = folder.path().join("summary.json");
    let points = folder.path().join("samples.json");
    let mut command = match driver {
        Driver::Real(path) => {
            let mut command = Command::new(path);
            command.args(["run", "--address", "127.0.0.1:0"]);
            command
        }
        Driver::Ours => {
            let mut command = sparring();
            command.arg0("k6").arg("run");
            // The health of the driver, which k6 does not show.
            command.env("SPARRING_GENERATOR_HEALTH", "never");
            command
        }
    };
    let base = server.base();
    command.args(["--no-usage-report", "--no-color"]);
    for (name, value) in &server.variables {
        command.arg("-e").arg(format!("{name}={value}"));
    }
    command.envs(server.environment.iter().cloned());
    command.arg("--summary-export").arg(&export);
    command.arg("-o").arg(format!("json={}", points.display()));
    command.args(&case.flags);
    // A folder for files that scripts write, without the user's configuration.
    let home = folder.path().join("home");
    command.env("OUT", folder.path()).env("HOME", &home);
    command.env("XDG_CONFIG_HOME", &home);
    command.envs(
        case.env
            .iter()
            .map(|(name, value)| (name, server.fill(value))),
    );
    let output = run(command, case, server);
    let plain = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        let text = text.replace(&folder.path().display().to_string(), "OUT");
        let text = mask::client_ports(&text);
        // Protobuf for Go prints one of two kinds of spaces here, depending on the build.
        text.replace(base, "BASE")
            .replace("proto:\u{a0}", "proto: ")
            .replace(r"proto:\u00a0", "proto: ")
            .replace(&base["http://".len()..], "HOST")
    };
    let (console, log) = log_lines::read(&plain(&output.stderr));
    let mut seen = Observation {
        exit: output.status.code(),
        console,
        log,
        stdout: mask::stdout(&plain(&output.stdout)),
        ..Observation::default()
    };
    if let Ok(text) = std::fs::read_to_string(&export) {
        match serde_json::from_str(&text) {
            Ok(export) => (seen.summary, seen.checks) = summary::read(&export),
            Err(error) => seen.summary = vec![format!("{error}: {text}")],
        }
    }
    let points = std::fs::read(&points).unwrap_or_default();
    (seen.declarations, seen.series) = samples::read(&plain(&points));
    seen
}

fn run(mut command: Command, case: &Case, server: &Server) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if case.https {
        let file = case.path.file_name().expect("scripts are files");
        let address = format!("{{TLS}}/script/{}", file.to_string_lossy());
        command.arg(server.fill(&address)).stdin(Stdio::null());
        return command.output().expect("the driver can be started");
    }
    if !case.stdin {
        command.arg(&case.path).stdin(Stdio::null());
        return command.output().expect("the driver can be started");
    }
    let mut child = command
        .arg("-")
        .stdin(Stdio::piped())
        .spawn()
        .expect("the driver can be started");
    let script = std::fs::read(&case.path).expect("scripts can be read");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A driver that rejects its flags does not read its input.
    let _ = stdin.write_all(&script);
    drop(stdin);
    child.wait_with_output().expect("it has been started")
}
