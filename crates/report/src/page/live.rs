//! The page of a run in progress: the content of the report, in parts that are replaced as they change.
//!
//! Without scripting the page reloads itself; `live.js` receives the parts from a stream instead.

use std::fmt::Write as _;

use super::test::key_figures;
use super::{head_with, tail_alone};
use crate::content::{Limits, judged, measured, over_time, overview, spectrum};
use crate::escape::{clipped, escape};
use crate::number::seconds;
use crate::record::{RunRecord, TestRecord};
use crate::table::Table;

/// The script that receives the parts of a page from the stream.
pub const SCRIPT: &str = include_str!("live.js");

/// The displayed part of a run in progress.
const LIMITS: Limits = Limits {
    tests: 1,
    overview: 60,
    points: 240,
    figures: 12,
    endpoints: 50,
    entries: 40,
    text: 160,
};

/// Data that is only available during the run.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Such as `running`.
    pub state: String,
    pub is_over: bool,
    /// Whether the last test of the record is in progress.
    pub has_test: bool,
    /// Notes, such as the number of disconnected readers.
    pub notes: Vec<String>,
    /// Interval of changes.
    pub period_s: f64,
    /// The form by which the run is controlled.
    pub controls: Option<Controls>,
    /// Links of the page: name and address.
    pub links: Vec<(&'static str, &'static str)>,
}

/// The manual controls of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Controls {
    /// Whether the run waits for its start.
    pub can_start: bool,
    /// Whether its users can be set.
    pub can_set_users: bool,
    pub can_stop: bool,
    pub users: u64,
    pub spawn_rate: f64,
}

/// The whole page.
pub fn page(run: &RunRecord, live: &Live) -> String {
    let period = live.period_s.ceil().max(1.0);
    // A script receives the parts instead.
    let extra = if live.is_over {
        String::new()
    } else {
        format!(
            "<noscript><meta http-equiv=\"refresh\" content=\"{period:.0}\"></noscript>\n\
             <script src=\"live.js\" defer></script>\n"
        )
    };
    let mut html = head_with(&format!("{} · live", run.suite), &extra);
    let _ = writeln!(
        html,
        "<header><p class=\"over\">Load test · live</p><h1>{}</h1>",
        escape(&clipped(&run.suite, LIMITS.text))
    );
    status(run, live, &mut html);
    html.push_str("<p id=\"live-link\" class=\"note\" role=\"status\"></p>\n");
    if let Some(controls) = live.controls.filter(|_| !live.is_over) {
        form(controls, &mut html);
    }
    html.push_str("</header>\n");
    links(&live.links, &mut html);
    html.push_str("<main id=\"main\">\n");
    measured_parts(run, live, &mut html);
    html.push_str("</main>\n");
    tail_alone(&mut html);
    html
}

/// The changing parts of the page: elements with ids, each of which replaces its previous version.
pub fn parts(run: &RunRecord, live: &Live) -> String {
    let mut html = String::new();
    status(run, live, &mut html);
    measured_parts(run, live, &mut html);
    html
}

fn begin(html: &mut String, id: &str) {
    let _ = write!(html, "<div data-part id=\"live-{id}\">");
}

