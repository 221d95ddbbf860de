//! `k6 archive`: a script, all files that it reads and its options in one file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;

use clap::Args as ClapArgs;
use load_engine::inspect::with_defaults;
use load_engine::log::Logger;
use load_engine::options::{derive, validate};
use load_engine::segment::Segment;
use load_engine::thresholds::Thresholds;
use load_engine::{Exit, Program};
use load_metrics::Registry;
use load_outputs::archive::Archive;
use load_script::Source;
use tokio::task::LocalSet;

use crate::args::Args;
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::surroundings::Surroundings;
use crate::{layers, logging, report, target};

/// Write an archive of a script, its files and its options; `run` runs it.
#[derive(Debug, ClapArgs)]
pub struct ArchiveArgs {
    /// The file to write; - is the standard output
    #[arg(short = 'O', long, value_name = "FILE", default_value = "archive.tar")]
    archive_out: String,
    /// Leave out the environment variables
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    exclude_env_vars: Option<bool>,
    #[command(flatten)]
    run: Args,
}

/// Writes the archive. Returns the exit code.
pub fn archive(args: &ArchiveArgs, around: &Surroundings) -> Exit {
    match write(args, around) {
        Ok(()) => Exit::Success,
        Err(failure) => {
            report::failure(&args.run, around, &failure);
            failure.exit
        }
    }
}

fn collected(args: &ArchiveArgs, around: &Surroundings) -> Result<Archive, Failure> {
    let log = logging::logger(&args.run, around)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("no runtime for the script: {error}")))?;
    LocalSet::new().block_on(&runtime, collect(args, around, log.logger.clone()))
}

fn write(args: &ArchiveArgs, around: &Surroundings) -> Result<(), Failure> {
    let archive = collected(args, around)?;
    let out = args.archive_out.as_str();
    let failed = |error: std::io::Error| Failure::other(format!("the archive {out}: {error}"));
    if out == "-" {
        let mut stdout = around.stdout.lock();
        let written = archive.write(BufWriter::new(&mut *stdout));
        written.map_err(|error| Failure::other(error.to_string()))?;
        return stdout.flush().map_err(failed);
    }
    let file = File::create(out).map_err(failed)?;
    archive
        .write(BufWriter::new(file))
        .map_err(|error| Failure::other(error.to_string()))
}

/// The archive that `archive` writes for these flags of `run`.
///
/// # Errors
/// The exit code; the reason has been logged.
pub fn archived(args: &Args, around: &Surroundings) -> Result<Vec<u8>, Exit> {
    let args = ArchiveArgs {
        archive_out: "-".to_owned(),
        exclude_env_vars: None,
        run: args.clone(),
    };
    let mut bytes = Vec::new();
    let written = collected(&args, around).and_then(|archive| {
        let written = archive.write(&mut bytes);
        written.map_err(|error| Failure::other(error.to_string()))
    });
    match written {
        Ok(()) => Ok(bytes),
        Err(failure) => {
            report::failure(&args.run, around, &failure);
            Err(failure.exit)
        }
    }
}

async fn collect(
    args: &ArchiveArgs,
    around: &Surroundings,
    logger: Logger,
) -> Result<Archive, Failure> {
    let registry = Arc::new(Registry::new());
    let invocation = Invocation {
        args: &args.run,
        around,
    };
    let loaded = target::load(invocation, Arc::clone(&registry), false, logger.clone()).await?;
    let file = layers::config_file(&args.run, around)?;
    let options = layers::consolidate(invocation, file.options, &loaded, &logger)?;
    refuse_unusable(&options, &loaded.program, &registry)?;
    let (filename, mut files) = loaded.program.collected();
    let data = files.remove(&filename).unwrap_or_default();
    let pwd = match filename.rsplit_once('/') {
        _ if filename == Source::STANDARD_INPUT => format!("file://{}", target::here().display()),
        Some((folder, _)) => folder.to_owned(),
        None => String::new(),
    };
    let exclude = args.exclude_env_vars == Some(true);
    let env: BTreeMap<String, String> = loaded.environment.into_iter().collect();
    let mode = args.run.script_flags.compatibility_mode.as_deref();
    Ok(Archive {
        options: with_defaults(&options),
        pwd,
        filename,
        env: (!exclude).then_some(env),
        compatibility_mode: mode.unwrap_or("extended").to_owned(),
        k6_version: crate::K6_VERSION.to_owned(),
        data,
        files,
    })
}

/// Options that a run would reject are rejected now.
fn refuse_unusable(
    options: &load_engine::options::Options,
    program: &impl Program,
    registry: &Registry,
) -> Result<(), Failure> {
    let config = |error: &dyn std::error::Error| Failure::config(error.to_string());
    let mut derived = options.clone();
    Segment::parse(
        derived.execution_segment.as_deref(),
        derived.execution_segment_sequence.as_deref(),
    )
    .map_err(|error| config(&error))?;
    derive::scenarios(&mut derived).map_err(|error| config(&error))?;
    validate::scenarios(&derived, |name| program.has_function(name))
        .map_err(|error| config(&error))?;
    let thresholds = derived.thresholds.unwrap_or_default();
    Thresholds::new(&thresholds, registry).map_err(|error| config(&error))?;
    Ok(())
}
