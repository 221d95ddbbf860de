//! The run as one HTML file, without network access or scripts.

pub mod live;
mod several;
mod test;

pub use several::{MOST, several};

use std::fmt::Write as _;

use crate::content::{Limits, judged, method, overview};
use crate::escape::{clipped, escape};
use crate::number::seconds;
use crate::record::RunRecord;

/// Maximum size of a page, in bytes.
pub const LARGEST: usize = 2_000_000;

const STYLE: &str = include_str!("style.css");

/// The run as a page. Content that would make it too large is folded into counts, which the page states.
pub fn page(run: &RunRecord) -> String {
    small_enough(run, &|html| tail(&run.run, html))
}

/// The same for a run without a record, from which no other report can be made later.
pub fn page_alone(run: &RunRecord) -> String {
    small_enough(run, &tail_alone)
}

fn small_enough(run: &RunRecord, tail: &dyn Fn(&mut String)) -> String {
    let mut html = String::new();
    for limits in Limits::LEVELS {
        html = render(run, &limits);
        tail(&mut html);
        if html.len() < LARGEST {
            break;
        }
    }
    html
}

/// Everything except the end.
fn render(run: &RunRecord, limits: &Limits) -> String {
    let title = format!("{} · {}", run.suite, run.outcome.word().to_lowercase());
    let mut html = head(&title);
    html.push_str("<header>\n");
    let _ = writeln!(
        html,
        "<p class=\"over\">Load test · {}</p><h1>{}</h1>",
        escape(&run.began_to_the_second()),
        escape(&run.suite)
    );
    verdict(run, limits, &mut html);
    html.push_str("</header>\n");
    let shown = shown(run, limits);
    contents(run, &shown, limits, &mut html);
    html.push_str("<main id=\"main\">\n");
    if run.tests.len() > 1 {
        let _ = write!(
            html,
            "<section id=\"tests\" aria-labelledby=\"tests-h\"><h2 id=\"tests-h\">All tests</h2>\n{}</section>\n",
            overview::tests(run, limits).to_html()
        );
        let hidden = run.tests.len() - shown.len();
        if hidden > 0 {
            let _ = writeln!(
                html,
                "<p class=\"note\">Details follow for {} tests, those that did not pass first; {hidden} more are \
                 only in the table above. report.json has all.</p>",
                shown.len()
            );
        }
    }
    for at in shown {
        test::section(&run.tests[at], at, limits, &mut html);
    }
    let _ = write!(
        html,
        "<section id=\"method\" aria-labelledby=\"method-h\"><h2 id=\"method-h\">How it was measured</h2>\n{}",
        method::table(run).to_html()
    );
    for note in method::NOTES {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    html.push_str("</section>\n</main>\n");
    html
}

/// Everything before the body's content.
fn head(title: &str) -> String {
    head_with(title, "")
}

/// The same; `extra` is finished HTML.
fn head_with(title: &str, extra: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{}</title>\n{extra}<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the results</a>\n",
        escape(title)
    )
}

fn tail(run: &str, html: &mut String) {
    let _ = write!(
        html,
        "<footer><p>Generated from <code>report.json</code> of {0}. <code>sparring verify {0}</code> recomputes its figures \
         again, <code>sparring explain {0} ID</code> says how a judgement came about.</p></footer>\n</body>\n</html>\n",
        escape(run)
    );
}

fn tail_alone(html: &mut String) {
    html.push_str("<footer></footer>\n</body>\n</html>\n");
}

/// The verdict and its reasons, on top.
fn verdict(run: &RunRecord, limits: &Limits, html: &mut String) {
    let (_, mark) = overview::outcome(run.outcome);
    let _ = writeln!(
        html,
        "<div class=\"verdict {mark}\"><p class=\"word\">{}</p><p>{}</p>",
        escape(run.outcome.word()),
        escape(&overview::sentence(run))
    );
    let reasons = overview::reasons(run, limits);
    let most = 8;
    if !reasons.is_empty() {
        html.push_str("<ul>");
        for reason in reasons.iter().take(most) {
            let _ = write!(html, "<li>{}</li>", escape(reason));
        }
        if reasons.len() > most {
            let _ = write!(
                html,
                "<li>{} more, with their tests below</li>",
                reasons.len() - most
            );
        }
        html.push_str("</ul>");
    }
    html.push_str("<ul class=\"facts\">");
    let target = if run.target.simulated {
        format!("{}, simulated", run.target.name)
    } else {
        run.target.name.clone()
    };
    let mut fact = |name: &str, value: &str| {
        let _ = write!(html, "<li>{name} <b>{}</b></li>", escape(value));
    };
    fact("target", &clipped(&target, 120));
    fact("length", &seconds(overview::span_s(run)));
    if run.time_scale != 1.0 {
        fact("time scale", &crate::number::figure(run.time_scale));
    }
    match overview::validity(run) {
        Some(conclusion) => fact("measurement", judged::conclusion(conclusion).0),
        None => fact("measurement", "not judged"),
    }
    html.push_str("</ul></div>\n");
}

/// The tests with details: those that did not pass, then the others, in the order of execution.
fn shown(run: &RunRecord, limits: &Limits) -> Vec<usize> {
    let mut order: Vec<usize> = (0..run.tests.len()).collect();
    order.sort_by_key(|at| run.tests[*at].outcome == crate::Outcome::Passed);
    order.truncate(limits.tests);
    order.sort_unstable();
    order
}

fn contents(run: &RunRecord, shown: &[usize], limits: &Limits, html: &mut String) {
    html.push_str("<nav aria-label=\"Contents\"><ul>");
    if run.tests.len() > 1 {
        html.push_str("<li><a href=\"#tests\">All tests</a></li>");
    }
    for at in shown {
        let title = clipped(&run.tests[*at].title(), limits.text.min(60));
        let _ = write!(html, "<li><a href=\"#t{at}\">{}</a></li>", escape(&title));
    }
    html.push_str("<li><a href=\"#method\">How it was measured</a></li></ul></nav>\n");
}
