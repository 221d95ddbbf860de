//! Exit codes: part of the interface to CI systems.

/// How a run ended, as the process tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Success,
    /// A threshold was crossed.
    ThresholdsCrossed,
    /// `setup` took too long.
    SetupTimeout,
    /// `teardown` took too long.
    TeardownTimeout,
    /// Something else took too long.
    Timeout,
    /// Stopped over the REST API.
    StoppedByApi,
    /// Options or thresholds cannot be used.
    InvalidConfig,
    /// Stopped by a signal.
    Interrupted,
    /// The REST API cannot start.
    ApiFailed,
    /// The script threw in init code, `setup` or `teardown`.
    ScriptException,
    /// `exec.test.abort`.
    ScriptAborted,
    /// A defect of the driver.
    Panic,
    /// `exec.test.fail`.
    MarkedFailed,
    /// Everything else.
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
