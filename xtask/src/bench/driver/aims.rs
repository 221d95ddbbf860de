//! The aims of the driver, as ratios to k6 in the same run, and of starts at a fixed rate.

use super::super::section::Section;
use super::Figures;
use super::works::{Pace, Work};

/// k6's figure divided by the driver's, for the CPU of an iteration.
fn cheaper(ours: &Figures, theirs: &Figures) -> f64 {
    theirs.cpu_us / ours.cpu_us
}

/// Judges the figures of a workload by its aims.
pub(super) fn judge(section: &mut Section, work: &Work, ours: &Figures, theirs: &Figures) {
    let smaller = theirs.rss_mb / ours.rss_mb;
    let mut least = |what: &str, least: f64, found: f64| {
        let limit = format!("at most 1/{least:.1} of k6's");
        let name = format!("{}: {what}", work.letter);
        section.aim(&name, &format!("1/{found:.2}"), &limit, found >= least);
    };
    match work.letter {
        "A" | "A1000" => least("CPU of an iteration", 3.5, cheaper(ours, theirs)),
        "B" => least("CPU of an iteration", 4.0, cheaper(ours, theirs)),
        "J" => least("CPU of an iteration", 5.0, cheaper(ours, theirs)),
        "M1000" => least("memory", 8.0, smaller),
        "D1000" => least("memory with 200 KB of data", 10.0, smaller),
        "M10000" => {
            least("memory", 8.0, smaller);
            let found = format!("{:.2} s", ours.ready_s);
            let what = "M10000: 10 000 virtual users are ready";
            section.aim(what, &found, "in at most 0.5 s", ours.ready_s <= 0.5);
        }
        _ => {}
    }
    if let Pace::Rate(rate) = work.pace {
        at_a_rate(section, rate, ours, theirs);
    }
}

fn at_a_rate(section: &mut Section, rate: u32, ours: &Figures, theirs: &Figures) {
    let ratio = cheaper(ours, theirs);
    section.aim(
        &format!("{rate}/s: CPU of an iteration"),
        &format!("1/{ratio:.2}"),
        "at most 1/3.0 of k6's",
        ratio >= 3.0,
    );
    let more_ms = (ours.p99_ms - ours.server_p99_ms).abs();
    section.aim(
        &format!("{rate}/s: reported p99 less the server's own"),
        &format!("{more_ms:.2} ms"),
        "within 1 ms",
        more_ms <= 1.0,
    );
    section.aim(
        &format!("{rate}/s: dropped iterations"),
        &format!("{:.0}", ours.dropped),
        "none",
        ours.dropped == 0.0,
    );
    if rate == 2_000 {
        let (p99, most) = ours.late_ms;
        section.aim(
            "2000/s: lateness of starts, p99 and maximum",
            &format!("{p99:.2} and {most:.1} ms"),
            "at most 0.3 and 2 ms",
            p99 <= 0.3 && most <= 2.0,
        );
    }
}
