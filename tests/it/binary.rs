//! Calls the real binary.

use std::ffi::OsStr;
use std::process::{Command, Output};

/// The binary, without the settings of the environment.
pub fn sparring() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sparring"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["K6_", "SPARRING_", "PERF_", "ORCHESTRATION_"]
            .iter()
            .any(|p| text.starts_with(p))
        {
            command.env_remove(&name);
        }
    }
    command.env("NO_COLOR", "1");
    command
}

/// The result of a call.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Calls the binary and waits for its end.
pub fn call<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    let output = sparring()
        .args(arguments)
        .output()
        .expect("the binary was built for this test");
    Ended::from(output)
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
