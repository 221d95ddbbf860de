//! Log lines as k6 writes them.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use load_engine::go_text::json_text;
use load_engine::log::{Level, LogEntry, Logger};
use load_engine::system_errors::in_words;
use load_outputs::loki::{self, Loki};
use serde_json::{Map, Value};

use crate::args::{Args, LogFormat};
use crate::failure::Failure;
use crate::surroundings::{Stream, Surroundings};

type Target = Arc<Mutex<dyn Write + Send>>;

/// The destination and the format of lines.
struct Writer {
    target: Option<Target>,
    format: Format,
    least: Level,
    began: Instant,
}

#[derive(Clone, Copy)]
enum Format {
    /// `time="…" level=info msg="…"`
    Pairs,
    /// `INFO[0001] …`, for terminals.
    Terminal,
    Json,
    Raw,
}

/// The run's logger. Dropping it sends the waiting lines.
pub struct Log {
    pub logger: Logger,
    _sending: Option<Loki>,
}

/// The destination of lines that `--log-output` states.
struct Output {
    target: Option<Target>,
    is_terminal: bool,
    /// Only lines of this level and above, if one is given.
    level: Option<Level>,
    sending: Option<Loki>,
}

impl Output {
    fn to(target: Target) -> Self {
        Self {
            target: Some(target),
            ..Self::nowhere()
        }
    }

    fn stream(stream: &Stream) -> Self {
        Self {
            is_terminal: stream.is_terminal,
            ..Self::to(stream.shared())
        }
    }

    fn nowhere() -> Self {
        Self {
            target: None,
            is_terminal: false,
            level: None,
            sending: None,
        }
    }
}

/// Makes the run's logger.
pub fn logger(args: &Args, around: &Surroundings) -> Result<Log, Failure> {
    let output = args.process.log_output.as_deref().unwrap_or("stderr");
    let Output {
        target,
        is_terminal,
        level,
        sending,
    } = output_named(output, around)?;
    let least = if args.process.verbose {
        Level::Debug
    } else {
        Level::Info
    };
    let least = level.map_or(least, |level| level.max(least));
    let format = format(args, around, is_terminal);
    let main = Writer {
        target,
        format,
        least,
        began: Instant::now(),
    };
    let console = match &args.process.console_output {
        Some(path) => Some(Writer {
            target: Some(Arc::new(Mutex::new(open_for_console(path)?))),
            format: if matches!(format, Format::Terminal) {
                Format::Pairs
            } else {
                format
            },
            least,
            began: Instant::now(),
        }),
        None => None,
    };
    let queue = sending.as_ref().map(Loki::queue);
    let heard = around.log.clone();
    let logger = Logger::new(move |line| {
        if let Some(heard) = heard.as_ref().filter(|_| line.level >= least) {
            heard.log(line.level, line.message, line.fields);
        }
        let is_console = line.fields.contains(&("source", "console"));
        match (&console, &queue) {
            // All lines in that file come from the console, so the fields are omitted.
            (Some(console), _) if is_console => console.write(&LogEntry {
                fields: &[],
                ..line.clone()
            }),
            (_, Some(queue)) if line.level >= least => queue.take(line),
            _ => main.write(line),
        }
    });
    Ok(Log {
        logger,
        _sending: sending,
    })
}

fn output_named(output: &str, around: &Surroundings) -> Result<Output, Failure> {
    let (name, rest) = output.split_once('=').unwrap_or((output, ""));
    match name {
        "stderr" => Ok(Output::stream(&around.stderr)),
        "stdout" => Ok(Output::stream(&around.stdout)),
        "none" => Ok(Output::nowhere()),
        "loki" => {
            let config =
                loki::Config::parse(rest).map_err(|error| Failure::other(error.to_string()))?;
            let stderr = around.stderr.clone();
            let sending = Loki::start(config, move |why| say_what_was_not_sent(&stderr, why))
                .map_err(|error| Failure::other(error.to_string()))?;
            Ok(Output {
                sending: Some(sending),
                ..Output::nowhere()
            })
        }
        "file" => file(rest),
        _ => Err(Failure::other(format!("unsupported log output '{output}'"))),
    }
}

fn file(settings: &str) -> Result<Output, Failure> {
    let (path, settings) = settings.split_once(',').unwrap_or((settings, ""));
    if path.is_empty() {
        return Err(Failure::other(
            "error while parsing logfile configuration key `file=` with no value",
        ));
    }
    let mut level = None;
    for setting in settings.split(',').filter(|setting| !setting.is_empty()) {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        if key != "level" {
            let why = format!("unknown logfile config key {key}");
            return Err(Failure::other(why));
        }
        let unknown = || Failure::other(format!("unknown log level {value}"));
        level = Some(Level::parse(value).ok_or_else(unknown)?);
    }
    Ok(Output {
        level,
        ..Output::to(Arc::new(Mutex::new(open(path)?)))
    })
}

