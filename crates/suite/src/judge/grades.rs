//! Graded tables: ACSO-32..34, ACIS-08..12, DET-14, A360-12, AIA-10.
//!
//! A figure that should be low reaches a grade strictly below the grade's bound, and is poor above the
//! bound of poor; one that should be high reaches a grade from its bound on, and is poor below the bound of
//! poor. Values between the last good grade and poor are "below acceptable" (T-9).

use analysis::threshold::{Limit, Side};
use report::record::TestContent;

use super::Case;
use super::decide::limit;
use super::expression::Bound;
use super::figure::Figure;
use super::verdict::{Question, Sheet, number};
use super::window::{self, Window};
use crate::file::{Grade, GradeBounds, GradeName, SuiteFile};

const RULE: &str = "the graded table of the suite file; three-valued by the 95 % interval (N-01)";

pub(super) fn judge(case: &Case<'_>, sheet: &mut Sheet) {
    let Some(asked) = case.test.judge.grades else {
        return;
    };
    // The grades of a search decide whether a level passes; the search itself has to find a capacity.
    if case.test.content == TestContent::Search {
        return;
    }
    for window in window::judged(case.test, case.record) {
        for (grade, bounds) in &case.file.grades {
            judge_figure(sheet, &window, *grade, bounds, asked);
        }
    }
}

fn judge_figure(
    sheet: &mut Sheet,
    window: &Window<'_>,
    grade: Grade,
    bounds: &GradeBounds,
    asked: GradeName,
) {
    let figure = Figure::from(grade);
    let Some(bound) = required(grade, bounds, asked) else {
        return;
    };
    let name = grade.name();
    let text = format!(
        "{name} {} {}{} {}",
        bound.operator(),
        number(bound.value()),
        shown(figure.unit()),
        window.place()
    );
    let reached = figure.value(window).map(|value| of(grade, bounds, value));
    let question = Question {
        kind: "grade",
        name,
        phase: window.phase,
        unit: figure.unit(),
        rule: RULE,
    };
    let judgement = sheet.answer(question, &text, bound, figure.decide(window, bound));
    judgement.grade = reached;
}

/// The suffix with the unit of a number; ratios have none.
pub(super) fn shown(unit: &str) -> String {
    match unit {
        "ratio" | "" => String::new(),
        unit => format!(" {unit}"),
    }
}

/// The bound of the required grade; if the table lacks it, that of the next better one, otherwise that of
/// the next worse one.
pub(super) fn required(grade: Grade, bounds: &GradeBounds, asked: GradeName) -> Option<Bound> {
    let good = |value: Option<f64>| value.map(|value| Bound::Limit(limit(grade.rises(), value)));
    let poor = || {
        let side = if grade.rises() {
            Side::AtLeast
        } else {
            Side::AtMost
        };
        bounds.poor.map(|value| Bound::Limit(Limit { side, value }))
    };
    let (excellent, target, acceptable) = (
        good(bounds.excellent),
        good(bounds.target),
        good(bounds.acceptable),
    );
    match asked {
        GradeName::Excellent => excellent.or(target).or(acceptable),
        GradeName::Target => target.or(excellent).or(acceptable),
        GradeName::Acceptable => acceptable.or(target).or(excellent),
        GradeName::Poor => poor().or(acceptable).or(target).or(excellent),
    }
}

/// The grade of a value.
pub(super) fn of(grade: Grade, bounds: &GradeBounds, value: f64) -> String {
    let reaches = |bound: f64| limit(grade.rises(), bound).is_kept_by(value);
    let named = [
        ("excellent", bounds.excellent),
        ("target", bounds.target),
        ("acceptable", bounds.acceptable),
    ];
    for (name, bound) in named {
        if bound.is_some_and(reaches) {
            return name.to_owned();
        }
    }
    if is_poor(grade, bounds, value) {
        return "poor".to_owned();
    }
    let last = named.iter().rev().find(|(_, bound)| bound.is_some());
    last.map_or_else(
        || "ungraded".to_owned(),
        |(name, _)| format!("below {name}"),
    )
}

