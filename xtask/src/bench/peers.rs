//! The programs that a benchmark compares: examples of the workspace's crates.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

/// The peers of a benchmark: built for it, or given.
#[derive(Debug, Args)]
pub struct Peers {
    /// The built peers, such as target/release/examples/mock_peers [default: they are built, with the profile dist]
    #[arg(long, value_name = "PATH")]
    peers: Option<PathBuf>,
}

impl Peers {
    /// The program with the peers, which is an example of a package.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn find(&self, package: &str, example: &str) -> Result<PathBuf, Box<dyn Error>> {
        if let Some(given) = &self.peers {
            return Ok(given.clone());
        }
        let status = Command::new(env!("CARGO"))
            .args(["build", "--profile", "dist", "-q", "-p", package])
            .args(["--example", example])
            .status()?;
        if !status.success() {
            return Err("the peers cannot be built".into());
        }
        Ok(target().join("dist/examples").join(example))
    }
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from)
}