fn status(run: &RunRecord, live: &Live, html: &mut String) {
    begin(html, "status");
    let is_well = |outcome| matches!(outcome, crate::Outcome::Passed | crate::Outcome::Running);
    let crossed = !is_well(run.outcome) || run.tests.iter().any(|test| !test.reasons.is_empty());
    let mark = match (live.is_over, crossed) {
        (_, true) => "bad",
        (true, false) => "good",
        (false, false) => "",
    };
    let _ = write!(
        html,
        "<div class=\"verdict {mark}\"><p class=\"word\">{}</p>",
        escape(&live.state)
    );
    let reasons: Vec<&String> = run.tests.iter().flat_map(|test| &test.reasons).collect();
    if !reasons.is_empty() {
        html.push_str("<ul>");
        for reason in reasons.iter().take(8) {
            let _ = write!(html, "<li>{}</li>", escape(&clipped(reason, LIMITS.text)));
        }
        html.push_str("</ul>");
    }
    html.push_str("<ul class=\"facts\">");
    if !run.target.name.is_empty() {
        let target = clipped(&run.target.name, LIMITS.text);
        let _ = write!(html, "<li>target <b>{}</b></li>", escape(&target));
    }
    let _ = write!(
        html,
        "<li>time <b>{}</b></li>",
        escape(&seconds(run.duration_s))
    );
    html.push_str("</ul></div>\n");
    for note in &live.notes {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    html.push_str("</div>\n");
}

fn measured_parts(run: &RunRecord, live: &Live, html: &mut String) {
    begin(html, "tests");
    let shown = run.tests.len() - usize::from(live.has_test);
    if shown > 0 && run.tests.len() > 1 {
        let table = overview::tests(run, &LIMITS);
        let _ = write!(
            html,
            "<section aria-label=\"Tests\"><h2>Tests</h2>\n{}</section>",
            table.to_html()
        );
    }
    html.push_str("</div>\n");
    match run.tests.last() {
        Some(test) => test_parts(test, live, html),
        None => {
            for id in PARTS {
                begin(html, id);
                html.push_str("</div>\n");
            }
        }
    }
}

/// The parts of a test; a page contains all of them from its start, so that each can be replaced.
const PARTS: [&str; 6] = ["title", "keys", "asked", "charts", "endpoints", "checks"];

fn test_parts(test: &TestRecord, live: &Live, html: &mut String) {
    let [title, keys, asked, charts, endpoints, checks] = PARTS;
    begin(html, title);
    let (word, mark) = overview::outcome(test.outcome);
    let (word, mark) = match live.has_test && mark == "good" {
        true => ("running", "info"),
        false => (word, mark),
    };
    let _ = writeln!(
        html,
        "<div class=\"head\"><h2>{}</h2> <span class=\"badge {mark}\">{word}</span></div></div>",
        escape(&clipped(&test.title(), LIMITS.text))
    );
    begin(html, keys);
    key_figures(test, html);
    html.push_str("</div>\n");
    tables(
        asked,
        "Requirements",
        &[judged::judgements(test, &LIMITS)],
        html,
    );
    begin(html, charts);
    let mut drawn = over_time::charts(test, "live", &LIMITS);
    drawn.extend(spectrum::chart(test, "live-spectrum", &LIMITS));
    if !drawn.is_empty() {
        html.push_str("<h3>Over time, and by percentile</h3>\n<div class=\"charts\">\n");
        for chart in drawn {
            html.push_str(&chart.to_html());
        }
        html.push_str("</div>");
    }
    html.push_str("</div>\n");
    tables(
        endpoints,
        "Endpoints",
        &[
            measured::endpoints(test, &LIMITS),
            measured::errors(test, &LIMITS),
        ],
        html,
    );
    let of_scripts = [
        measured::checks(test, &LIMITS),
        measured::exceptions(test, &LIMITS),
    ];
    tables(checks, "Checks", &of_scripts, html);
}

fn tables(id: &str, title: &str, tables: &[Table], html: &mut String) {
    begin(html, id);
    if tables.iter().any(|table| !table.is_empty()) {
        let _ = writeln!(html, "<h3>{title}</h3>");
    }
    for table in tables.iter().filter(|table| !table.is_empty()) {
        html.push_str(&table.to_html());
    }
    html.push_str("</div>\n");
}

fn form(controls: Controls, html: &mut String) {
    if controls.can_start || controls.can_set_users {
        html.push_str("<form class=\"controls\" method=\"post\" action=\"swarm\">");
        // A run that waits begins as planned.
        if controls.can_set_users && !controls.can_start {
            let _ = write!(
                html,
                "<label>Users <input name=\"user_count\" type=\"number\" min=\"0\" required value=\"{}\"></label> \
                 <label>Spawn rate <input name=\"spawn_rate\" type=\"number\" min=\"0.01\" step=\"any\" required \
                 value=\"{}\"></label> ",
                controls.users, controls.spawn_rate
            );
        }
        let word = if controls.can_start {
            "Start"
        } else {
            "Set users"
        };
        let _ = writeln!(html, "<button>{word}</button></form>");
    }
    if controls.can_stop {
        html.push_str(
            "<form class=\"controls\" method=\"post\" action=\"stop\"><button>Stop the run</button></form>\n",
        );
    }
}

fn links(links: &[(&str, &str)], html: &mut String) {
    if links.is_empty() {
        return;
    }
    html.push_str("<nav aria-label=\"Data\"><ul>");
    for (name, address) in links {
        let _ = write!(html, "<li><a href=\"{address}\">{name}</a></li>");
    }
    html.push_str("</ul></nav>\n");
}
