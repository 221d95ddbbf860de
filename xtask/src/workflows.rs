//! Checks of the workflows in docs/: every command parses, names only existing files and options, and its results are
//! kept.

mod kept;

use std::path::Path;
use std::process::Command;

use clap::Parser;

const FOLDER: &str = "docs/workflows";

/// Prints the errors of the workflows under `root`. Returns whether there are none.
pub fn run(root: &Path) -> bool {
    let faults = check(root);
    for fault in &faults {
        println!("{fault}");
    }
    faults.is_empty()
}

fn check(root: &Path) -> Vec<String> {
    let files = std::fs::read_dir(root.join(FOLDER)).into_iter().flatten();
    let mut faults = Vec::new();
    let mut commands = 0;
    for file in files.flatten().map(|file| file.path()) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for command in text.lines().filter_map(command) {
            commands += 1;
            let found = fault(root, command);
            faults.extend(found.map(|fault| format!("{FOLDER}/{name}: `{command}`: {fault}")));
        }
        let lost = kept::faults(&text).into_iter();
        faults.extend(lost.map(|fault| format!("{FOLDER}/{name}: {fault}")));
    }
    if commands == 0 {
        faults.push(format!("{FOLDER} contains no commands"));
    }
    faults
}

/// The command of a line `run: …`, or `- run: …`. Blocks of several lines are not used here, so
/// that each step can be copied into a shell.
fn command(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("- ")
        .unwrap_or(line)
        .strip_prefix("run: ")
}

fn fault(root: &Path, command: &str) -> Option<String> {
    if command.starts_with(['|', '>']) {
        return Some("a step is one line".to_owned());
    }
    let parsed = Command::new("bash").args(["-n", "-c", command]).output();
    if !parsed.is_ok_and(|output| output.status.success()) {
        return Some("the shell cannot read it".to_owned());
    }
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["docker", "compose", "-f", file, rest @ ..] => compose(root, file, rest),
        ["docker", "build", ..] => Some(
            "the image is lost with the machine; `cargo xtask dist --image` exports it".to_owned(),
        ),
        ["cargo", "xtask", ..] => xtask(&words[1..]),
        ["cargo", "install", "--locked", ..]
        | ["rustup", "target", "add", ..]
        | ["sudo", "apt-get", "install", ..] => None,
        [script, ..] if root.join(script).is_file() => None,
        _ => Some(
            "neither docker, nor an installation, nor a task or script of this repository"
                .to_owned(),
        ),
    }
}

/// Checks `xtask TASK [OPTIONS]`: the task exists, with these options.
fn xtask(words: &[&str]) -> Option<String> {
    let refused = crate::task::Task::try_parse_from(words).err()?;
    let reason = refused.to_string();
    Some(reason.lines().next().unwrap_or_default().to_owned())
}

/// Checks `docker compose -f FILE COMMAND [OPTIONS] [SERVICES]`: file and services exist.
fn compose(root: &Path, file: &str, words: &[&str]) -> Option<String> {
    let Ok(text) = std::fs::read_to_string(root.join(file)) else {
        return Some(format!("there is no {file}"));
    };
    let services: Vec<&str> = services(&text).collect();
    let (verb, rest) = words.split_first()?;
    let mut given = Vec::new();
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "-e" | "--env" | "--tail" | "-t" => drop(rest.next()),
            option if option.starts_with('-') => {}
            service => given.push(service),
        }
    }
    if *verb == "run" {
        // Arguments after the service are for its program.
        given.truncate(1);
    }
    let unknown = given.into_iter().find(|name| !services.contains(name))?;
    Some(format!("{file} has no service {unknown}"))
}

/// The names of a compose file's services, by their indentation.
fn services(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .skip_while(|line| *line != "services:")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with([' ', '#']))
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with([' ', '#']))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> std::path::PathBuf {
        crate::root()
    }

    #[test]
    fn the_workflows_name_only_what_is_there() {
        assert_eq!(check(&root()), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_there_is_named() {
        let file = "docker-compose.test.yml";
        for (command, said) in [
            ("docker compose -f none.yml up", "there is no none.yml"),
            (
                &format!("docker compose -f {file} up -d orchestrator"),
                "no service orchestrator",
            ),
            (
                &format!("docker compose -f {file} run -e A=1 --rm lode"),
                "no service lode",
            ),
            ("tests/none.sh", "neither"),
            ("cargo xtask dits", "unrecognized subcommand"),
            ("cargo xtask dist --non", "unexpected argument"),
            ("docker compose -f 'x up", "cannot read"),
            ("|", "one line"),
            ("docker build -t sparring .", "dist --image"),
        ] {
            let found = fault(&root(), command).unwrap_or_default();
            assert!(found.contains(said), "{command}: {found}");
        }
        let sound = format!("docker compose -f {file} run --rm -e A=1 drill drill /tests/x.yaml");
        assert_eq!(fault(&root(), &sound), None);
        assert_eq!(fault(&root(), "cargo xtask dist --out files"), None);
    }
}
