//! A measured value with its interval and its bound.

/// A small drawing: the interval as a bar, the value as a dot, the bound as a line. Empty if there is
/// nothing to compare. It is decorative: the same figures are shown as text beside it.
pub fn range(measured: f64, interval: Option<[f64; 2]>, bound: f64) -> String {
    let [low, high] = interval.unwrap_or([measured, measured]);
    if ![measured, low, high, bound]
        .iter()
        .all(|value| value.is_finite())
    {
        return String::new();
    }
    let (least, most) = (low.min(measured).min(bound), high.max(measured).max(bound));
    if most <= least {
        return String::new();
    }
    let margin = 0.15 * (most - least);
    let place = |value: f64| 100.0 * (value - least + margin) / (most - least + 2.0 * margin);
    let (from, to, dot, line) = (place(low), place(high), place(measured), place(bound));
    format!(
        "<svg class=\"range\" viewBox=\"0 0 100 16\" aria-hidden=\"true\"><path class=\"base\" d=\"M0 8H100\"/>\
         <path class=\"span\" d=\"M{from:.1} 8H{to:.1}\"/><path class=\"bound\" d=\"M{line:.1} 1V15\"/>\
         <circle cx=\"{dot:.1}\" cy=\"8\" r=\"3\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_lies_right_of_what_is_below_it() {
        let svg = range(80.0, Some([70.0, 90.0]), 100.0);
        assert!(svg.contains("M88.5 1V15"), "{svg}");
        assert_eq!(range(5.0, None, 5.0), "");
        assert_eq!(range(5.0, Some([f64::NEG_INFINITY, 6.0]), 7.0), "");
    }
}
