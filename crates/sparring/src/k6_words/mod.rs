//! The arguments of k6's command line, read as k6's flag library reads them.
//!
//! Flags may come before or after their command, booleans (`--no-summary=0`, `-q=T`) and numbers (`0x10`, `1_000`)
//! have Go's syntax, a value may begin with a dash, and error messages are k6's. clap receives the normalized form:
//! the command, then each flag as `--name=value`, then the arguments.

mod flag;
mod line;

use std::collections::VecDeque;
use std::ffi::OsString;

use flag::{Flags, SUMMARY_MODE, is_boolean, not_boolean, summary_mode};
use line::{CommandLine, Given};
use load_engine::go_text::parse_bool;

/// Boolean variables that count as set regardless of their values, and those that are options.
const SET_BY_ANYTHING: [&str; 2] = ["K6_NO_COLOR", "K6_PROFILING_ENABLED"];
const OPTIONS: [(&str, &str); 2] = [
    ("K6_LINGER", "Linger"),
    ("K6_NO_USAGE_REPORT", "NoUsageReport"),
];

/// The variable of the summary's mode.
const VARIABLE_OF_MODE: &str = "K6_SUMMARY_MODE";

/// A command line that cannot be used: k6's message and exit code.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub message: String,
    pub code: u8,
}

impl Refused {
    fn usage(message: String) -> Self {
        Self {
            message,
            code: u8::MAX,
        }
    }
}

/// The arguments for clap.
///
/// # Errors
/// k6 would refuse the command line, too.
pub fn read(
    words: Vec<OsString>,
    k6: &clap::Command,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<OsString>, Refused> {
    let mut words: VecDeque<OsString> = words.into();
    let name = words.pop_front().unwrap_or_default();
    let of_process = Flags::of_process(k6);
    let Some(at) = command_at(&words, &of_process) else {
        let line = CommandLine::parse(words, &of_process).map_err(Refused::usage)?;
        let shown = if line.version { "--version" } else { "--help" };
        return Ok(vec![name, shown.into()]);
    };
    let command = words.remove(at).unwrap_or_default();
    let command = command.to_string_lossy();
    if command == "help" {
        return Ok([name, "help".into()].into_iter().chain(words).collect());
    }
    let Some(found) = k6.find_subcommand(&*command) else {
        let message = match absent_command(&command) {
            Some(instead) => format!("\"k6 {command}\" is not here: {instead}"),
            None => unknown_command(&command, k6),
        };
        return Err(Refused::usage(message));
    };
    let flags = Flags::of(found, of_process);
    let line = CommandLine::parse(words, &flags).map_err(Refused::usage)?;
    let mut out = vec![name, OsString::from(&*command)];
    if line.help {
        out.push("--help".into());
        return Ok(out);
    }
    let arguments = arguments(&command, line.arguments).map_err(Refused::usage)?;
    out.extend(of_variables(found, &line.flags, variable)?);
    let own = line.flags.into_iter().filter(|given| given.flag.is_own);
    out.extend(own.filter_map(Given::into_word));
    if !arguments.is_empty() {
        out.push("--".into());
        out.extend(arguments);
    }
    Ok(out)
}

/// Keeps clap from reading the variables that [`read`] has read: those of booleans and of the summary's mode.
pub fn without_read_variables(k6: clap::Command) -> clap::Command {
    let is_ours = |argument: &clap::Arg| {
        let name = argument.get_env().map(|name| name.to_string_lossy());
        let is_of_k6 = name.is_some_and(|name| name.starts_with("K6_"));
        is_of_k6 && (is_boolean(argument) || argument.get_long() == Some(SUMMARY_MODE))
    };
    k6.mut_args(|argument| match is_ours(&argument) {
        true => argument.env(clap::builder::Resettable::Reset),
        false => argument,
    })
    .mut_subcommands(without_read_variables)
}

/// Accepts Go's syntax for all booleans of a command.
pub fn with_go_booleans(command: clap::Command) -> clap::Command {
    command.mut_args(|argument| match is_boolean(&argument) {
        true => argument.value_parser(|text: &str| {
            parse_bool(text)
                .ok_or("use true or false, or 1, t, T, TRUE, True, 0, f, F, FALSE, False")
        }),
        false => argument,
    })
}

/// The index of the command among the arguments. A flag that is not known before its command takes the argument
/// after it.
fn command_at(words: &VecDeque<OsString>, of_process: &Flags) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at).map(|word| word.to_string_lossy()) {
        if word == "--" {
            return None;
        }
        let takes_next = match (word.strip_prefix("--"), word.strip_prefix('-')) {
            _ if word.contains('=') => false,
            (Some(name), _) => of_process
                .long(name)
                .is_none_or(|flag| flag.kind.needs_value()),
            (None, Some(letters)) => {
                let mut letters = letters.chars();
                match (letters.next(), letters.next()) {
                    (Some(letter), None) => of_process
                        .short(letter)
                        .is_none_or(|flag| flag.kind.needs_value()),
                    _ => false,
                }
            }
            (None, None) if word.is_empty() => false,
            (None, None) => return Some(at),
        };
        if takes_next && at + 2 >= words.len() {
            return None;
        }
        at += 1 + usize::from(takes_next);
    }
    None
}

