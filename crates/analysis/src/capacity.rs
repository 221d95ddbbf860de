//! Several estimates of capacity side by side, each with the question that it answers.

use crate::input::{self, InputError};
use crate::interval::Interval;
use crate::kneedle::{self, Shape};
use crate::service_demand::Attribution;
use crate::slo_search::Found;
use crate::usl::{self, Fit, Reach};

/// The method of an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    SloSearch,
    UslPeak,
    Kneedle,
    ServiceDemand,
}

impl Method {
    pub fn question(self) -> &'static str {
        match self {
            Self::SloSearch => "Up to which rate were the service level objectives met?",
            Self::UslPeak => "At which load does the fitted scalability law have its maximum?",
            Self::Kneedle => "Where does the measured curve bend the most?",
            Self::ServiceDemand => "At which throughput is the busiest resource full?",
        }
    }
}

/// One estimate of the largest sensible throughput.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub method: Method,
    pub throughput: f64,
    /// Interval of the throughput; `None` if the method gives none.
    pub interval: Option<Interval>,
    /// The corresponding load (users); `None` if the method uses rates only.
    pub load: Option<f64>,
    /// Extrapolated estimates have to be marked wherever they are shown.
    pub reach: Reach,
}

/// The agreement of the estimates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Agreement {
    /// All estimates within the measured range lie within the tolerance of each other.
    Agree,
    /// They differ: the largest is this many times the smallest.
    Differ { factor: f64 },
    /// Fewer than two are within the measured range.
    TooFew,
}

/// The peak of a fitted law; `None` when it has none.
pub fn from_usl(fit: &Fit) -> Option<Estimate> {
    let peak = fit.peak()?;
    Some(Estimate {
        method: Method::UslPeak,
        throughput: peak.throughput,
        interval: None,
        load: Some(peak.load),
        reach: peak.reach,
    })
}

/// The knee of throughput over load with the paper's sensitivity of 1; `None` when there is none. A knee
/// always lies within the measured range, but moves with it.
///
/// # Errors
/// As [`kneedle::knee`].
pub fn from_knee(loads: &[f64], throughputs: &[f64]) -> Result<Option<Estimate>, InputError> {
    let knee = kneedle::knee(loads, throughputs, Shape::ConcaveRising, 1.0)?;
    Ok(knee.map(|(load, throughput)| Estimate {
        method: Method::Kneedle,
        throughput,
        interval: None,
        load: Some(load),
        reach: Reach::Measured,
    }))
}

/// The bound of the bottleneck; `None` without one.
pub fn from_demand(attribution: &Attribution) -> Option<Estimate> {
    let bottleneck = attribution.bottleneck()?;
    let throughput = bottleneck.saturation?;
    Some(Estimate {
        method: Method::ServiceDemand,
        throughput,
        interval: bottleneck.saturation_interval,
        load: None,
        reach: Reach::of(throughput, attribution.largest_throughput),
    })
}

/// The largest rate that passed in a search, up to the smallest that failed; `None` if none passed.
pub fn from_search(found: &Found) -> Option<Estimate> {
    let throughput = found.passed?;
    Some(Estimate {
        method: Method::SloSearch,
        throughput,
        interval: found.failed.map(|failed| Interval {
            lower: throughput,
            upper: failed,
            // A search gives bounds, not a probability; its confirmation takes the place of the confidence.
            confidence: 1.0,
        }),
        load: None,
        reach: Reach::Measured,
    })
}

/// Whether estimates agree within `tolerance` (0.1 is 10 %). Extrapolated ones are not considered.
///
/// # Errors
/// `OutOfRange` for a tolerance that is not above 0.
pub fn agreement(estimates: &[Estimate], tolerance: f64) -> Result<Agreement, InputError> {
    input::positive("the tolerance", tolerance)?;
    let measured = estimates
        .iter()
        .filter(|estimate| estimate.reach == usl::Reach::Measured)
        .map(|estimate| estimate.throughput);
    if measured.clone().count() < 2 {
        return Ok(Agreement::TooFew);
    }
    let largest = measured.clone().fold(f64::NEG_INFINITY, f64::max);
    let smallest = measured.fold(f64::INFINITY, f64::min);
    Ok(if largest <= smallest * (1.0 + tolerance) {
        Agreement::Agree
    } else {
        Agreement::Differ {
            factor: largest / smallest,
        }
    })
}
