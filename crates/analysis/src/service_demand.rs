//! Attribution of throughput to the limiting resource, long before it is busy.
//!
//! The utilisation law says U = D · X: a request needs D seconds of a resource, so the resource is busy
//! for the share D · X of the time. The slope of utilisation over throughput is the demand, the
//! largest demand is the bottleneck, and 1 / D is the throughput that nothing can exceed (Denning
//! and Buzen, "The operational analysis of queueing network models", 1978).

use crate::input::{self, InputError, series};
use crate::interval::Interval;
use crate::least_squares;

/// The utilisation of one resource in each of several steady windows.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    pub name: &'a str,
    /// Busy share of the whole resource (all cores, the container's limit), 0..=1.
    pub utilisations: &'a [f64],
}

/// The demand on one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    pub resource: String,
    /// Share of the resource's capacity that one request per second uses: seconds per request.
    pub demand_s: f64,
    pub demand_interval: Interval,
    /// Busy share without any request; 0 unless the data show one.
    pub background: f64,
    /// (1 - background) / demand: the throughput at which this resource is full; `None` if the demand is
    /// not distinguishable from zero.
    pub saturation: Option<f64>,
    pub saturation_interval: Option<Interval>,
}

/// All resources, the bottleneck first.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    pub demands: Vec<Demand>,
    /// The largest throughput that was measured.
    pub largest_throughput: f64,
    /// Saturation throughput with the bottleneck's capacity doubled, relative to the current one: at most
    /// 2, less if another resource is next. `None` without a bottleneck.
    pub gain_if_doubled: Option<f64>,
}

impl Attribution {
    /// The resource that is full first; `None` when no resource's use grows with throughput.
    pub fn bottleneck(&self) -> Option<&Demand> {
        self.demands
            .first()
            .filter(|demand| demand.saturation.is_some())
    }
}

/// Attributes demand to resources from at least three windows of different throughput.
///
/// # Errors
/// `Empty` without resources, `NotPaired`, `NotFinite`, `TooFew` below three windows, `Constant` when
/// the throughputs are equal, `OutOfRange` for negative throughputs or utilisations outside 0..=1.05
/// (a sampled busy share may overshoot a little).
pub fn attribute(
    throughputs: &[f64],
    resources: &[Resource],
    confidence: f64,
) -> Result<Attribution, InputError> {
    if resources.is_empty() {
        return Err(InputError::Empty {
            what: "the resources",
        });
    }
    input::finite("the throughputs", throughputs, 3)?;
    for throughput in throughputs {
        input::not_negative("a throughput", *throughput)?;
    }
    let mut demands = resources
        .iter()
        .map(|resource| demand(throughputs, resource, confidence))
        .collect::<Result<Vec<_>, _>>()?;
    let full_at = |demand: &Demand| demand.saturation.unwrap_or(f64::INFINITY);
    demands.sort_by(|a, b| full_at(a).total_cmp(&full_at(b)));
    let gain_if_doubled = demands[0].saturation.map(|bound| {
        let next = demands.get(1).map_or(f64::INFINITY, full_at);
        (2.0 * bound).min(next) / bound
    });
    Ok(Attribution {
        demands,
        largest_throughput: throughputs.iter().copied().fold(0.0, f64::max),
        gain_if_doubled,
    })
}

fn demand(throughputs: &[f64], resource: &Resource, confidence: f64) -> Result<Demand, InputError> {
    input::paired(
        series("the throughputs", throughputs),
        series("the utilisations", resource.utilisations),
        3,
    )?;
    for utilisation in resource.utilisations {
        input::holds(
            "a utilisation",
            *utilisation,
            (0.0..=1.05).contains(utilisation),
            "a busy share within 0 to 1",
        )?;
    }
    let with_background = least_squares::line(throughputs, resource.utilisations, confidence)?;
    // An insignificant background would only make the demand less precise.
    let (slope, interval, background) = if with_background.intercept_interval.lower > 0.0 {
        let line = with_background;
        (line.slope, line.slope_interval, line.intercept)
    } else {
        let (slope, interval) =
            least_squares::proportional(throughputs, resource.utilisations, confidence)?;
        (slope, interval, 0.0)
    };
    let grows = interval.lower > 0.0;
    let room = 1.0 - background;
    Ok(Demand {
        resource: resource.name.to_owned(),
        demand_s: slope,
        demand_interval: interval,
        background,
        saturation: grows.then(|| room / slope),
        saturation_interval: grows.then(|| Interval {
            lower: room / interval.upper,
            upper: room / interval.lower,
            confidence,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_named_at_half_its_load_and_its_limit_predicted() {
        // The check of N-04: 4 ms of processor, 10 ms of disk, at most 50 requests per second.
        let throughputs = [5.0, 10.0, 20.0, 30.0, 40.0, 50.0];
        let wobble = [1.02, 0.98, 1.01, 0.99, 1.015, 0.985];
        let busy = |demand: f64, background: f64| -> Vec<f64> {
            throughputs
                .iter()
                .zip(wobble)
                .map(|(x, w)| background + x * demand * w)
                .collect()
        };
        let (cpu, disk) = (busy(0.004, 0.0), busy(0.010, 0.0));
        let resources = [
            Resource {
                name: "cpu",
                utilisations: &cpu,
            },
            Resource {
                name: "disk",
                utilisations: &disk,
            },
        ];
        let found = attribute(&throughputs, &resources, 0.95).expect("valid input");
        let bottleneck = found.bottleneck().expect("the disk's use grows");
        assert_eq!(bottleneck.resource, "disk");
        let saturation = bottleneck.saturation.expect("the disk's use grows");
        assert!((95.0..105.0).contains(&saturation), "{saturation}");
        let gain = found.gain_if_doubled.expect("there is a bottleneck");
        assert!((1.9..=2.0).contains(&gain), "{gain}");
    }

    #[test]
    fn an_idle_background_is_not_counted_as_demand() {
        let throughputs = [10.0, 20.0, 30.0, 40.0];
        let utilisations = [0.21, 0.30, 0.41, 0.50];
        let resource = Resource {
            name: "cpu",
            utilisations: &utilisations,
        };
        let found = attribute(&throughputs, &[resource], 0.95).expect("valid input");
        let cpu = found.bottleneck().expect("the use grows");
        assert!((cpu.background - 0.11).abs() < 0.01, "{cpu:?}");
        assert!((cpu.demand_s - 0.01).abs() < 0.001, "{cpu:?}");
    }

    #[test]
    fn a_resource_that_does_not_follow_the_load_is_no_bottleneck() {
        let resource = Resource {
            name: "cpu",
            utilisations: &[0.3, 0.3, 0.3, 0.3],
        };
        let found = attribute(&[1.0, 2.0, 3.0, 4.0], &[resource], 0.95).expect("valid input");
        assert!(found.bottleneck().is_none(), "{found:?}");
    }

    #[test]
    fn percentages_are_refused() {
        let resource = Resource {
            name: "cpu",
            utilisations: &[30.0, 40.0, 50.0],
        };
        let refused = attribute(&[1.0, 2.0, 3.0], &[resource], 0.95);
        assert!(matches!(refused, Err(InputError::OutOfRange { .. })));
    }
}
