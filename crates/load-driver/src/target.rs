//! The script of a run.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use load_engine::log::Logger;
use load_engine::{Exit, Program, ScriptError};
use load_metrics::Registry;
use load_outputs::archive::Archive;
use load_script::secrets::Secrets;
use load_script::{ScriptProgram, Source, System};
use serde_json::Value;

use crate::args::{Args, ScriptFlags};
use crate::failure::Failure;
use crate::features::{Feature, Features};
use crate::invocation::Invocation;
use crate::surroundings::{Input, Surroundings};

/// A script whose init code has run once.
pub struct Loaded {
    pub program: ScriptProgram,
    /// The exported options of the script, or the options of its archive.
    pub options: Value,
    /// Its URL in messages.
    pub url: String,
    /// The content of `__ENV`.
    pub environment: Vec<(String, String)>,
}

/// Loads the script: compiles it and runs its init code once. The system's variables are in `__ENV`
/// unless the flags or `with_system` say otherwise.
pub async fn load(
    invocation: Invocation<'_>,
    registry: Arc<Registry>,
    with_system: bool,
    logger: Logger,
) -> Result<Loaded, Failure> {
    let Invocation { args, around } = invocation;
    Features::refuse_unknown(args)?;
    let (mut source, options) = source(invocation, with_system, &logger).await?;
    let secrets = Secrets::read(&args.script_flags.secret_source, &around.lossy());
    source.secrets = Arc::new(secrets.map_err(|error| Failure::other(error.to_string()))?);
    let megabytes = args.process.vu_memory_mb;
    source.vu_memory_bytes = megabytes.map(|megabytes| megabytes.get().saturating_mul(1 << 20));
    source.freezes_environment = Features::of(args, around).has(Feature::FreezeEnv);
    source.keeps_builtins_apart = args.process.share_builtins == Some(false);
    let url = source.url();
    let environment = source.environment.clone();
    let loaded = ScriptProgram::load(source, registry, logger.clone()).await;
    let program = loaded.map_err(|error| {
        let mut failure = failure(error, &args.script, &url);
        // The message is logged by a logger that does not know the secrets.
        failure.message = logger.hide(&failure.message);
        failure
    })?;
    let options = options.unwrap_or_else(|| program.options());
    Ok(Loaded {
        program,
        options,
        url,
        environment,
    })
}

/// The script and its surroundings, and the options of an archive; nothing of it has run.
pub async fn source(
    invocation: Invocation<'_>,
    with_system: bool,
    logger: &Logger,
) -> Result<(Source, Option<Value>), Failure> {
    let Invocation { args, around } = invocation;
    let included = args.script_flags.include_system_env_vars;
    let own = environment(&args.script_flags, included.unwrap_or(with_system), around)?;
    let system = System::read(|name| around.raw(name).map(OsStr::to_owned));
    let (content, place) = read(&args.script, &around.stdin, &system, logger).await?;
    let (source, options) = of_content(args, own, &content, place)?;
    Ok((Source { system, ..source }, options))
}

/// The error of a script, in k6's words.
pub fn of_script(script: &str, url: &str, why: &str) -> String {
    format!("could not initialize '{script}': could not load JS test '{url}': {why}")
}

fn failure(error: ScriptError, script: &str, url: &str) -> Failure {
    match error {
        ScriptError::Exception(text) => exception(text),
        ScriptError::Aborted(said) => {
            Failure::new(Exit::ScriptAborted, of_script(script, url, &said))
        }
        ScriptError::Unusable(why) | ScriptError::Rejected(why) => {
            Failure::other(of_script(script, url, &why))
        }
        ScriptError::Interrupted => Failure::new(
            Exit::Interrupted,
            format!("the init code of {url} was interrupted"),
        ),
    }
}

fn exception(text: String) -> Failure {
    let mut failure = Failure::new(Exit::ScriptException, text);
    failure.hint = Some("script exception".to_owned());
    failure
}

/// The source of the script, and its options if it is an archive.
fn of_content(
    args: &Args,
    environment: Vec<(String, String)>,
    content: &[u8],
    place: Place,
) -> Result<(Source, Option<Value>), Failure> {
    let is_archive = match args.script_flags.test_type.as_deref() {
        Some("archive") => true,
        Some("js") => false,
        Some(other) => {
            let script = &args.script;
            let url = place.url();
            return Err(Failure::other(format!(
                "could not initialize '{script}': unknown or unspecified test type '{other}' for '{url}'"
            )));
        }
        None => Archive::is_archive(content),
    };
    if is_archive {
        return from_archive(content, environment);
    }
    let text = text_of(&place.url(), content)?;
    let (path, url) = match place {
        Place::Disk(path) => (path, None),
        // Files that it opens are relative to the working directory of the command.
        Place::Elsewhere(url) => (here().join("-"), Some(url)),
    };
    let source = Source {
        path,
        url,
        text: Some(text),
        environment,
        archived: None,
        secrets: Arc::default(),
        vu_memory_bytes: None,
        keeps_builtins_apart: false,
        freezes_environment: false,
        system: System::default(),
    };
    Ok((source, None))
}

