//! A comparison as Markdown.

use std::fmt::Write as _;

use super::{Change, Compared, EndpointComparison, FigureComparison, TestComparison};
use crate::escape::{clipped, markdown as escape};
use crate::number::{DASH, change, or_dash, with_unit};
use crate::record::{Outcome, percentile_definition, route};
use crate::table::{Cell, Table};

/// Maximum number of endpoints in a table; the rest is counted.
const ENDPOINTS: usize = 50;
/// The marker of a comment, by which the next run finds and replaces it.
const MARK: &str = "<!-- sparring compare -->";
/// Maximum number of characters of a pull request comment that common services accept.
const COMMENT: usize = 60_000;

/// The verdict, and a table for each test.
pub fn markdown(compared: &Compared) -> String {
    let mut text = format!(
        "# {}\n\n`{}` compared with the baseline `{}`.\n\n",
        headline(compared),
        code(&compared.candidate),
        code(&compared.baseline)
    );
    notes(compared, &mut text);
    for test in &compared.tests {
        section(test, &mut text);
    }
    let _ = write!(text, "\n{}", method(compared));
    text
}

/// A comment on a pull request: the verdict and the changes, with collapsed tables.
pub fn pull_request(compared: &Compared) -> String {
    let mut text = format!(
        "{MARK}\n### {}\n\n`{}` against `{}`\n\n",
        headline(compared),
        code(&compared.candidate),
        code(&compared.baseline)
    );
    let changed: Vec<String> = compared.tests.iter().flat_map(changes).collect();
    let most = 20;
    for line in changed.iter().take(most) {
        let _ = writeln!(text, "- {line}");
    }
    if changed.len() > most {
        let _ = writeln!(text, "- and {} more", changed.len() - most);
    }
    text.push('\n');
    notes(compared, &mut text);
    for test in &compared.tests {
        let mut details = String::new();
        let _ = writeln!(
            details,
            "<details><summary>{}</summary>\n",
            crate::escape::escape(&test.title)
        );
        tables(test, &mut details);
        details.push_str("\n</details>\n\n");
        if text.len() + details.len() > COMMENT {
            text.push_str("The tables of the other tests are too long for a comment.\n\n");
            break;
        }
        text.push_str(&details);
    }
    text.push_str(&method(compared));
    text
}

/// Text between back quotes.
fn code(text: &str) -> String {
    text.chars()
        .map(|c| if c == '`' || c.is_control() { '\'' } else { c })
        .collect()
}

fn headline(compared: &Compared) -> String {
    match compared.outcome {
        Outcome::Regression => "✕ Regression",
        Outcome::Passed => "✓ No regression",
        _ => "? Inconclusive: a regression is neither shown nor excluded",
    }
    .to_owned()
}

fn notes(compared: &Compared, text: &mut String) {
    for note in &compared.notes {
        let _ = writeln!(text, "> {}\n", escape(note));
    }
}

fn section(test: &TestComparison, text: &mut String) {
    let _ = writeln!(text, "\n## {}\n", escape(&clipped(&test.title, 200)));
    tables(test, text);
}

fn tables(test: &TestComparison, text: &mut String) {
    let mut table = Table::new("", &columns("figure"));
    for line in &test.lines {
        table.row(row(line.figure.to_owned(), line));
    }
    text.push_str(&table.to_markdown());
    for line in &test.lines {
        if let Some(note) = &line.note {
            let _ = write!(text, "\n{}: {}.\n", line.figure, escape(note));
        }
        if let Some(needs) = line.needs_per_side {
            let _ = write!(
                text,
                "\n{}: about {needs} values per side would decide it ({}).\n",
                line.figure,
                escape(&line.test)
            );
        }
    }
    if !test.endpoints.is_empty() {
        let _ = write!(
            text,
            "\nEndpoints, by mean latency:\n\n{}",
            endpoints(test).to_markdown()
        );
    }
}

fn columns(first: &str) -> [&str; 9] {
    [
        first,
        "change",
        "#baseline",
        "#candidate",
        "#shift",
        "95 % interval",
        "#p",
        "effect",
        "#detectable",
    ]
}

