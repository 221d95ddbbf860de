//! A hint for a flag whose letters are in another order, such as `--vsu`: clap's measure of likeness does not find the
//! right one if the name is short.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The error about an unknown flag of `command`, with the flag that has the same letters, if clap has found none.
pub fn hinted(mut said: clap::Error, command: &clap::Command) -> clap::Error {
    if said.kind() != ErrorKind::UnknownArgument || said.get(ContextKind::SuggestedArg).is_some() {
        return said;
    }
    let Some(ContextValue::String(wrong)) = said.get(ContextKind::InvalidArg) else {
        return said;
    };
    let wrong = sorted(wrong.trim_start_matches('-'));
    let mut flags = command.get_arguments().filter_map(clap::Arg::get_long);
    if let Some(flag) = flags.find(|flag| sorted(flag) == wrong) {
        let flag = ContextValue::String(format!("--{flag}"));
        said.insert(ContextKind::SuggestedArg, flag);
        said.insert(ContextKind::Suggested, ContextValue::StyledStrs(Vec::new()));
    }
    said
}

fn sorted(name: &str) -> Vec<char> {
    let mut letters: Vec<char> = name.chars().collect();
    letters.sort_unstable();
    letters
}
