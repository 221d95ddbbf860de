//! Flags, the kinds of their values, and how values are read.

use clap::ArgAction;
use load_engine::go_text::parse_bool;
use load_engine::options::duration::{self, DurationError};

/// Flags of the process: every command takes them.
const OF_THE_PROCESS: [&str; 9] = [
    "address",
    "config",
    "log-format",
    "log-output",
    "no-color",
    "profiling-enabled",
    "quiet",
    "secret-source",
    "verbose",
];

/// Flags whose values are whole numbers, and times.
const NUMBERS: [&str; 7] = [
    "vus",
    "iterations",
    "max-redirects",
    "batch",
    "batch-per-host",
    "rps",
    "max",
];
const TIMES: [&str; 2] = ["duration", "min-iteration-duration"];

/// The flag whose values are words; only k6's own has one.
pub(super) const SUMMARY_MODE: &str = "summary-mode";

/// Flags of `run` that `inspect` and `deps` also take, and their own; they have no use for the others.
const OF_INSPECT: [&str; 12] = [
    "include-system-env-vars",
    "compatibility-mode",
    "type",
    "env",
    "no-thresholds",
    "no-summary",
    "summary-mode",
    "summary-export",
    "traces-output",
    "features",
    "execution-requirements",
    "json",
];

/// A flag as k6's flag library (pflag) sees it.
pub(super) struct Flag {
    pub(super) name: String,
    short: Option<char>,
    pub(super) kind: Kind,
    /// Whether the flag is the command's own; the others are those of the process.
    pub(super) is_own: bool,
}

/// The kind of value that a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `--flag` or `--flag=false`; without a value for clap.
    Switch,
    /// The same; clap reads its value.
    Boolean,
    Number,
    Time,
    Text,
    /// A text that may be missing.
    Perhaps,
}

impl Kind {
    pub(super) fn needs_value(self) -> bool {
        matches!(self, Self::Number | Self::Time | Self::Text)
    }
}

impl Flag {
    fn of(argument: &clap::Arg) -> Option<Self> {
        let name = argument.get_long()?.to_owned();
        let may_miss = argument
            .get_num_args()
            .is_some_and(|values| values.min_values() == 0);
        let kind = match argument.get_action() {
            ArgAction::Set | ArgAction::Append if is_boolean(argument) => Kind::Boolean,
            ArgAction::Set | ArgAction::Append => match name.as_str() {
                _ if may_miss => Kind::Perhaps,
                name if NUMBERS.contains(&name) => Kind::Number,
                name if TIMES.contains(&name) => Kind::Time,
                _ => Kind::Text,
            },
            _ => Kind::Switch,
        };
        Some(Self {
            short: argument.get_short(),
            name,
            kind,
            is_own: true,
        })
    }

    /// The name in k6's messages.
    fn shown(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.name),
            None => format!("--{}", self.name),
        }
    }

    /// The value in the form that clap reads.
    pub(super) fn value(&self, text: &str) -> Result<String, String> {
        let wrong = |why: String| {
            format!(
                "invalid argument {text:?} for \"{}\" flag: {why}",
                self.shown()
            )
        };
        match self.kind {
            Kind::Switch | Kind::Boolean => {
                let value = parse_bool(text).map(|value| value.to_string());
                value.ok_or_else(|| wrong(not_boolean(text)))
            }
            Kind::Number => {
                let value = go_integer(text).map(|value| value.to_string());
                value.map_err(|why| wrong(format!("strconv.ParseInt: parsing {text:?}: {why}")))
            }
            Kind::Time => match duration::parse(text) {
                Err(error @ DurationError::Syntax(_)) => Err(wrong(error.to_string())),
                _ => Ok(text.to_owned()),
            },
            Kind::Text if self.name == SUMMARY_MODE => summary_mode(text).map(str::to_owned),
            Kind::Text | Kind::Perhaps => Ok(text.to_owned()),
        }
    }
}