/// The arguments of a command, if their number is valid.
fn arguments(command: &str, given: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let count = given.len();
    match command {
        "run" if count != 1 => Err(format!(
            "accepts 1 arg(s), received {count}: arg should either be \"-\", if reading script from stdin, or a path to a script file"
        )),
        "archive" | "inspect" | "deps" if count != 1 => {
            Err(format!("accepts 1 arg(s), received {count}"))
        }
        "new" if count > 1 => Err(format!("accepts at most 1 arg(s), received {count}")),
        "run" | "archive" | "inspect" | "deps" | "new" | "completion" => Ok(given),
        // The other commands ignore surplus arguments.
        _ => Ok(Vec::new()),
    }
}

/// The booleans that variables set, as arguments before the flags.
fn of_variables(
    command: &clap::Command,
    given: &[Given<'_>],
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<OsString>, Refused> {
    let mut words = Vec::new();
    for argument in command
        .get_arguments()
        .filter(|argument| is_boolean(argument))
    {
        let names = argument
            .get_env()
            .and_then(|name| name.to_str())
            .zip(argument.get_long());
        let Some((name, long)) = names.filter(|(name, _)| name.starts_with("K6_")) else {
            continue;
        };
        let is_given = given.iter().any(|given| given.flag.name == long);
        let Some(text) = variable(name).filter(|_| !is_given) else {
            continue;
        };
        if let Some(value) = boolean(name, &text)? {
            words.push(format!("--{long}={value}").into());
        }
    }
    let has_mode = command
        .get_arguments()
        .any(|argument| argument.get_long() == Some(SUMMARY_MODE));
    let is_given = given.iter().any(|given| given.flag.name == SUMMARY_MODE);
    let mode = variable(VARIABLE_OF_MODE).filter(|mode| has_mode && !is_given && !mode.is_empty());
    if let Some(mode) = mode {
        let mode = summary_mode(&mode).map_err(Refused::usage)?;
        words.push(format!("--{SUMMARY_MODE}={mode}").into());
    }
    Ok(words)
}

fn boolean(name: &str, text: &str) -> Result<Option<bool>, Refused> {
    if SET_BY_ANYTHING.contains(&name) {
        return Ok((!text.is_empty()).then_some(true));
    }
    if let Some((_, option)) = OPTIONS.iter().find(|(option, _)| *option == name) {
        return match text {
            "" => Ok(None),
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Refused {
                message: format!(
                    "envconfig.Process: assigning {name} to {option}: converting '{text}' to type null.Bool. details: invalid input:{text}"
                ),
                code: load_engine::Exit::InvalidConfig.code(),
            }),
        };
    }
    let value = parse_bool(text);
    let why = || {
        format!(
            "env var '{name}' is not a valid boolean value: {}",
            not_boolean(text)
        )
    };
    value.map(Some).ok_or_else(|| Refused::usage(why()))
}

/// For k6 commands that are not supported: the reason, and the alternative.
fn absent_command(word: &str) -> Option<&'static str> {
    match word {
        "cloud" | "login" => Some(
            "it belongs to Grafana Cloud k6, which sparring does not use. Run the script on this machine with \
             \"k6 run\", on several with \"sparring run --agents\", or in the cloud with k6 itself",
        ),
        "x" => Some(
            "its commands come with extensions of k6, and sparring has none. Use a k6 that was built with the \
             extension (xk6 build)",
        ),
        _ => None,
    }
}

