//! Bounds as suite files write them: `>=1000`, `<0.05`, `success_rate<0.90`, `<=+10%`.

use analysis::threshold::{Limit, Side};

/// A bound without its figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bound {
    Limit(Limit),
    /// Exactly this value, as `count==0`.
    Equal(f64),
    NotEqual(f64),
}

impl Bound {
    pub fn is_kept_by(self, value: f64) -> bool {
        match self {
            Self::Limit(limit) => limit.is_kept_by(value),
            Self::Equal(bound) => value == bound,
            Self::NotEqual(bound) => value != bound,
        }
    }

    pub fn value(self) -> f64 {
        match self {
            Self::Limit(limit) => limit.value,
            Self::Equal(value) | Self::NotEqual(value) => value,
        }
    }

    pub fn operator(self) -> &'static str {
        match self {
            Self::Limit(limit) => match limit.side {
                Side::Below => "<",
                Side::AtMost => "<=",
                Side::Above => ">",
                Side::AtLeast => ">=",
            },
            Self::Equal(_) => "==",
            Self::NotEqual(_) => "!=",
        }
    }
}

/// Splits `figure operator value`, as in `p(95)<2000`; the figure may be empty.
pub(super) fn split(expression: &str) -> Option<(&str, Bound)> {
    let begin = expression.find(['<', '>', '=', '!'])?;
    let (figure, rest) = expression.split_at(begin);
    let end = rest
        .find(|c| !matches!(c, '<' | '>' | '=' | '!'))
        .unwrap_or(rest.len());
    let (operator, value) = rest.split_at(end);
    let value: f64 = value.trim().parse().ok().filter(|v: &f64| v.is_finite())?;
    Some((figure.trim(), bound(operator, value)?))
}

fn bound(operator: &str, value: f64) -> Option<Bound> {
    Some(match operator {
        "<" => Bound::Limit(Limit::below(value)),
        "<=" => Bound::Limit(Limit::at_most(value)),
        ">" => Bound::Limit(Limit::above(value)),
        ">=" => Bound::Limit(Limit::at_least(value)),
        "==" | "===" => Bound::Equal(value),
        "!=" => Bound::NotEqual(value),
        _ => return None,
    })
}

/// Keptn's relative bound (`<=+10%`, `>=-5%`) as an absolute one, given the earlier measurement. Source:
/// the SLO file format of Keptn.
pub(super) fn relative(expression: &str, before: f64) -> Option<Bound> {
    let text = expression.trim().strip_suffix('%')?;
    let begin = text.find(['+', '-'])?;
    let (operator, change) = text.split_at(begin);
    let change: f64 = change.trim().parse().ok().filter(|c: &f64| c.is_finite())?;
    bound(operator.trim(), before * (1.0 + change / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_operators_and_values_are_told_apart() {
        let kept = |text: &str, value: f64| split(text).map(|(_, bound)| bound.is_kept_by(value));
        for (text, value, expected) in [
            ("<2000", 1999.9, true),
            ("<2000", 2000.0, false),
            ("<=2000", 2000.0, true),
            (">0.95", 0.95, false),
            (">=0.95", 0.95, true),
            ("==0", 0.0, true),
            ("count==0", 1.0, false),
            ("rate != 0", 1.0, true),
        ] {
            assert_eq!(kept(text, value), Some(expected), "{text} {value}");
        }
        assert_eq!(split("p(95)<2000").map(|(figure, _)| figure), Some("p(95)"));
        for wrong in ["2000", "<", "<x", "<inf", "=>3", ""] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn relative_bounds_follow_the_value_before() {
        let bound = relative("<=+10%", 200.0).expect("a bound");
        assert!(bound.is_kept_by(220.0));
        assert!(!bound.is_kept_by(220.1));
        let bound = relative(">=-5%", 200.0).expect("a bound");
        assert!(bound.is_kept_by(190.0));
        assert!(!bound.is_kept_by(189.9));
        assert_eq!(relative("<=10", 200.0), None);
        assert_eq!(relative("<=10%", 200.0), None);
    }
}
