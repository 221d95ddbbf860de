//! The log: `time="…" level=info msg="…" source=console`.

/// Errors with the script engine's own messages: only the kind is k6's.
const OF_THE_ENGINE: [&str; 1] = ["SyntaxError: "];

/// Messages of versions newer than the compared one.
const NEWER: &str = "k6/experimental/websockets is deprecated";

/// The output of `console`, in order, and all other lines, sorted.
pub fn read(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut console, mut log) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.contains(NEWER)) {
        let Some((_, rest)) = line.split_once(" level=") else {
            log.push(line.to_owned());
            continue;
        };
        if let Some(said) = rest.strip_suffix(" source=console") {
            console.push(said.to_owned());
        } else {
            log.push(plain(rest));
        }
    }
    log.sort();
    (console, log)
}

/// A line without positions in the script and without the engine's messages.
fn plain(line: &str) -> String {
    let line = without_value(&without_value(line, "request_id=", ' '), r"\nDate: ", '\\');
    let mut line = without_positions(&without_stack(&line));
    // A line of Go's own log begins with the time of the second.
    if let Some((level, said)) = line.split_once(" net/http: invalid byte ")
        && let Some((level, _)) = level.split_once("msg=\"")
    {
        line = format!("{level}msg=\"… net/http: invalid byte {said}");
    }
    for kind in OF_THE_ENGINE {
        if let Some(at) = line.find(kind) {
            let rest = &line[at + kind.len()..];
            let end = rest.find('"').unwrap_or(rest.len());
            line = format!("{}{kind}…{}", &line[..at], &rest[end..]);
        }
    }
    line
}

/// A line without the value of a field that changes each time; it ends before `end`.
fn without_value(line: &str, field: &str, end: char) -> String {
    let Some((before, rest)) = line.split_once(field) else {
        return line.to_owned();
    };
    let end = rest.find(end).unwrap_or(rest.len());
    format!("{before}{field}…{}", &rest[end..])
}

/// `script.js:3:63(10)` is `script.js`: the engines count columns in their own way.
fn without_positions(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(".js:") {
        let end = at + ".js".len();
        out.push_str(&rest[..end]);
        let is_position = |c: char| c.is_ascii_digit() || c == ':';
        rest = rest[end..].trim_start_matches(is_position);
        if let Some((counter, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')'))
            && counter.chars().all(|c| c.is_ascii_digit())
        {
            rest = after;
        }
    }
    out + rest
}

/// Stacks begin with `\n\tat` inside of a message and end with it.
pub fn without_stack(line: &str) -> String {
    let Some(at) = line.find(r"\n\tat ").or_else(|| line.find(r"\n    at ")) else {
        return line.to_owned();
    };
    let rest = &line[at..];
    let end = rest.find('"').unwrap_or(rest.len());
    format!("{}{}", &line[..at], &rest[end..])
}
