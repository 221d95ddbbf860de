//! `-f FILE`: real Locust with a locustfile, as its own command line runs it (S-02).
//!
//! The driver cannot run Python. Without Locust, this is an error that names the script to use instead.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use suite::builtin::{BUILT_IN, built_in};
use suite::file::SuiteFile;
use tokio_util::sync::CancellationToken;

use super::config;
use super::on_path::on_path;
use super::targets::{self, Started};
use crate::commands::CommandResult;
use crate::signals;
use crate::terminal::{Usage, say};

/// The variable that names the users of [`SHARED`].
const SYSTEM: &str = "PERF_SYSTEM";
/// The locustfile of several systems, and the system that it has users of if the variable is not set (S-07).
const SHARED: (&str, &str) = ("performance/locustfile.py", "aiaas");

const LOOK: Duration = Duration::from_millis(50);
/// A terminal sends Ctrl-C to Locust itself. After this time, this process sends it again.
const ASK_AFTER: Duration = Duration::from_secs(2);

/// Runs Locust on `--host`, or on the system of the suite, which is started here. Returns Locust's exit code.
pub fn execute(all: &super::Arguments, file: &Path) -> CommandResult {
    let suite = suite_of(all, file);
    if !file.is_file() {
        return Err(Usage(format!("-f: the file {} does not exist", file.display())).into());
    }
    let Some(program) = on_path("locust") else {
        return Err(Usage(instead(file, suite.as_ref())).into());
    };
    let url = all.run.base_url();
    if url.is_none() && suite.is_none() {
        let text =
            "-f: no suite is given, and none has this locustfile; use --host URL or --system NAME";
        return Err(Usage(text.to_owned()).into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let stop = CancellationToken::new();
    {
        let _entered = runtime.enter();
        signals::on_interrupt(stop.clone());
    }
    let system = suite.and_then(|suite| suite.system);
    let started = match (&url, system.clone()) {
        (Some(_), _) => None,
        (None, Some(system)) => Some(targets::simulated(&runtime, &system, None, all.run.seed())?),
        (None, None) => {
            let fleet = config::Config::read(all.fleet.config())?.fleet()?;
            Some(targets::embedded(&runtime, &fleet)?)
        }
    };
    let host = url.unwrap_or_else(|| started.as_ref().map(Started::url).unwrap_or_default());
    if !all.run.quiet {
        say!("{} -f {} --host {host}", program.display(), file.display());
    }
    let mut command = Command::new(&program);
    // The users that tests/performance/locustfile.py defines.
    command.envs(system.map(|system| (SYSTEM, system)));
    let ended = command
        .args(arguments(all, file, &host))
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", program.display()))
        .and_then(|child| wait(child, &stop).map_err(|error| error.to_string()));
    if let Some(started) = started {
        started.stop(&runtime);
    }
    let code = ended?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// The named suite, or the one that has the file or the classes.
fn suite_of(all: &super::Arguments, file: &Path) -> Option<SuiteFile> {
    let read = |name: &str| built_in(name).and_then(Result::ok);
    let is_suite = |name: &&String| BUILT_IN.iter().any(|(known, _)| known == name);
    let named = all.selection.system.iter().chain(&all.words).find(is_suite);
    if let Some(suite) = named.and_then(|name| read(name)) {
        return Some(suite);
    }
    let suites = || BUILT_IN.iter().filter_map(|(name, _)| read(name));
    let has_file = |suite: &SuiteFile| {
        let own = suite
            .locust
            .as_ref()
            .and_then(|locust| locust.file.file_name());
        own.is_some() && own == file.file_name()
    };
    let has_class = |suite: &SuiteFile| {
        let mut classes = suite.classes.keys();
        classes.any(|class| all.words.contains(class))
    };
    let of_variable = || read(&all.otherwise()?);
    let of_shared = || read(SHARED.1).filter(|_| file.ends_with(SHARED.0));
    suites()
        .find(has_file)
        .or_else(of_variable)
        .or_else(|| suites().find(has_class))
        .or_else(of_shared)
}

/// The command that does the same without Locust.
fn instead(file: &Path, suite: Option<&SuiteFile>) -> String {
    let file = file.display();
    let why = format!(
        "-f {file} needs Locust, but `locust` is not on the PATH (install it with `pip install locust`)"
    );
    let scripts = suite.map(|suite| {
        let mut scripts: Vec<String> = Vec::new();
        for class in suite.classes.values() {
            let name = class.script.file_name().unwrap_or_default();
            let name = format!("tests/k6/{}", name.to_string_lossy());
            if !scripts.contains(&name) {
                scripts.push(name);
            }
        }
        scripts.truncate(1);
        format!(
            "without it, `sparring test {}` has the same users, by {}",
            suite.suite,
            scripts.join(", ")
        )
    });
    let scripts = scripts.unwrap_or_else(|| {
        "without it, write a k6 script and use --script FILE (docs/guides/scripts.md)".to_owned()
    });
    format!("{why}; {scripts}")
}

fn arguments(all: &super::Arguments, file: &Path, host: &str) -> Vec<OsString> {
    let load = &all.load;
    let mut arguments: Vec<OsString> = vec!["-f".into(), file.into(), "--host".into(), host.into()];
    let mut add = |flag: &str, value: Option<OsString>| {
        if let Some(value) = value {
            arguments.extend([OsString::from(flag), value]);
        }
    };
    let number = |value: Option<f64>| value.map(|value| value.to_string().into());
    let path = |path: &Option<PathBuf>| path.clone().map(PathBuf::into_os_string);
    add("--users", number(load.users));
    add("--spawn-rate", number(load.spawn_rate));
    let time = load
        .run_time
        .map(|time| format!("{}s", time.as_secs().max(1)));
    add("--run-time", time.map(OsString::from));
    add("--html", path(&all.copies.html));
    add("--csv", path(&all.copies.csv));
    if load.headless {
        arguments.push("--headless".into());
    }
    let is_suite = |word: &&String| BUILT_IN.iter().any(|(known, _)| known == word);
    let classes = all.words.iter().filter(|word| !is_suite(word));
    arguments.extend(classes.map(OsString::from));
    arguments
}

/// The exit code of a process. For one that a signal ended, it is 128 plus the signal's number, as in a shell.
fn wait(mut child: Child, stop: &CancellationToken) -> std::io::Result<i32> {
    use std::os::unix::process::ExitStatusExt;

    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            let by_signal = || 128 + status.signal().unwrap_or_default();
            return Ok(status.code().unwrap_or_else(by_signal));
        }
        if stop.is_cancelled() {
            let since = *asked.get_or_insert_with(Instant::now);
            if since.elapsed() >= ASK_AFTER
                && let Ok(pid) = i32::try_from(child.id())
            {
                // SAFETY: kill(2) takes any pid; the child was not waited for, so its pid is its own.
                unsafe { libc::kill(pid, libc::SIGTERM) };
                asked = Some(Instant::now());
            }
        }
        std::thread::sleep(LOOK);
    }
}