/// A fallback for a configured logger that cannot be made.
pub fn to_stderr(stderr: Stream) -> Logger {
    Logger::new(move |line| stderr.print(pairs(line) + "\n"))
}

/// The log cannot report its own failure, which goes to standard error.
fn say_what_was_not_sent(stderr: &Stream, why: &str) {
    let line = LogEntry {
        level: Level::Error,
        message: "Error while sending logs to loki",
        fields: &[("error", why)],
    };
    stderr.print(pairs(&line) + "\n");
}

fn format(args: &Args, around: &Surroundings, is_terminal: bool) -> Format {
    let colored = args.process.no_color != Some(true) && around.raw("NO_COLOR").is_none();
    match args.process.log_format {
        Some(LogFormat::Json) => Format::Json,
        Some(LogFormat::Raw) => Format::Raw,
        _ if is_terminal && colored => Format::Terminal,
        _ => Format::Pairs,
    }
}

fn open_for_console(path: &str) -> Result<File, Failure> {
    let opened = File::options().create(true).append(true).open(path);
    opened.map_err(|error| {
        let why = in_words(&error);
        Failure::other(format!("open {path}: {why}"))
    })
}

fn open(path: &str) -> Result<File, Failure> {
    let folder = std::path::Path::new(path).parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let why = format!("provided directory '{}' does not exist", folder.display());
        return Err(Failure::other(why));
    }
    let opened = File::options().create(true).append(true).open(path);
    opened.map_err(|error| Failure::other(format!("the log file {path} cannot be opened: {error}")))
}

impl Writer {
    fn write(&self, line: &LogEntry<'_>) {
        let Some(target) = &self.target else { return };
        if line.level < self.least {
            return;
        }
        let text = match self.format {
            Format::Pairs => pairs(line),
            Format::Terminal => terminal(line, self.began.elapsed().as_secs()),
            Format::Json => json(line),
            Format::Raw => line.message.to_owned(),
        };
        let mut target = target.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written cannot be reported either.
        let _ = writeln!(target, "{text}");
        let _ = target.flush();
    }
}

/// The line of an entry in files: `time="…" level=info msg="…"`.
pub fn pairs(line: &LogEntry<'_>) -> String {
    let mut text = format!("time=\"{}\" level={}", now(), line.level.name());
    let message = (!line.message.is_empty()).then_some(("msg", line.message));
    let fields = message.into_iter().chain(line.fields.iter().copied());
    for (key, value) in fields {
        text.push_str(&format!(" {key}={}", quoted(value)));
    }
    text
}

fn terminal(line: &LogEntry<'_>, seconds: u64) -> String {
    let (color, name) = match line.level {
        Level::Debug => (37, "DEBU"),
        Level::Info => (36, "INFO"),
        Level::Warn => (33, "WARN"),
        Level::Error => (31, "ERRO"),
    };
    // Replaces a progress line, whose end would remain visible after a shorter line.
    let mut text = format!(
        "\r\x1b[K\x1b[{color}m{name}\x1b[0m[{seconds:04}] {:<44}",
        line.message
    );
    for (key, value) in line.fields {
        text.push_str(&format!(" \x1b[{color}m{key}\x1b[0m={}", quoted(value)));
    }
    text
}

fn json(line: &LogEntry<'_>) -> String {
    let mut map = Map::new();
    for (key, value) in line.fields {
        map.insert((*key).to_owned(), Value::from(*value));
    }
    map.insert("level".to_owned(), Value::from(line.level.name()));
    map.insert("msg".to_owned(), Value::from(line.message));
    map.insert("time".to_owned(), Value::from(now()));
    map.sort_keys();
    json_text(&Value::Object(map))
}

/// A value in quotes, unless it is a plain word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&match u32::from(c) {
                code @ ..0x80 => format!("\\x{code:02x}"),
                code @ ..0x1_0000 => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    out.push('"');
    out
}

/// Whether Go prints the character unescaped in quotes: the only printable space is that of ASCII.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // After a letter, combining marks are not escaped, unlike at the beginning.
    let text: String = ['a', c].iter().collect();
    text.escape_debug().nth(1) != Some('\\')
}

fn now() -> String {
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap_or_default();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