/// The text of a script. One that is not UTF-8 is refused like one with a syntax error, as in k6.
fn text_of(url: &str, content: &[u8]) -> Result<String, Failure> {
    load_script::text_of(url, content).map_err(|why| exception(format!("GoError: {why}\n")))
}

/// The location of a script.
enum Place {
    Disk(PathBuf),
    /// The https address, or the name of the standard input.
    Elsewhere(String),
}

impl Place {
    fn url(&self) -> String {
        match self {
            Self::Disk(path) => format!("file://{}", path.display()),
            Self::Elsewhere(url) => url.clone(),
        }
    }
}

/// The working directory.
pub fn here() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}

async fn read(
    script: &str,
    stdin: &Input,
    system: &System,
    logger: &Logger,
) -> Result<(Vec<u8>, Place), Failure> {
    if script.starts_with("https://") {
        let text = load_script::fetch(script, system, logger).await;
        let text = text.map_err(Failure::other)?;
        return Ok((text.into_bytes(), Place::Elsewhere(script.to_owned())));
    }
    if script == "-" {
        let content = stdin.read_all().map_err(|error| {
            Failure::other(format!("the standard input cannot be read: {error}"))
        })?;
        let url = Source::STANDARD_INPUT.to_owned();
        return Ok((content, Place::Elsewhere(url)));
    }
    let (content, path) = read_file(script)?;
    Ok((content, Place::Disk(path)))
}

/// A script from the disk, and its full path.
fn read_file(script: &str) -> Result<(Vec<u8>, PathBuf), Failure> {
    if let Some((scheme, _)) = script
        .split_once("://")
        .filter(|(scheme, _)| *scheme != "file")
    {
        return Err(Failure::other(format!(
            "only supported schemes for imports are file and https, {script} has `{scheme}`"
        )));
    }
    let path = Path::new(script.strip_prefix("file://").unwrap_or(script));
    if path.is_dir() {
        return Err(Failure::other(format!("read {script}: is a directory")));
    }
    if !path.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err(Failure::other(format!(
            "the script '{script}' couldn't be found on local disk; check the path"
        )));
    }
    let failed = |error: std::io::Error| Failure::other(format!("the path '{script}': {error}"));
    let path = std::path::absolute(path).map_err(failed)?;
    Ok((std::fs::read(&path).map_err(failed)?, plain(&path)))
}

/// The path without `..`, as it is shown.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

fn from_archive(
    content: &[u8],
    own: Vec<(String, String)>,
) -> Result<(Source, Option<Value>), Failure> {
    let archive = Archive::read(content).map_err(|error| Failure::other(error.to_string()))?;
    let from_input = archive.filename == Source::STANDARD_INPUT;
    let path = match archive.filename.strip_prefix("file://") {
        Some(_) if from_input => Path::new(archive.pwd.trim_start_matches("file://")).join("-"),
        Some(path) => PathBuf::from(path),
        None => {
            let name = &archive.filename;
            return Err(Failure::other(format!(
                "the archive's script {name} is not a file:// URL"
            )));
        }
    };
    // The command line and the system take precedence over the archive.
    let archived = archive.env.into_iter().flatten();
    let mut environment: Vec<(String, String)> = archived
        .filter(|(name, _)| own.iter().all(|(known, _)| known != name))
        .collect();
    environment.extend(own);
    let text = text_of(&archive.filename, &archive.data)?;
    let source = Source {
        path,
        url: from_input.then_some(archive.filename),
        text: Some(text),
        environment,
        archived: Some(archive.files),
        secrets: Arc::default(),
        vu_memory_bytes: None,
        keeps_builtins_apart: false,
        freezes_environment: false,
        system: System::default(),
    };
    Ok((source, Some(archive.options)))
}

/// The content of `__ENV`: the system's variables, then those of the command line.
fn environment(
    flags: &ScriptFlags,
    with_system: bool,
    around: &Surroundings,
) -> Result<Vec<(String, String)>, Failure> {
    let mut all: Vec<(String, String)> = Vec::new();
    if with_system {
        all.extend(around.lossy());
    }
    for pair in &flags.environment {
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (pair.as_str(), around.variable(pair).unwrap_or_default()),
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
