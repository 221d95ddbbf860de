//! Where the target's resources are read.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// The source of the target's resources, unless `--pid` or `--cgroup` is given. Absent: the admin API of
/// a simulated system, otherwise this machine if the target is on it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resources {
    /// This machine.
    Host,
    /// A process of this machine.
    Pid(u32),
    /// A control group of version 2: its folder, or its name below `/sys/fs/cgroup`.
    Cgroup(PathBuf),
}
