//! The script that is to be run.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use load_engine::log::Logger;
use load_engine::{Exit, ScriptError};
use load_metrics::Registry;
use load_script::{ScriptProgram, Source};

use super::args::Args;
use super::failure::Failure;

/// Loads the script: compiles it and runs its init code once.
pub async fn load(
    args: &Args,
    registry: Arc<Registry>,
    logger: Logger,
) -> Result<ScriptProgram, Failure> {
    let source = source(args)?;
    let name = source.path.display().to_string();
    ScriptProgram::load(source, registry, logger)
        .await
        .map_err(|error| match error {
            ScriptError::Exception(text) => {
                let mut failure = Failure::new(Exit::ScriptException, text);
                failure.hint = Some("script exception".to_owned());
                failure
            }
            ScriptError::Aborted(why) => {
                Failure::new(Exit::ScriptAborted, format!("test aborted: {why}"))
            }
            ScriptError::Interrupted => Failure::new(
                Exit::Interrupted,
                format!("the init code of {name} was interrupted"),
            ),
        })
}

fn source(args: &Args) -> Result<Source, Failure> {
    let environment = environment(args)?;
    if args.script == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| {
                Failure::other(format!("the standard input cannot be read: {error}"))
            })?;
        let path = PathBuf::from("/-");
        return Ok(Source {
            path,
            text: Some(text),
            environment,
        });
    }
    let path = Path::new(&args.script);
    let is_file = path.metadata().is_ok_and(|meta| meta.is_file());
    if !is_file {
        return Err(Failure::other(format!(
            "the script '{}' couldn't be found on local disk; check the path",
            args.script
        )));
    }
    let path = std::path::absolute(path)
        .map_err(|error| Failure::other(format!("the path '{}': {error}", args.script)))?;
    Ok(Source {
        path,
        text: None,
        environment,
    })
}

/// What `__ENV` holds: the system's variables, then those of the command line.
fn environment(args: &Args) -> Result<Vec<(String, String)>, Failure> {
    let mut all: Vec<(String, String)> = Vec::new();
    if args.script_flags.include_system_env_vars.unwrap_or(true) {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        all.extend(std::env::vars_os().map(|(name, value)| (text(name), text(value))));
    }
    for pair in &args.script_flags.environment {
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (pair.as_str(), std::env::var(pair).unwrap_or_default()),
        };
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(valid)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(Failure::other(format!(
                "invalid environment variable name '{name}'"
            )));
        }
        all.retain(|(known, _)| known != name);
        all.push((name.to_owned(), value));
    }
    Ok(all)
}