/// Go's message for a value that is not a boolean.
pub(super) fn not_boolean(text: &str) -> String {
    format!("strconv.ParseBool: parsing {text:?}: invalid syntax")
}

/// The flags that a command knows.
pub(super) struct Flags(Vec<Flag>);

impl Flags {
    /// Those of the process.
    pub(super) fn of_process(k6: &clap::Command) -> Self {
        let run = k6.find_subcommand("run");
        let all = run.into_iter().flat_map(clap::Command::get_arguments);
        let ours = all
            .filter_map(Flag::of)
            .filter(|flag| OF_THE_PROCESS.contains(&flag.name.as_str()));
        Self(
            ours.map(|flag| Flag {
                is_own: false,
                ..flag
            })
            .collect(),
        )
    }

    /// Those of a command, then those of the process.
    pub(super) fn of(command: &clap::Command, of_process: Self) -> Self {
        let is_inspect = matches!(command.get_name(), "inspect" | "deps");
        let is_known = |flag: &Flag| {
            let name = flag.name.as_str();
            !is_inspect || OF_INSPECT.contains(&name) || OF_THE_PROCESS.contains(&name)
        };
        let own = command
            .get_arguments()
            .filter_map(Flag::of)
            .filter(is_known);
        // The command's own ones are found first.
        Self(own.chain(of_process.0).collect())
    }

    pub(super) fn long(&self, name: &str) -> Option<&Flag> {
        self.0.iter().find(|flag| flag.name == name)
    }

    pub(super) fn short(&self, letter: char) -> Option<&Flag> {
        self.0.iter().find(|flag| flag.short == Some(letter))
    }
}

/// A flag that takes `true` or `false` as its value.
pub(super) fn is_boolean(argument: &clap::Arg) -> bool {
    let values = argument.get_possible_values();
    let names: Vec<&str> = values
        .iter()
        .map(clap::builder::PossibleValue::get_name)
        .collect();
    matches!(argument.get_action(), ArgAction::Set) && names == ["true", "false"]
}

/// One of the modes of the summary.
pub(super) fn summary_mode(text: &str) -> Result<&str, String> {
    // An empty value means the default.
    let modes = ["", "compact", "full", "legacy", "disabled"];
    match modes.contains(&text) {
        true => Ok(text),
        false => Err("invalid summary mode".to_owned()),
    }
}

/// A whole number: decimal, or in another base after `0x`, `0o`, `0b` or `0`; `_` between digits is ignored.
fn go_integer(text: &str) -> Result<i64, &'static str> {
    const SYNTAX: &str = "invalid syntax";
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let prefixed = prefixes
        .iter()
        .find_map(|(prefix, base)| Some((lower.strip_prefix(prefix)?, *base)));
    let (body, base) = match prefixed {
        // An underscore may follow the prefix.
        Some((body, base)) => (body.strip_prefix('_').unwrap_or(body), base),
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    let body = body.strip_prefix('_').filter(|_| base == 8).unwrap_or(body);
    let is_digit = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_digit(base));
    if !body.split('_').all(is_digit) {
        return Err(SYNTAX);
    }
    let number = format!("{sign}{}", body.replace('_', ""));
    i64::from_str_radix(&number, base).map_err(|_| "value out of range")
}

#[cfg(test)]
mod tests {
    use super::go_integer;

    #[test]
    fn whole_numbers_are_gos() {
        for (text, expected) in [
            ("12", Ok(12)),
            ("-3", Ok(-3)),
            ("+3", Ok(3)),
            ("010", Ok(8)),
            ("0", Ok(0)),
            ("0b11", Ok(3)),
            ("0x_f", Ok(15)),
            ("1__0", Err("invalid syntax")),
            ("_1", Err("invalid syntax")),
            ("08", Err("invalid syntax")),
            ("1.5", Err("invalid syntax")),
            ("", Err("invalid syntax")),
            ("9223372036854775808", Err("value out of range")),
        ] {
            assert_eq!(go_integer(text), expected, "{text}");
        }
    }
}
