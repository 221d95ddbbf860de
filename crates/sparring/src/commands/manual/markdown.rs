//! The command line as one page of Markdown.

use std::fmt::Write;

use clap::{Arg, Command};

const HEAD: &str = "\
# Command line

Written by `sparring manual` (`cargo xtask reference` updates it). The same texts are in `sparring COMMAND --help`
and, with a release, in man pages.
";

/// All commands that are not hidden, each with its usage, its arguments and its examples.
pub fn page(mut command: Command) -> String {
    command.build();
    let mut page = HEAD.to_owned();
    page.push_str("\n| command | |\n|---|---|\n");
    for inner in shown(&command) {
        let about = inner.get_about().map(ToString::to_string);
        let _ = writeln!(
            page,
            "| [`sparring {0}`](#sparring-{0}) | {1} |",
            inner.get_name(),
            cell(&about.unwrap_or_default())
        );
    }
    for inner in shown(&command) {
        section(&mut page, inner, "sparring", 2);
    }
    page
}

fn section(page: &mut String, command: &Command, path: &str, level: usize) {
    let path = format!("{path} {}", command.get_name());
    let _ = writeln!(page, "\n{} {path}\n", "#".repeat(level));
    let about = command.get_long_about().or(command.get_about());
    if let Some(about) = about {
        let _ = writeln!(page, "{}\n", escaped(&about.to_string()));
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = writeln!(page, "```text\n{}\n```", unindented(usage));
    arguments(page, command);
    if let Some(after) = command.get_after_help() {
        let _ = writeln!(page, "\n```text\n{after}\n```");
    }
    for inner in shown(command) {
        section(page, inner, &path, (level + 1).min(4));
    }
}

fn arguments(page: &mut String, command: &Command) {
    let given = command.get_arguments().filter(|argument| {
        !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
    });
    let mut rows = given.map(row).peekable();
    if rows.peek().is_none() {
        return;
    }
    page.push_str("\n| argument | default | variable | |\n|---|---|---|---|\n");
    for row in rows {
        page.push_str(&row);
    }
}

fn row(argument: &Arg) -> String {
    let defaults = argument.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    let defaults = match defaults.is_empty() || !argument.get_action().takes_values() {
        true => String::new(),
        false => format!("`{}`", defaults.join(" ")),
    };
    let variable = argument.get_env().map(|name| name.to_string_lossy());
    let variable = variable.map_or(String::new(), |name| format!("`{name}`"));
    let help = argument.get_long_help().or(argument.get_help());
    let mut help = cell(&help.map(ToString::to_string).unwrap_or_default());
    let values: Vec<_> = argument
        .get_possible_values()
        .into_iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if argument.get_action().takes_values() && !values.is_empty() {
        let _ = write!(help, "; one of {}", values.join(", "));
    }
    format!(
        "| `{}` | {defaults} | {variable} | {help} |\n",
        form(argument)
    )
}

/// `--flag <VALUE>`, `-f, --flag`, `<FILE>`.
fn form(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let values: Vec<String> = names.iter().map(|name| format!("<{name}>")).collect();
    let values = values.join(" ").replace('|', "\\|");
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    let flags: Vec<String> = short.into_iter().chain(long).collect();
    match (flags.is_empty(), argument.get_action().takes_values()) {
        (true, _) => values,
        (false, true) => format!("{} {values}", flags.join(", ")),
        (false, false) => flags.join(", "),
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
}

fn unindented(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("\n")
}

fn cell(text: &str) -> String {
    escaped(text)
        .replace('|', "\\|")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Escapes text that would be read as an HTML element.
fn escaped(text: &str) -> String {
    text.replace('<', "\\<")
}
