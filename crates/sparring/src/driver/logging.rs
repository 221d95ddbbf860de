//! Log lines as k6 writes them.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use load_engine::log::{Level, Line, Logger};
use serde_json::{Map, Value};

use super::args::{Args, LogFormat};
use super::failure::Failure;

type Target = Arc<Mutex<dyn Write + Send>>;

/// Where lines go and how they look.
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

/// Makes the run's logger.
pub fn logger(args: &Args) -> Result<Logger, Failure> {
    let output = args.process.log_output.as_deref().unwrap_or("stderr");
    let (name, rest) = output.split_once('=').unwrap_or((output, ""));
    let mut least = if args.process.verbose {
        Level::Debug
    } else {
        Level::Info
    };
    let mut is_terminal = false;
    let target: Option<Target> = match name {
        "stderr" => {
            is_terminal = std::io::stderr().is_terminal();
            Some(Arc::new(Mutex::new(std::io::stderr())))
        }
        "stdout" => {
            is_terminal = std::io::stdout().is_terminal();
            Some(Arc::new(Mutex::new(std::io::stdout())))
        }
        "none" => None,
        "file" => {
            let (path, settings) = rest.split_once(',').unwrap_or((rest, ""));
            if let Some(level) = settings.strip_prefix("level=") {
                least = parse_level(level)?;
            }
            Some(Arc::new(Mutex::new(open(path)?)))
        }
        _ => {
            return Err(Failure::other(format!(
                "unsupported log output '{name}'; use stderr, stdout, none or file=path"
            )));
        }
    };
    let format = format(args, is_terminal);
    let main = Writer {
        target,
        format,
        least,
        began: Instant::now(),
    };
    let console = match &args.process.console_output {
        Some(path) => Some(Writer {
            target: Some(Arc::new(Mutex::new(open(path)?))),
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
    Ok(Logger::new(move |line| {
        let is_console = line.fields.contains(&("source", "console"));
        match &console {
            Some(console) if is_console => console.write(line),
            _ => main.write(line),
        }
    }))
}

fn format(args: &Args, is_terminal: bool) -> Format {
    let colored = args.process.no_color != Some(true) && std::env::var_os("NO_COLOR").is_none();
    match args.process.log_format {
        Some(LogFormat::Json) => Format::Json,
        Some(LogFormat::Raw) => Format::Raw,
        _ if is_terminal && colored => Format::Terminal,
        _ => Format::Pairs,
    }
}

fn parse_level(text: &str) -> Result<Level, Failure> {
    match text {
        "debug" | "trace" => Ok(Level::Debug),
        "info" => Ok(Level::Info),
        "warning" | "warn" => Ok(Level::Warn),
        "error" | "fatal" | "panic" => Ok(Level::Error),
        _ => Err(Failure::other(format!("unknown log level '{text}'"))),
    }
}

fn open(path: &str) -> Result<File, Failure> {
    let opened = File::options().create(true).append(true).open(path);
    opened.map_err(|error| Failure::other(format!("the log file {path} cannot be opened: {error}")))
}

impl Writer {
    fn write(&self, line: &Line<'_>) {
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

fn pairs(line: &Line<'_>) -> String {
    let mut text = format!("time=\"{}\" level={}", now(), level(line.level));
    let message = (!line.message.is_empty()).then_some(("msg", line.message));
    let fields = message.into_iter().chain(line.fields.iter().copied());
    for (key, value) in fields {
        text.push_str(&format!(" {key}={}", quoted(value)));
    }
    text
}

fn terminal(line: &Line<'_>, seconds: u64) -> String {
    let (color, name) = match line.level {
        Level::Debug => (37, "DEBU"),
        Level::Info => (36, "INFO"),
        Level::Warn => (33, "WARN"),
        Level::Error => (31, "ERRO"),
    };
    let mut text = format!(
        "\x1b[{color}m{name}\x1b[0m[{seconds:04}] {:<44}",
        line.message
    );
    for (key, value) in line.fields {
        text.push_str(&format!(" \x1b[{color}m{key}\x1b[0m={}", quoted(value)));
    }
    text
}

fn json(line: &Line<'_>) -> String {
    let mut map = Map::new();
    for (key, value) in line.fields {
        map.insert((*key).to_owned(), Value::from(*value));
    }
    map.insert("level".to_owned(), Value::from(level(line.level)));
    map.insert("msg".to_owned(), Value::from(line.message));
    map.insert("time".to_owned(), Value::from(now()));
    map.sort_keys();
    Value::Object(map).to_string()
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warning",
        Level::Error => "error",
    }
}

/// A value in quotes, unless it is a plain word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
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
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn now() -> String {
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap_or_default();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
