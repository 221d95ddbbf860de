//! The blast radius of a fault with a concurrent control group: those that got worse by more than chance explains, and by
//! more than the others did at the same time.

use crate::fault::{Exposure, Hit, Meanwhile, beyond_control, blast_radius};
use crate::input::{self, InputError};
use crate::proportion::Count;

/// An endpoint, a tenant or a detector that the fault affected.
#[derive(Debug, Clone, PartialEq)]
pub struct Affected {
    /// Bad requests before the fault, and during it.
    pub before: Count,
    pub during: Count,
    /// Compared with itself before the fault.
    pub hit: Hit,
    /// Compared with the control group; `None` without one.
    pub beyond: Option<Hit>,
}

/// The others at the time of the fault, all together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ControlGroup {
    pub members: usize,
    pub shares: Meanwhile,
}

/// Whom a fault affected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BlastRadius {
    pub affected: Vec<Affected>,
    /// Those that got worse, but by no more than the control group did.
    pub spared: Vec<String>,
    /// `None` where all got worse.
    pub control: Option<ControlGroup>,
    /// How many could be judged.
    pub watched: usize,
}

impl BlastRadius {
    /// Whom the fault affected: during it more than `1 - good_share` of the requests were bad, more than before at the
    /// level `alpha` over all, and by more than those rose that did not get worse, at the same level. Without any that did
    /// not get worse there is no control group, and the time before alone decides.
    ///
    /// # Errors
    /// `Empty` without requests before or during the fault; `OutOfRange` for more bad than all requests, or a share or a
    /// level outside of 0 to 1.
    pub fn of(exposures: &[Exposure<'_>], good_share: f64, alpha: f64) -> Result<Self, InputError> {
        input::holds(
            "the good share",
            good_share,
            (0.0..=1.0).contains(&good_share),
            "within 0 to 1",
        )?;
        let hits = blast_radius(exposures, alpha)?;
        let (worse, others): (Vec<_>, Vec<_>) = hits
            .into_iter()
            .zip(exposures)
            .partition(|(hit, it)| hit.is_hit && it.exposed.share() > 1.0 - good_share);
        let others: Vec<&Exposure<'_>> = others.into_iter().map(|(_, it)| it).collect();
        let control = ControlGroup::of(&others);
        let suspects: Vec<Exposure<'_>> = worse.iter().map(|(_, it)| **it).collect();
        let beyond: Vec<Option<Hit>> = match &control {
            Some(control) => {
                let hits = beyond_control(&suspects, &control.shares, alpha)?;
                hits.into_iter().map(Some).collect()
            }
            None => vec![None; suspects.len()],
        };
        let mut radius = Self {
            control,
            watched: exposures.len(),
            ..Self::default()
        };
        for ((hit, it), beyond) in worse.into_iter().zip(beyond) {
            if beyond.as_ref().is_some_and(|beyond| !beyond.is_hit) {
                radius.spared.push(hit.name);
                continue;
            }
            radius.affected.push(Affected {
                before: it.control,
                during: it.exposed,
                hit,
                beyond,
            });
        }
        Ok(radius)
    }

    /// The affected share; `None` if none could be judged.
    pub fn share(&self) -> Option<f64> {
        (self.watched > 0).then(|| self.affected.len() as f64 / self.watched as f64)
    }

    /// The bad requests of the affected that neither their own share before nor the rise of the control group explains;
    /// `None` without a control group.
    pub fn requests_beyond_control(&self) -> Option<f64> {
        let shares = self.control?.shares;
        let rise = shares.during.share() - shares.before.share();
        let excess = |it: &Affected| {
            let expected = (it.before.share() + rise) * it.during.trials as f64;
            (it.during.hits as f64 - expected).max(0.0)
        };
        // The sum of no values would be -0.0.
        let affected = self.affected.iter();
        Some(affected.fold(0.0, |sum, it| sum + excess(it)))
    }
}

impl ControlGroup {
    fn of(others: &[&Exposure<'_>]) -> Option<Self> {
        let sum = |of: fn(&Exposure<'_>) -> Count| {
            let counts = others.iter().map(|it| of(it));
            counts.fold(Count::new(0, 0), |sum, it| {
                Count::new(sum.hits + it.hits, sum.trials + it.trials)
            })
        };
        (!others.is_empty()).then(|| Self {
            members: others.len(),
            shares: Meanwhile {
                before: sum(|it| it.control),
                during: sum(|it| it.exposed),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exposures of 500 requests before and during the fault, with these bad ones of a hundred.
    fn radius(bad: &[(&str, u64, u64)]) -> BlastRadius {
        let exposures: Vec<Exposure<'_>> = bad
            .iter()
            .map(|(name, before, during)| Exposure {
                name,
                exposed: Count::new(during * 5, 500),
                control: Count::new(before * 5, 500),
            })
            .collect();
        BlastRadius::of(&exposures, 0.9, 0.05).expect("valid counts")
    }

    fn affected(radius: &BlastRadius) -> Vec<&str> {
        let affected = radius.affected.iter();
        affected.map(|it| it.hit.name.as_str()).collect()
    }

    #[test]
    fn the_others_at_the_same_time_are_the_control_group() {
        let found = radius(&[("faulty", 1, 60), ("b", 1, 1), ("c", 1, 2)]);
        assert_eq!(affected(&found), ["faulty"]);
        assert_eq!(found.control.map(|it| it.members), Some(2));
        assert_eq!(found.share(), Some(1.0 / 3.0));
        // 300 of 500, less 1 % and the rise of the others by half a percent.
        let beyond = found.requests_beyond_control().expect("a control group");
        assert!((beyond - 292.5).abs() < 1e-9, "{beyond}");
    }

    #[test]
    fn a_rise_that_the_control_group_has_too_is_not_the_faults() {
        let found = radius(&[("faulty", 1, 60), ("busy", 1, 11), ("c", 1, 9)]);
        assert_eq!(affected(&found), ["faulty"]);
        assert_eq!(found.spared, ["busy"]);
    }

    #[test]
    fn where_all_got_worse_there_is_no_control_group() {
        let found = radius(&[("a", 0, 60), ("b", 0, 60)]);
        assert_eq!((found.share(), found.control), (Some(1.0), None));
        assert_eq!(found.requests_beyond_control(), None);
        assert_eq!(BlastRadius::of(&[], 0.9, 0.05), Ok(BlastRadius::default()));
        assert_eq!(BlastRadius::default().share(), None);
    }
}
