//! The printed output, without its numbers.

/// Units behind numbers, longest first.
const UNITS: [&str; 13] = [
    "ns", "µs", "ms", "kB", "MB", "GB", "B", "s", "m", "h", "%", "k", "M",
];

/// The text after the banner's picture, line by line: numbers as `#`, runs of spaces as one, and only the last
/// state of the progress.
pub fn stdout(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !is_banner(line)).collect();
    let last_look = lines.iter().rposition(|line| line.starts_with("running ("));
    let mut shown = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let is_progress = line.starts_with("running (") || is_bar(line);
        if is_progress && last_look.is_some_and(|last| n < last) {
            continue;
        }
        let line = numbers(line);
        if !line.is_empty() {
            shown.push(line);
        }
    }
    shown
}

/// The text without the port of the client in `127.0.0.1:40312->127.0.0.1:80`, which changes each time.
pub fn client_ports(text: &str) -> String {
    [r"-\u003e", "->"]
        .iter()
        .fold(text.to_owned(), |text, arrow| {
            let pieces: Vec<&str> = text.split(arrow).collect();
            let last = pieces.len() - 1;
            let masked = pieces.iter().enumerate().map(|(n, piece)| {
                let address = piece.trim_end_matches(|c: char| c.is_ascii_digit());
                match address.ends_with(':') && n < last && address.len() < piece.len() {
                    true => format!("{address}#{arrow}"),
                    false if n < last => format!("{piece}{arrow}"),
                    false => (*piece).to_owned(),
                }
            });
            masked.collect()
        })
}

/// The pictures of both drivers.
fn is_banner(line: &str) -> bool {
    let of_ours = |c: char| "┌─┐└┘│┴┬├┤".contains(c);
    let drawn = |c: char| c.is_whitespace() || r"/\|()‾_".contains(c);
    let words = line.replace("Grafana", "");
    line.contains(of_ours) || (words.contains(['\\', '|']) && words.chars().all(drawn))
}

fn is_bar(line: &str) -> bool {
    let Some((_, rest)) = line.split_once(" [") else {
        return false;
    };
    rest.split_once(']')
        .is_some_and(|(inside, _)| inside.contains('%') || inside.contains("--"))
}

fn numbers(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let in_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if first.is_ascii_digit() && !in_word {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            if let Some(unit) = UNITS.iter().find(|unit| rest.starts_with(**unit)) {
                let after = rest[unit.len()..].chars().next();
                if !after.is_some_and(char::is_alphabetic) {
                    rest = &rest[unit.len()..];
                }
            }
            // `3 kB` and `3.5 MB`: the amount determines the unit.
            let bytes = [" B", " kB", " MB", " GB"];
            if let Some(unit) = bytes.iter().find(|unit| rest.starts_with(**unit)) {
                let after = rest[unit.len()..].chars().next();
                if !after.is_some_and(char::is_alphanumeric) {
                    rest = &rest[unit.len()..];
                }
            }
            if !out.ends_with('#') {
                out.push('#');
            }
            continue;
        }
        let blank = first.is_whitespace();
        if !(blank && out.ends_with(' ')) {
            out.push(if blank { ' ' } else { first });
        }
        rest = &rest[first.len_utf8()..];
    }
    out.trim().to_owned()
}

#[test]
fn ports_of_clients_are_masked() {
    let text = r"read tcp 127.0.0.1:4031->127.0.0.1:80: x, a -> b, [::1]:5-\u003e[::1]:6";
    let masked = r"read tcp 127.0.0.1:#->127.0.0.1:80: x, a -> b, [::1]:#-\u003e[::1]:6";
    assert_eq!(client_ports(text), masked);
}

#[test]
fn numbers_and_their_units_are_one_mark() {
    let line = "iterations....: 2   5979.681044/s avg=117.62µs p(95)=1m5s 10m0s/3.5 kB/s vu2 0% x";
    let masked = "iterations....: # #/s avg=# p(#)=# #/#/s vu2 # x";
    assert_eq!(numbers(line), masked);
    assert!(is_bar("default ✓ [ 100% ] 1 VUs"));
    assert!(!is_bar("a [ b"));
}
