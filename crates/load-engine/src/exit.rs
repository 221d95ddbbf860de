//! Exit codes: part of the interface to CI systems.

/// How a run ended, as the exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Success,
    /// A threshold was crossed.
    ThresholdsCrossed,
    /// `setup` timed out.
    SetupTimeout,
    /// `teardown` timed out.
    TeardownTimeout,
    /// Another step timed out.
    Timeout,
    /// The run was stopped through the REST API.
    StoppedByApi,
    /// Options or thresholds are invalid.
    InvalidConfig,
    /// The run was stopped by a signal.
    Interrupted,
    /// The REST API cannot start.
    ApiFailed,
    /// The script threw in init code, `setup` or `teardown`.
    ScriptException,
    /// The script called `exec.test.abort`.
    ScriptAborted,
    /// A defect of the driver.
    Panic,
    /// The script called `exec.test.fail`.
    MarkedFailed,
    /// Any other error.
    Other,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::ThresholdsCrossed => 99,
            Self::SetupTimeout => 100,
            Self::TeardownTimeout => 101,
            Self::Timeout => 102,
            Self::StoppedByApi => 103,
            Self::InvalidConfig => 104,
            Self::Interrupted => 105,
            Self::ApiFailed => 106,
            Self::ScriptException => 107,
            Self::ScriptAborted => 108,
            Self::Panic => 109,
            Self::MarkedFailed => 110,
            Self::Other => 255,
        }
    }
}
