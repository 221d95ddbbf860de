//! One line: flags and arguments.

use std::collections::VecDeque;
use std::ffi::OsString;

use super::flag::{Flag, Flags, Kind, SUMMARY_MODE};

/// The content of a command line.
#[derive(Default)]
pub(super) struct CommandLine<'f> {
    pub(super) flags: Vec<Given<'f>>,
    pub(super) arguments: Vec<OsString>,
    pub(super) help: bool,
    pub(super) version: bool,
}

/// A flag that was given, with the value that clap reads.
pub(super) struct Given<'f> {
    pub(super) flag: &'f Flag,
    value: Option<String>,
}

impl Given<'_> {
    /// The argument for clap.
    pub(super) fn into_word(self) -> Option<OsString> {
        let name = &self.flag.name;
        match (self.flag.kind, self.value.as_deref()) {
            (Kind::Switch, Some("false")) => None,
            (Kind::Text, Some("")) if name == SUMMARY_MODE => None,
            (Kind::Switch, _) | (_, None) => Some(format!("--{name}").into()),
            (_, Some(value)) => Some(format!("--{name}={value}").into()),
        }
    }
}

impl<'f> CommandLine<'f> {
    /// Reads the arguments after the command.
    pub(super) fn parse(mut words: VecDeque<OsString>, flags: &'f Flags) -> Result<Self, String> {
        let mut line = Self::default();
        while let Some(word) = words.pop_front() {
            let Some(text) = word.to_str().map(str::to_owned) else {
                line.arguments.push(word);
                continue;
            };
            if text == "--" {
                line.arguments.extend(words);
                break;
            } else if let Some(long) = text.strip_prefix("--") {
                line.long(&text, long, flags, &mut words)?;
            } else if let Some(letters) = text.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                line.short(letters, flags, &mut words)?;
            } else {
                line.arguments.push(word);
            }
        }
        Ok(line)
    }

    fn long(
        &mut self,
        word: &str,
        text: &str,
        flags: &'f Flags,
        words: &mut VecDeque<OsString>,
    ) -> Result<(), String> {
        if text.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {word}"));
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        match (flags.long(name), name) {
            (Some(flag), _) => {
                let missing = || format!("flag needs an argument: --{name}");
                self.add(flag, value, words, missing)
            }
            (None, "help") => {
                self.help = true;
                Ok(())
            }
            (None, "version") => {
                self.version = true;
                Ok(())
            }
            (None, _) => Err(format!("unknown flag: --{name}")),
        }
    }

    fn short(
        &mut self,
        letters: &str,
        flags: &'f Flags,
        words: &mut VecDeque<OsString>,
    ) -> Result<(), String> {
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            let after = &rest[letter.len_utf8()..];
            let Some(flag) = flags.short(letter) else {
                if letter == 'h' {
                    self.help = true;
                    rest = after;
                    continue;
                }
                return Err(format!("unknown shorthand flag: '{letter}' in -{rest}"));
            };
            if let Some(value) = after.strip_prefix('=').filter(|value| !value.is_empty()) {
                return self.add(flag, Some(value), words, String::new);
            }
            if !flag.kind.needs_value() {
                self.add(flag, None, words, String::new)?;
                rest = after;
                continue;
            }
            let missing = || format!("flag needs an argument: '{letter}' in -{rest}");
            let value = Some(after).filter(|value| !value.is_empty());
            return self.add(flag, value, words, missing);
        }
        Ok(())
    }

    fn add(
        &mut self,
        flag: &'f Flag,
        value: Option<&str>,
        words: &mut VecDeque<OsString>,
        missing: impl Fn() -> String,
    ) -> Result<(), String> {
        let value = match (value, flag.kind) {
            (Some(value), _) => Some(flag.value(value)?),
            (None, Kind::Switch | Kind::Boolean) => Some("true".to_owned()),
            (None, Kind::Perhaps) => None,
            (None, _) => {
                let next = words.pop_front().ok_or_else(missing)?;
                Some(flag.value(&next.to_string_lossy())?)
            }
        };
        self.flags.push(Given { flag, value });
        Ok(())
    }
}