fn row(name: String, line: &FigureComparison) -> Vec<Cell> {
    let amount = |value: Option<f64>| {
        value.map_or_else(|| DASH.to_owned(), |value| with_unit(value, line.unit))
    };
    let interval = line.interval.map_or_else(
        || DASH.to_owned(),
        |[low, high]| format!("{} to {}", change(low), change(high)),
    );
    let effect = match (line.magnitude, line.superiority) {
        (Some(magnitude), Some(superiority)) => format!("{magnitude} ({superiority:.2})"),
        _ => DASH.to_owned(),
    };
    vec![
        name.into(),
        word(line.change).into(),
        amount(line.baseline).into(),
        amount(line.candidate).into(),
        or_dash(line.relative, change).into(),
        interval.into(),
        line.p_value.map_or_else(|| DASH.to_owned(), p_value).into(),
        effect.into(),
        or_dash(line.minimal_detectable, |mde| {
            format!("± {:.1} %", 100.0 * mde)
        })
        .into(),
    ]
}

fn p_value(p: f64) -> String {
    if p < 0.0001 {
        "< 0.0001".to_owned()
    } else {
        format!("{p:.4}")
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Regression => "✕ regression",
        Change::Worse => "· worse, within tolerance",
        Change::NoRegression => "✓ no regression",
        Change::Improvement => "✓ improvement",
        Change::Inconclusive => "? inconclusive",
    }
}

/// The changed endpoints first, by descending change.
fn endpoints(test: &TestComparison) -> Table {
    let mut table = Table::new("", &columns("endpoint"));
    let mut order: Vec<&EndpointComparison> = test.endpoints.iter().collect();
    order.sort_by(|a, b| {
        let rank = |endpoint: &EndpointComparison| endpoint.line.change != Change::Regression;
        let size = |endpoint: &EndpointComparison| endpoint.line.relative.unwrap_or(0.0);
        rank(a)
            .cmp(&rank(b))
            .then_with(|| size(b).total_cmp(&size(a)))
    });
    table.folded = order.len().saturating_sub(ENDPOINTS);
    table.folded_name = "endpoints";
    for endpoint in order.into_iter().take(ENDPOINTS) {
        let name = clipped(&route(&endpoint.method, &endpoint.name), 120);
        table.row(row(name, &endpoint.line));
    }
    table
}

/// One line for each changed figure.
fn changes(test: &TestComparison) -> Vec<String> {
    let is_change =
        |line: &FigureComparison| matches!(line.change, Change::Regression | Change::Improvement);
    let say = |name: String, line: &FigureComparison| {
        let amount =
            |value: Option<f64>| value.map_or_else(|| DASH.to_owned(), |v| with_unit(v, line.unit));
        format!(
            "**{}** {}: {} → {} ({})",
            word(line.change),
            escape(&name),
            amount(line.baseline),
            amount(line.candidate),
            or_dash(line.relative, change)
        )
    };
    let lines = test.lines.iter().filter(|line| is_change(line));
    let mut all: Vec<String> = lines
        .map(|line| say(format!("{} {}", test.title, line.figure), line))
        .collect();
    let endpoints = test
        .endpoints
        .iter()
        .filter(|endpoint| is_change(&endpoint.line));
    all.extend(endpoints.map(|endpoint| {
        say(
            format!(
                "{} {}, mean",
                test.title,
                route(&endpoint.method, &endpoint.name)
            ),
            &endpoint.line,
        )
    }));
    all
}

fn method(compared: &Compared) -> String {
    let mut text = rules(compared);
    let definition = percentile_definition(&compared.percentile_method);
    let _ = write!(
        text,
        "\nPercentiles of each second: {}. A window is the median of its seconds.\n",
        escape(&definition)
    );
    if let Some(score) = compared.canary_score() {
        let _ = write!(
            text,
            "\nCanary score: {score:.0} of 100, the share of figures that pass Kayenta's judge (the 98 % interval of the \
             shift lies beyond a quarter of its size), the tests with equal weights. The verdict does not depend on it.\n"
        );
    }
    text
}

fn rules(compared: &Compared) -> String {
    format!(
        "A figure is a regression when it is worse by {:.0} % or more (or its interval says that it may be, where that \
         much would have been detected) and the test finds it at p ≤ {:.2}, adjusted for \
         the number of tests (Benjamini-Hochberg); an error rate when it rose by a percentage point. Whole tests: \
         Mann-Whitney over windows of the judged phases, shift by Hodges and Lehmann. Endpoints: Welch's test of the \
         mean over all requests. \"Effect\" has in brackets the probability that a value of the candidate is above one of the \
         baseline (common-language effect size): 0.50 is no difference, 0 and 1 are the largest. \"Detectable\" is the smallest change that this pair shows with a probability \
         of 0.8; where it is above {:.0} %, \"no regression\" cannot be said.\n",
        100.0 * compared.options.tolerance,
        1.0 - compared.options.confidence,
        100.0 * compared.options.tolerance
    )
}
