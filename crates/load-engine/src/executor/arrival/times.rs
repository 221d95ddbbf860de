//! Start times of the arrival-rate executors' iterations: a pure function of plan and number.

use std::time::Duration;

use crate::options::Stage;
use crate::segment::Stripe;

/// Start times of iterations, after the scenario's start; ascending.
pub(super) type Times = Box<dyn Iterator<Item = Duration> + Send>;

/// A rate in iterations per time unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) count: u64,
    pub(super) unit: Duration,
}

impl Rate {
    fn per_nano(self) -> f64 {
        self.count as f64 / self.unit.as_nanos().max(1) as f64
    }
}

/// Start times at a constant rate, from 0, before `duration`; this instance's share of them. The
/// period is that of the whole test, in whole nanoseconds.
pub(super) fn constant(rate: Rate, duration: Duration, stripe: Stripe) -> Times {
    let period = rate.unit.as_nanos() / u128::from(rate.count.max(1));
    let times = (0..).map_while(move |index| {
        let number = stripe.nth(index)?;
        Some(nanos(u128::from(number) * period))
    });
    Box::new(times.take_while(move |at| *at < duration))
}

/// Start times of a ramp: start k (from 1) is when the area under the rate reaches k.
pub(super) fn ramping(start: Rate, stages: Vec<Stage>, stripe: Stripe) -> Times {
    let unit = start.unit;
    let mut pieces = Vec::new();
    let (mut begin, mut area, mut from) = (0.0, 0.0, start.per_nano());
    for stage in stages {
        let to = Rate {
            count: u64::try_from(stage.target).unwrap_or(0),
            unit,
        }
        .per_nano();
        let length = stage.duration.as_nanos() as f64;
        let piece = Piece {
            begin,
            area,
            from,
            to,
            length,
        };
        (begin, area, from) = (begin + length, area + (piece.from + to) * length / 2.0, to);
        pieces.push(piece);
    }
    let mut piece = 0;
    let times = (0..).map_while(move |index| {
        let number = (stripe.nth(index)? + 1) as f64;
        while pieces.get(piece)?.reaches() + TOLERANCE < number {
            piece += 1;
        }
        pieces.get(piece).map(|piece| piece.when(number))
    });
    Box::new(times)
}

/// The tolerance for areas that miss a whole number by rounding.
const TOLERANCE: f64 = 1e-6;

/// A stage: the rate goes from `from` to `to` (per nanosecond) within `length` nanoseconds.
struct Piece {
    begin: f64,
    /// Starts before it.
    area: f64,
    from: f64,
    to: f64,
    length: f64,
}

impl Piece {
    fn reaches(&self) -> f64 {
        self.area + (self.from + self.to) * self.length / 2.0
    }

    /// The time of start `number`: x in a·x + (b−a)·x²/(2d) = number − area.
    fn when(&self, number: f64) -> Duration {
        let wanted = (number - self.area).max(0.0);
        let slope = (self.to - self.from) / self.length.max(1.0);
        let inner = (self.from * self.from + 2.0 * slope * wanted).max(0.0);
        // This form is numerically stable when the slope is near zero.
        let x = 2.0 * wanted / (self.from + inner.sqrt()).max(f64::MIN_POSITIVE);
        nanos((self.begin + x.min(self.length)).round() as u128)
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Segment;

    const SECOND: Duration = Duration::from_secs(1);

    fn stage(seconds: u64, target: i64) -> Stage {
        Stage {
            duration: Duration::from_secs(seconds),
            target,
        }
    }

    fn millis(times: impl Iterator<Item = Duration>) -> Vec<u128> {
        times.map(|at| (at.as_micros() + 500) / 1000).collect()
    }

    #[test]
    fn a_constant_rate_begins_at_zero() {
        let rate = Rate {
            count: 5,
            unit: SECOND,
        };
        let times = constant(rate, 2 * SECOND, Stripe::full());
        assert_eq!(
            millis(times),
            [0, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800]
        );
    }

    #[test]
    fn a_ramp_starts_when_the_area_reaches_the_next_number() {
        let start = Rate {
            count: 0,
            unit: SECOND,
        };
        let times = ramping(start, vec![stage(2, 4)], Stripe::full());
        assert_eq!(millis(times), [1000, 1414, 1732, 2000]);
    }

    #[test]
    fn fractions_carry_into_the_next_stage() {
        let start = Rate {
            count: 1,
            unit: 2 * SECOND,
        };
        let times = ramping(
            start,
            vec![stage(3, 1), stage(1, 1), stage(2, 0)],
            Stripe::full(),
        );
        assert_eq!(millis(times), [2000, 4000]);
    }

    #[test]
    fn segments_share_the_starts_of_the_whole_test() {
        let pieces = ["0:1/3", "1/3:2/3", "2/3:1"];
        let rate = Rate {
            count: 300,
            unit: SECOND,
        };
        let mut all: Vec<Duration> = Vec::new();
        for piece in pieces {
            let segment = Segment::parse(Some(piece), Some("0,1/3,2/3,1")).expect("valid");
            all.extend(constant(rate, SECOND, segment.stripe()));
        }
        all.sort_unstable();
        let whole: Vec<_> = constant(rate, SECOND, Stripe::full()).collect();
        assert_eq!(all, whole);
    }
}