/// Whether a value is beyond the bound of poor.
pub(super) fn is_poor(grade: Grade, bounds: &GradeBounds, value: f64) -> bool {
    bounds.poor.is_some_and(|bound| {
        if grade.rises() {
            value < bound
        } else {
            value > bound
        }
    })
}

/// The figures of a window that are below acceptable, or below the only grade that they have. Throughput is
/// excluded, because few users cannot produce much.
pub(super) fn broken(file: &SuiteFile, window: &Window<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (grade, bounds) in &file.grades {
        let figure = Figure::from(*grade);
        let (Some(bound), Some(value)) = (
            required(*grade, bounds, GradeName::Acceptable),
            figure.value(window),
        ) else {
            continue;
        };
        if !figure.is_throughput() && !bound.is_kept_by(value) {
            let (name, unit) = (grade.name(), shown(figure.unit()));
            broken.push(format!("{name} is {}{unit}", number(value)));
        }
    }
    broken
}

impl Grade {
    /// The name in suite files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AvgMs => "avg_ms",
            Self::P50Ms => "p50_ms",
            Self::P95Ms => "p95_ms",
            Self::P99Ms => "p99_ms",
            Self::ErrorRate => "error_rate",
            Self::SuccessRate => "success_rate",
            Self::Rps => "rps",
            Self::OpsPerS => "ops_per_s",
            Self::CpuRatio => "cpu_ratio",
            Self::MemoryRatio => "memory_ratio",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::built_in;

    /// Every named bound of the five suites, the value itself and both sides of it.
    fn check(suite: &str, grade: Grade, table: &[(f64, &str)]) {
        let file = built_in(suite)
            .expect("a built-in suite")
            .unwrap_or_else(|error| panic!("{error}"));
        let bounds = file.grades[&grade];
        for (value, expected) in table {
            assert_eq!(
                of(grade, &bounds, *value),
                *expected,
                "{suite} {grade:?} {value}"
            );
        }
    }

    #[test]
    fn acis_08_averages_have_their_grades() {
        check(
            "acis",
            Grade::AvgMs,
            &[
                (499.999, "target"),
                (500.0, "acceptable"),
                (500.001, "acceptable"),
                (999.999, "acceptable"),
                (1000.0, "below acceptable"),
                (1000.001, "below acceptable"),
                (1999.999, "below acceptable"),
                (2000.0, "below acceptable"),
                (2000.001, "poor"),
            ],
        );
    }

    #[test]
    fn acis_09_and_10_percentiles_have_their_grades() {
        check(
            "acis",
            Grade::P95Ms,
            &[
                (999.9, "target"),
                (1000.0, "acceptable"),
                (1000.1, "acceptable"),
                (1999.9, "acceptable"),
                (2000.0, "below acceptable"),
                (2000.1, "below acceptable"),
                (4999.9, "below acceptable"),
                (5000.0, "below acceptable"),
                (5000.1, "poor"),
            ],
        );
        check(
            "acis",
            Grade::P99Ms,
            &[
                (1999.9, "target"),
                (2000.0, "acceptable"),
                (2000.1, "acceptable"),
                (4999.9, "acceptable"),
                (5000.0, "below acceptable"),
                (5000.1, "below acceptable"),
                (9999.9, "below acceptable"),
                (10_000.0, "below acceptable"),
                (10_000.1, "poor"),
            ],
        );
    }

    #[test]
    fn acis_11_and_12_errors_and_rates_have_their_grades() {
        check(
            "acis",
            Grade::ErrorRate,
            &[
                (0.0, "target"),
                (0.000_999, "target"),
                (0.001, "acceptable"),
                (0.001_001, "acceptable"),
                (0.009_999, "acceptable"),
                (0.01, "below acceptable"),
                (0.010_001, "below acceptable"),
                (0.049_999, "below acceptable"),
                (0.05, "below acceptable"),
                (0.050_001, "poor"),
            ],
        );
        check(
            "acis",
            Grade::Rps,
            &[
                (100.1, "target"),
                (100.0, "target"),
                (99.9, "acceptable"),
                (50.1, "acceptable"),
                (50.0, "acceptable"),
                (49.9, "below acceptable"),
                (20.1, "below acceptable"),
                (20.0, "below acceptable"),
                (19.9, "poor"),
            ],
        );
    }