fn unknown_command(word: &str, k6: &clap::Command) -> String {
    let mut message = format!("unknown command {word:?} for \"k6\"");
    let lower = word.to_lowercase();
    let is_like = |name: &&str| distance(&lower, name) <= 2 || name.starts_with(&lower);
    let commands = k6
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let mut names: Vec<&str> = commands
        .map(clap::Command::get_name)
        .filter(is_like)
        .collect();
    names.sort_unstable();
    if !names.is_empty() {
        message.push_str("\n\nDid you mean this?\n");
        names
            .iter()
            .for_each(|name| message.push_str(&format!("\t{name}\n")));
    }
    message
}

/// The Levenshtein distance: the number of letters to insert, delete or replace.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (n, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = n + 1;
        for (m, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[m + 1];
            row[m + 1] = changed.min(diagonal + 1).min(row[m] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::K6;

    fn read_line(line: &str, variables: &[(&str, &str)]) -> Result<String, Refused> {
        let words = line
            .split(' ')
            .map(|word| word.replace('~', "").into())
            .collect();
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let words = read(words, &K6::command(), variable)?;
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        Ok(words.join(" "))
    }

    #[test]
    fn flags_are_read_wherever_they_stand() {
        for (line, expected) in [
            ("k6 run --quiet x.js", "k6 run --quiet=true -- x.js"),
            ("k6 --quiet run x.js", "k6 run --quiet=true -- x.js"),
            (
                "k6 -a h:1 --log-output=none -v run -u 1 x.js --no-setup",
                "k6 run --address=h:1 --log-output=none --verbose=true --vus=1 --no-setup=true -- x.js",
            ),
            ("k6 -u 3 run x.js", "k6 run --vus=3 -- x.js"),
            (
                "k6 run -qvu2 -i=3 x.js",
                "k6 run --quiet=true --verbose=true --vus=2 --iterations=3 -- x.js",
            ),
            ("k6 run -- -x.js", "k6 run -- -x.js"),
            ("k6 run -", "k6 run -- -"),
            (
                "k6 run --user-agent -x x.js",
                "k6 run --user-agent=-x -- x.js",
            ),
            ("k6 run --http-debug x.js", "k6 run --http-debug -- x.js"),
            (
                "k6 run -i 0x10 -u 1_0 x.js",
                "k6 run --iterations=16 --vus=10 -- x.js",
            ),
            ("k6 -v version", "k6 version"),
            ("k6 version --json=0 more", "k6 version"),
            (
                "k6 -q=f --log-format json version --json",
                "k6 version --json",
            ),
            ("k6 --version", "k6 --version"),
            ("k6 run x.js --help", "k6 run --help"),
            ("k6 -h", "k6 --help"),
            ("k6 help run", "k6 help run"),
        ] {
            assert_eq!(read_line(line, &[]).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn every_boolean_is_gos() {
        let k6 = K6::command();
        let run = k6.find_subcommand("run").expect("there is one");
        let mut tried = 0;
        for argument in run.get_arguments().filter(|argument| is_boolean(argument)) {
            let name = argument.get_long().expect("it is a flag");
            for (texts, value) in [
                (["1", "t", "T", "TRUE", "true", "True"], "true"),
                (["0", "f", "F", "FALSE", "false", "False"], "false"),
            ] {
                for text in texts {
                    let read = read_line(&format!("k6 run --{name}={text} x.js"), &[]);
                    let expected = format!("k6 run --{name}={value} -- x.js");
                    assert_eq!(read.as_deref(), Ok(expected.as_str()));
                }
            }
            tried += 1;
        }
        assert!(tried > 15, "{tried}");
    }

    #[test]
    fn what_is_wrong_is_said_in_k6s_words() {
        let accepts =
            "arg should either be \"-\", if reading script from stdin, or a path to a script file";
        for (line, expected) in [
            ("k6 run --nope x.js", "unknown flag: --nope".to_owned()),
            ("k6 --nope version", "unknown flag: --nope".to_owned()),
            ("k6 inspect --vus 1 x.js", "unknown flag: --vus".to_owned()),
            ("k6 run -qZ x.js", "unknown shorthand flag: 'Z' in -Z".to_owned()),
            ("k6 run x.js --vus", "flag needs an argument: --vus".to_owned()),
            ("k6 run x.js -qu", "flag needs an argument: 'u' in -u".to_owned()),
            ("k6 run --=3 x.js", "bad flag syntax: --=3".to_owned()),
            ("k6 run ---x x.js", "bad flag syntax: ---x".to_owned()),
            (
                "k6 run -u x.js",
                "invalid argument \"x.js\" for \"-u, --vus\" flag: strconv.ParseInt: parsing \"x.js\": invalid syntax".to_owned(),
            ),
            (
                "k6 run --rps=99999999999999999999 x.js",
                "invalid argument \"99999999999999999999\" for \"--rps\" flag: strconv.ParseInt: parsing \"99999999999999999999\": value out of range".to_owned(),
            ),
            (
                "k6 run --no-summary=yes x.js",
                "invalid argument \"yes\" for \"--no-summary\" flag: strconv.ParseBool: parsing \"yes\": invalid syntax".to_owned(),
            ),
            (
                "k6 run -d 5 x.js",
                "invalid argument \"5\" for \"-d, --duration\" flag: time: missing unit in duration \"5\"".to_owned(),
            ),
            (
                "k6 run -d 1h2x x.js",
                "invalid argument \"1h2x\" for \"-d, --duration\" flag: time: unknown unit \"x\" in duration \"1h2x\"".to_owned(),
            ),
            (
                "k6 run -d ~ x.js",
                "invalid argument \"\" for \"-d, --duration\" flag: time: invalid duration \"\"".to_owned(),
            ),
            ("k6 run", format!("accepts 1 arg(s), received 0: {accepts}")),
            ("k6 run a b", format!("accepts 1 arg(s), received 2: {accepts}")),
            ("k6 archive", "accepts 1 arg(s), received 0".to_owned()),
            ("k6 new a b", "accepts at most 1 arg(s), received 2".to_owned()),
            ("k6 nope", "unknown command \"nope\" for \"k6\"".to_owned()),
            (
                "k6 rnu x.js",
                "unknown command \"rnu\" for \"k6\"\n\nDid you mean this?\n\trun\n".to_owned(),
            ),
            ("k6 --no-setup run x.js", "unknown command \"x.js\" for \"k6\"".to_owned()),
        ] {
            let expected = Refused::usage(expected);
            assert_eq!(read_line(line, &[]), Err(expected), "{line}");
        }
    }

    #[test]
    fn commands_of_k6_that_are_not_here_say_what_to_do() {
        for (line, instead) in [
            ("k6 cloud", "with k6 itself"),
            ("k6 cloud run x.js", "\"k6 run\""),
            ("k6 login cloud -t x", "--agents"),
            ("k6 x docs", "xk6 build"),
        ] {
            let refused = read_line(line, &[]).expect_err("it is not here");
            assert_eq!(refused.code, 255);
            let message = refused.message;
            let command = line.split(' ').nth(1).expect("a command");
            let named = format!("\"k6 {command}\" is not here: ");
            assert!(
                message.starts_with(&named) && message.contains(instead),
                "{message}"
            );
        }
    }

    #[test]
    fn variables_set_booleans_that_no_flag_sets() {
        let check = |line: &str, variable: &str, text: &str, expected: &str| {
            let read = read_line(line, &[(variable, text)]);
            assert_eq!(read.as_deref(), Ok(expected), "{variable}={text}");
        };
        let line = "k6 run x.js";
        check(
            line,
            "K6_NO_SUMMARY",
            "T",
            "k6 run --no-summary=true -- x.js",
        );
        check(line, "K6_NO_COLOR", "yes", "k6 run --no-color=true -- x.js");
        check(line, "K6_NO_COLOR", "", "k6 run -- x.js");
        check(line, "K6_LINGER", "", "k6 run -- x.js");
        check("k6 version", "K6_NO_SUMMARY", "yes", "k6 version");
        check(
            "k6 run --no-summary=0 x.js",
            "K6_NO_SUMMARY",
            "yes",
            "k6 run --no-summary=false -- x.js",
        );
        for (variable, text, code, expected) in [
            (
                "K6_NO_THRESHOLDS",
                "",
                255,
                "env var 'K6_NO_THRESHOLDS' is not a valid boolean value: strconv.ParseBool: parsing \"\": invalid syntax",
            ),
            (
                "K6_LINGER",
                "yes",
                104,
                "envconfig.Process: assigning K6_LINGER to Linger: converting 'yes' to type null.Bool. details: invalid input:yes",
            ),
        ] {
            let refused = Refused {
                message: expected.to_owned(),
                code,
            };
            assert_eq!(read_line(line, &[(variable, text)]), Err(refused));
        }
    }
}
