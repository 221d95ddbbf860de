//! A section of `docs/BENCHMARKS.md`, written by its benchmark: machine, versions, tables, aims.

use std::io;
use std::path::Path;
use std::process::Command;

const PAGE: &str = "docs/BENCHMARKS.md";

/// The results of one benchmark. Lines are printed at once, and stored for the page.
#[derive(Debug)]
pub struct Section {
    /// The name of the benchmark, as in `cargo xtask bench NAME`.
    name: &'static str,
    /// The tools and the number of rounds, in a few words.
    how: Vec<String>,
    lines: Vec<String>,
    aims: Vec<Aim>,
    load_before: String,
}

#[derive(Debug)]
struct Aim {
    row: String,
    is_met: bool,
}

impl Section {
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            how: Vec::new(),
            lines: Vec::new(),
            aims: Vec::new(),
            load_before: load_average(),
        }
    }

    /// Adds to the description of the measurement: a version, a number of rounds.
    pub fn how(&mut self, what: impl Into<String>) {
        self.how.push(what.into());
    }

    /// A line of Markdown; a table has an empty line before it.
    pub fn line(&mut self, line: impl Into<String>) {
        let line = line.into();
        println!("{line}");
        self.lines.push(line);
    }

    /// The head of a table, with an empty line before it.
    pub fn table(&mut self, columns: &[&str]) {
        self.line("");
        self.line(format!("| {} |", columns.join(" | ")));
        self.line(format!("|{}", "---|".repeat(columns.len())));
    }

    /// Judges a figure by its aim: "CPU of a GET", "12.1 µs", "at most 11.6 µs".
    pub fn aim(&mut self, what: &str, found: &str, limit: &str, is_met: bool) {
        let judged = if is_met { "met" } else { "**missed**" };
        let row = format!("| {what} | {limit} | {found} | {judged} |");
        self.aims.push(Aim { row, is_met });
    }

    /// Prints the aims and, if `write`, puts the section into the page of the repository at `root`. Returns whether
    /// every aim was met.
    ///
    /// # Errors
    /// The page cannot be read or written, or has no place for this benchmark.
    pub fn end(mut self, write: bool, root: &Path) -> io::Result<bool> {
        let aims = std::mem::take(&mut self.aims);
        if !aims.is_empty() {
            self.table(&["what", "aim", "found", ""]);
        }
        for aim in &aims {
            self.line(aim.row.clone());
        }
        let measured = self.measured();
        println!("\n{measured}");
        if write {
            let path = root.join(PAGE);
            let page = std::fs::read_to_string(&path)?;
            let text = format!("{measured}\n{}", self.lines.join("\n"));
            let page = replaced(&page, self.name, &text).ok_or_else(|| {
                let marks = format!("{} … {END}", begin(self.name));
                io::Error::other(format!("{PAGE} has no place for the results: {marks}"))
            })?;
            std::fs::write(path, page)?;
        }
        Ok(aims.iter().all(|aim| aim.is_met))
    }

    /// The date and the machine of the measurement.
    fn measured(&self) -> String {
        let day = output("date", &["-u", "+%-d %B %Y"]);
        let commit = output("git", &["rev-parse", "--short", "HEAD"]);
        let how: String = self.how.iter().map(|how| format!("; {how}")).collect();
        format!(
            "Measured on {day} at {commit}: {}; load average {} before and {} after{how}.",
            machine(),
            self.load_before,
            load_average(),
        )
    }
}

/// The profile that a binary was built with, by its folder.
pub fn profile(binary: &Path) -> String {
    let folder = binary
        .parent()
        .map(|folder| match folder.ends_with("examples") {
            true => folder.parent().unwrap_or(folder),
            false => folder,
        });
    let folder = folder.and_then(Path::file_name);
    let folder = folder.unwrap_or_default().to_string_lossy();
    format!("sparring of the profile `{folder}`")
}

/// The first line that a program prints, such as its version; "?" if it cannot be run.
pub fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map_or_else(|_| Vec::new(), |output| output.stdout);
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next().unwrap_or("?").trim();
    line.to_owned()
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| {
        let rest = line.strip_prefix("MemTotal:")?;
        rest.split_whitespace().next()?.parse::<f64>().ok()
    });
    let memory = kib.map_or_else(String::new, |kib| format!(", {:.0} GB", kib * 1024.0 / 1e9));
    let system = output("uname", &["-sr"]);
    let version: Vec<&str> = system.split(['.', '-']).take(2).collect();
    let arch = std::env::consts::ARCH;
    format!("{cores} cores ({arch}){memory}, {}", version.join("."))
}

/// The load average of the last minute.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

const END: &str = "<!-- end -->";

fn begin(name: &str) -> String {
    format!("<!-- cargo xtask bench {name} --write -->")
}

/// The page with the text between the marks of this benchmark replaced.
fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(&begin(name))?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{}\n{text}\n{END}{after}", begin(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_of_a_benchmark_changes() {
        let page = "a\n<!-- cargo xtask bench x --write -->\nold\n<!-- end -->\nb\n\
            <!-- cargo xtask bench y --write -->\nkept\n<!-- end -->\n";
        let wanted = page.replace("old", "new");
        assert_eq!(replaced(page, "x", "new"), Some(wanted));
        assert_eq!(replaced(page, "z", "new"), None);
    }

    #[test]
    fn the_page_has_a_place_for_every_benchmark() {
        let page = std::fs::read_to_string(crate::root().join(PAGE)).expect("the page is there");
        for name in ["driver", "scale", "mock", "orchestrator", "target"] {
            assert!(replaced(&page, name, "").is_some(), "{name}");
        }
    }

    #[test]
    fn an_aim_that_is_missed_is_said() {
        let mut section = Section::new("x");
        section.aim("CPU", "2", "at most 1", false);
        assert_eq!(section.aims[0].row, "| CPU | at most 1 | 2 | **missed** |");
        let root = Path::new("/nonexistent");
        assert!(!section.end(false, root).expect("nothing is written"));
    }
}