    #[test]
    fn acso_32_throughputs_have_their_grades() {
        check(
            "acso",
            Grade::OpsPerS,
            &[
                (100.1, "excellent"),
                (100.0, "excellent"),
                (99.9, "target"),
                (50.1, "target"),
                (50.0, "target"),
                (49.9, "acceptable"),
                (10.1, "acceptable"),
                (10.0, "acceptable"),
                (9.9, "below acceptable"),
                (0.0, "below acceptable"),
            ],
        );
    }

    #[test]
    fn acso_33_responses_have_their_grades_and_the_gap_a_name() {
        check(
            "acso",
            Grade::AvgMs,
            &[
                (999.9, "excellent"),
                (1000.0, "target"),
                (1000.1, "target"),
                (2999.9, "target"),
                (3000.0, "acceptable"),
                (3000.1, "acceptable"),
                (4999.9, "acceptable"),
                (5000.0, "below acceptable"),
                (5000.1, "below acceptable"),
                (9999.9, "below acceptable"),
                (10_000.0, "below acceptable"),
                (10_000.1, "poor"),
            ],
        );
    }

    #[test]
    fn acso_34_success_has_its_grades() {
        check(
            "acso",
            Grade::SuccessRate,
            &[
                (1.0, "excellent"),
                (0.991, "excellent"),
                (0.99, "excellent"),
                (0.9899, "target"),
                (0.951, "target"),
                (0.95, "target"),
                (0.9499, "acceptable"),
                (0.901, "acceptable"),
                (0.90, "acceptable"),
                (0.8999, "below acceptable"),
            ],
        );
    }

    #[test]
    fn det_14_a360_12_and_aia_10_have_their_targets() {
        check(
            "orchestrator",
            Grade::P95Ms,
            &[(1999.9, "target"), (2000.0, "below target")],
        );
        check(
            "orchestrator",
            Grade::SuccessRate,
            &[(0.95, "target"), (0.9499, "below target")],
        );
        check(
            "agent360",
            Grade::P95Ms,
            &[(1999.9, "target"), (2000.0, "below target")],
        );
        check(
            "agent360",
            Grade::ErrorRate,
            &[(0.0099, "target"), (0.01, "below target")],
        );
        check(
            "aiaas",
            Grade::P50Ms,
            &[(99.9, "target"), (100.0, "below target")],
        );
        check(
            "aiaas",
            Grade::P95Ms,
            &[(499.9, "target"), (500.0, "below target")],
        );
        check(
            "aiaas",
            Grade::P99Ms,
            &[(999.9, "target"), (1000.0, "below target")],
        );
        check(
            "aiaas",
            Grade::ErrorRate,
            &[
                (0.000_99, "target"),
                (0.001, "acceptable"),
                (0.0499, "acceptable"),
                (0.05, "below acceptable"),
            ],
        );
    }

    #[test]
    fn a_missing_grade_is_replaced_by_the_next_better_one() {
        let bounds = GradeBounds {
            excellent: None,
            target: Some(100.0),
            acceptable: None,
            poor: Some(900.0),
        };
        let value = |asked| required(Grade::P95Ms, &bounds, asked).map(Bound::value);
        assert_eq!(value(GradeName::Acceptable), Some(100.0));
        assert_eq!(value(GradeName::Excellent), Some(100.0));
        let poor = required(Grade::P95Ms, &bounds, GradeName::Poor).expect("a bound");
        assert!(poor.is_kept_by(900.0) && !poor.is_kept_by(900.1));
    }
}
