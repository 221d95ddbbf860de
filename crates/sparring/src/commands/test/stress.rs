//! `K6_STRESS_...`: start, peak and length of the orchestrator's stress test.

use suite::file::{Phase, Span, SuiteFile};

const STRESS: &str = "stress";

/// Scales the phases of the stress test: levels by the requested peak, times by the duration. The start replaces the
/// first level.
///
/// # Errors
/// A variable is invalid.
pub fn apply(
    file: &mut SuiteFile,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<(), String> {
    let phases = file
        .tests
        .get_mut(STRESS)
        .and_then(|test| test.phases.as_mut());
    let Some(phases) = phases else {
        return Ok(());
    };
    let set = |name: &str| variable(name).filter(|text| !text.is_empty());
    if let Some(text) = set("K6_STRESS_DURATION") {
        let asked: Span = text
            .parse()
            .map_err(|error| format!("K6_STRESS_DURATION: {error}"))?;
        let whole: f64 = phases
            .iter_mut()
            .filter_map(length)
            .map(|span| span.get().as_secs_f64())
            .sum();
        let factor = asked.get().as_secs_f64() / whole.max(f64::MIN_POSITIVE);
        for span in phases.iter_mut().filter_map(length) {
            *span = span.get().mul_f64(factor).into();
        }
    }
    if let Some(peak) = set("K6_STRESS_PEAK_VUS") {
        let peak = users("K6_STRESS_PEAK_VUS", &peak)?;
        let highest = phases.iter().filter_map(level).fold(1.0, f64::max);
        for phase in phases.iter_mut() {
            if let Phase::Ramp(ramp) = phase {
                ramp.to = (ramp.to * peak / highest).round().max(1.0);
            }
        }
    }
    if let Some(start) = set("K6_STRESS_START_VUS") {
        let start = users("K6_STRESS_START_VUS", &start)?;
        if let Some(Phase::Ramp(ramp)) = phases.first_mut() {
            ramp.to = start;
        }
    }
    Ok(())
}

fn length(phase: &mut Phase) -> Option<&mut Span> {
    match phase {
        Phase::Ramp(ramp) => ramp.lasts.as_mut(),
        Phase::Steady(it) | Phase::WarmUp(it) => Some(&mut it.lasts),
        Phase::RampDown(it) | Phase::Rest(it) => Some(&mut it.lasts),
    }
}

fn level(phase: &Phase) -> Option<f64> {
    match phase {
        Phase::Ramp(ramp) => Some(ramp.to),
        _ => None,
    }
}

fn users(name: &str, text: &str) -> Result<f64, String> {
    let number: Option<u32> = text.trim().parse().ok();
    let number = number.filter(|number| *number > 0).map(f64::from);
    number.ok_or_else(|| format!("{name} is `{text}`; a whole number above 0 is expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stress(variables: &[(&str, &str)]) -> Result<Vec<(f64, f64)>, String> {
        let mut file = suite::builtin::built_in("orchestrator")
            .expect("built in")
            .expect("sound");
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        apply(&mut file, &variable)?;
        let selection = suite::plan::Selection {
            tests: vec![STRESS.to_owned()],
            ..suite::plan::Selection::default()
        };
        let plan = suite::plan::plan(&file, &selection, &|_| None).expect("a plan");
        Ok(plan.tests[0]
            .phases
            .iter()
            .map(|phase| (phase.end_s, phase.level()))
            .collect())
    }

    #[test]
    fn variables_scale_levels_and_times() {
        let usual = stress(&[]).expect("none is wrong");
        assert_eq!(usual.last(), Some(&(600.0, 0.0)));
        let changed = stress(&[
            ("K6_STRESS_PEAK_VUS", "20"),
            ("K6_STRESS_DURATION", "60s"),
            ("K6_STRESS_START_VUS", "3"),
        ]);
        let changed = changed.expect("none is wrong");
        assert_eq!(
            changed,
            [
                (0.0, 3.0),
                (18.0, 10.0),
                (36.0, 20.0),
                (54.0, 20.0),
                (60.0, 0.0)
            ]
        );
        assert!(stress(&[("K6_STRESS_PEAK_VUS", "many")]).is_err());
        assert!(stress(&[("K6_STRESS_DURATION", "5")]).is_err());
    }
}
