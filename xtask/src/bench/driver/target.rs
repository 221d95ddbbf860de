//! The server in the benchmark: a process that is started for one run.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::server::View;

/// A running server.
pub(super) struct Target {
    pub(super) url: String,
    process: Child,
    /// The server ends when this is closed.
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Target {
    /// Starts a server, which records the lateness of requests if a rate per second is given.
    pub(super) fn start(rate: Option<u32>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "driver-server"]);
        if let Some(rate) = rate {
            command.args(["--rate", &rate.to_string()]);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let closed = || io::Error::other("the server has no pipes");
        let input = process.stdin.take().ok_or_else(closed)?;
        let mut output = BufReader::new(process.stdout.take().ok_or_else(closed)?);
        let mut url = String::new();
        output.read_line(&mut url)?;
        Ok(Self {
            url: url.trim_end().to_owned(),
            process,
            input,
            output,
        })
    }

    /// Ends it and returns its record.
    pub(super) fn end(self) -> io::Result<View> {
        let Self {
            mut process,
            input,
            mut output,
            ..
        } = self;
        drop(input);
        let mut said = String::new();
        output.read_to_string(&mut said)?;
        process.wait()?;
        Ok(serde_json::from_str(&said)?)
    }
}
