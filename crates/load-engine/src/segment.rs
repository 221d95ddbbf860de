//! Execution segments: the exact part of a test that this instance runs.
//!
//! All arithmetic uses integers: instances that round differently would lose or repeat iterations.

use std::cmp::Ordering;
use std::fmt;

/// An exact fraction between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ratio {
    top: u128,
    bottom: u128,
}

/// A point of the test for messages: 0.5 is its middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

impl Eq for Share {}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error of a segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Not a number.
    #[error("'{0}' is not a valid percentage, decimal, fraction or interval value")]
    Number(String),
    /// Beyond the whole test.
    #[error("segment end value can't be more than 1 but was {0:.2}")]
    TooLarge(Share),
    /// It ends before it begins.
    #[error("segment start({from:.2}) must be less than its end({to:.2})")]
    Order {
        /// The start.
        from: Share,
        /// The end.
        to: Share,
    },
    /// Not `0,…,1`.
    #[error("at least 2 points are needed for an execution segment sequence, {0} given")]
    Sequence(usize),
    /// The pattern of slots would be too long.
    #[error(
        "the execution segments are too fine: their common unit must be at least 1/{MAX_PERIOD}"
    )]
    TooFine,
    /// The segment is not in the sequence.
    #[error(
        "There were problems with the specified script configuration:\n\t- provided segment {segment} can't be found in sequence {sequence}"
    )]
    NotInSequence {
        /// The segment.
        segment: String,
        /// The sequence.
        sequence: String,
    },
}

/// The numbers 0, 1, 2, … that belong to this instance: a pattern of slots that repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stripe {
    period: u64,
    slots: Vec<u64>,
}

/// A parsed segment within its sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    points: Vec<Ratio>,
    mine: usize,
}

impl Segment {
    /// The whole test.
    pub fn full() -> Self {
        Self {
            points: vec![Ratio::new(0, 1), Ratio::new(1, 1)],
            mine: 0,
        }
    }

    /// Reads segment and sequence as the options give them; without a sequence, the sequence is the segment
    /// with the parts before and after it.
    ///
    /// # Errors
    /// One is malformed, or the segment is not in the sequence.
    pub fn parse(segment: Option<&str>, sequence: Option<&str>) -> Result<Self, SegmentError> {
        let segment = segment.filter(|text| !text.is_empty());
        let sequence = sequence.filter(|text| !text.is_empty());
        if segment.is_none() && sequence.is_none() {
            return Ok(Self::full());
        }
        let segment = segment.unwrap_or("0:1");
        let (from, to) = parse_segment(segment)?;
        let mut points = match sequence {
            Some(sequence) => parse_sequence(sequence)?,
            None => vec![from, to],
        };
        if points.first().is_some_and(|first| first.top != 0) {
            points.insert(0, Ratio::new(0, 1));
        }
        if points.last().is_some_and(|last| last.top != last.bottom) {
            points.push(Ratio::new(1, 1));
        }
        refuse_too_fine(&points)?;
        let mine = points.windows(2).position(|piece| piece == [from, to]);
        let mine = mine.ok_or_else(|| SegmentError::NotInSequence {
            segment: segment.to_owned(),
            sequence: sequence.unwrap_or_default().to_owned(),
        })?;
        Ok(Self { points, mine })
    }

    /// Its share of the test, 0 to 1, for display.
    pub fn share(&self) -> f64 {
        let (from, to) = (self.points[self.mine], self.points[self.mine + 1]);
        to.top as f64 / to.bottom as f64 - from.top as f64 / from.bottom as f64
    }

    /// The numbers that belong to it.
    pub fn stripe(&self) -> Stripe {
        Stripe::new(&self.weights(), self.mine)
    }

    /// The stripe for a scenario of `total` VUs, by which its iterations are distributed: pieces in proportion
    /// to the VUs that each instance really has.
    pub fn stripe_by_vus(&self, total: u64) -> Stripe {
        let weights = self.weights();
        let period: u64 = weights.iter().sum();
        if total == 0 || total.is_multiple_of(period) {
            return self.stripe();
        }
        let scaled = (0..weights.len()).map(|n| Stripe::new(&weights, n).scale(total));
        Stripe::new(&scaled.collect::<Vec<_>>(), self.mine)
    }

    /// The pieces' lengths as whole numbers, in the smallest common unit.
    fn weights(&self) -> Vec<u64> {
        let lengths = self.points.windows(2).map(|piece| piece[1].minus(piece[0]));
        let lengths: Vec<Ratio> = lengths.collect();
        let unit = lengths
            .iter()
            .fold(1, |unit, length| lcm(unit, length.bottom));
        let weight = |length: &Ratio| length.top * (unit / length.bottom);
        lengths
            .iter()
            .map(|l| u64::try_from(weight(l)).unwrap_or(u64::MAX))
            .collect()
    }
}

impl Stripe {
    /// Every number.
    pub fn full() -> Self {
        Self {
            period: 1,
            slots: vec![0],
        }
    }

    /// Distributes the slots of one period: larger pieces first, each as evenly as possible.
    fn new(weights: &[u64], mine: usize) -> Self {
        let mut order: Vec<usize> = (0..weights.len()).filter(|n| weights[*n] > 0).collect();
        order.sort_by_key(|n| std::cmp::Reverse(weights[*n]));
        let divisor = order
            .iter()
            .fold(0, |all, n| gcd(all, u128::from(weights[*n])));
        let divisor = u64::try_from(divisor).expect("divides a u64").max(1);
        let period = weights.iter().sum::<u64>() / divisor;
        let mut taken = vec![0_u128; weights.len()];
        let mut slots = Vec::new();
        for slot in 0..period {
            let due = order.iter().copied().find(|&n| {
                let weight = u128::from(weights[n] / divisor);
                u128::from(slot) * weight >= taken[n] * u128::from(period)
            });
            let Some(due) = due else { continue };
            taken[due] += 1;
            if due == mine {
                slots.push(slot);
            }
        }
        Self {
            period: period.max(1),
            slots,
        }
    }

    /// The count of the numbers below `count` that belong to this instance.
    pub fn scale(&self, count: u64) -> u64 {
        let (full, rest) = (count / self.period, count % self.period);
        let within = self.slots.partition_point(|slot| *slot < rest);
        full * self.slots.len() as u64 + within as u64
    }

    /// The `index`-th number of this instance; `None` when it does not have that many.
    pub fn nth(&self, index: u64) -> Option<u64> {
        let size = self.slots.len() as u64;
        let round = index.checked_div(size)?;
        let within = usize::try_from(index % size).expect("smaller than a length");
        Some(round * self.period + self.slots[within])
    }
}

impl Ratio {
    fn new(top: u128, bottom: u128) -> Self {
        let divisor = gcd(top, bottom).max(1);
        Self {
            top: top / divisor,
            bottom: bottom / divisor,
        }
    }

    fn minus(self, other: Self) -> Self {
        let top = self.top * other.bottom - other.top * self.bottom;
        Self::new(top, self.bottom * other.bottom)
    }

    fn compare(self, other: Self) -> Ordering {
        (self.top * other.bottom).cmp(&(other.top * self.bottom))
    }

    fn parse(text: &str) -> Result<Self, SegmentError> {
        let bad = || SegmentError::Number(text.to_owned());
        let trimmed = text.trim();
        let (number, hundred) = match trimmed.strip_suffix('%') {
            // k6 accepts only whole percentages.
            Some(number) if number.contains(['.', '/']) => return Err(bad()),
            Some(number) => (number, 100),
            None => (trimmed, 1),
        };
        let ratio = match number.split_once('/') {
            Some((top, bottom)) => {
                let top: u64 = top.trim().parse().map_err(|_| bad())?;
                let bottom: u32 = bottom.trim().parse().map_err(|_| bad())?;
                (u128::from(top), u128::from(bottom))
            }
            None => decimal(number).ok_or_else(bad)?,
        };
        if ratio.1 == 0 {
            return Err(bad());
        }
        Ok(Self::new(ratio.0, ratio.1 * hundred))
    }

    fn share(self) -> Share {
        Share(self.top as f64 / self.bottom as f64)
    }
}

fn decimal(text: &str) -> Option<(u128, u128)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || fraction.len() > 12 || digits.bytes().any(|b| !b.is_ascii_digit()) {
        return None;
    }
    Some((
        digits.parse().ok()?,
        10_u128.pow(u32::try_from(fraction.len()).ok()?),
    ))
}

fn parse_segment(text: &str) -> Result<(Ratio, Ratio), SegmentError> {
    let (from, to) = match text.split_once(':') {
        Some((from, to)) => (Ratio::parse(from)?, Ratio::parse(to)?),
        None => (Ratio::new(0, 1), Ratio::parse(text)?),
    };
    check(from, to)?;
    Ok((from, to))
}

fn parse_sequence(text: &str) -> Result<Vec<Ratio>, SegmentError> {
    let points = text.split(',').map(Ratio::parse);
    let points = points.collect::<Result<Vec<_>, _>>()?;
    if points.len() < 2 {
        return Err(SegmentError::Sequence(points.len()));
    }
    for pair in points.windows(2) {
        check(pair[0], pair[1])?;
    }
    Ok(points)
}

/// Refuses a piece that is empty or ends after the test.
fn check(from: Ratio, to: Ratio) -> Result<(), SegmentError> {
    if from.compare(to) != Ordering::Less {
        let (from, to) = (from.share(), to.share());
        return Err(SegmentError::Order { from, to });
    }
    if to.top > to.bottom {
        return Err(SegmentError::TooLarge(to.share()));
    }
    Ok(())
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Maximum number of slots of a pattern; a share to a millionth is not needed.
const MAX_PERIOD: u128 = 10_000_000;

fn refuse_too_fine(points: &[Ratio]) -> Result<(), SegmentError> {
    let mut unit = 1;
    for piece in points.windows(2) {
        // Each factor stays below 10^14, so that this cannot overflow.
        unit = lcm(unit, piece[1].minus(piece[0]).bottom);
        if unit > MAX_PERIOD {
            return Err(SegmentError::TooFine);
        }
    }
    Ok(())
}

fn lcm(a: u128, b: u128) -> u128 {
    a / gcd(a, b).max(1) * b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(segment: &str, sequence: &str, count: u64) -> Vec<u64> {
        let stripe = Segment::parse(Some(segment), Some(sequence))
            .expect("valid")
            .stripe();
        (0..count)
            .map(|n| stripe.nth(n).expect("has slots"))
            .collect()
    }

    #[test]
    fn slots_are_distributed_as_in_k6() {
        assert_eq!(slots("0:1/3", "0,1/3,2/3,1", 3), [0, 3, 6]);
        assert_eq!(slots("1/3:2/3", "0,1/3,2/3,1", 3), [1, 4, 7]);
        assert_eq!(slots("0:0.5", "0,50%,75%,1", 3), [0, 2, 4]);
        assert_eq!(slots("0.5:3/4", "0,50%,75%,1", 3), [1, 5, 9]);
        assert_eq!(slots("75%:1", "0,50%,75%,1", 3), [3, 7, 11]);
    }

    #[test]
    fn shares_of_vus_add_up_and_determine_iterations() {
        let piece = |segment| Segment::parse(Some(segment), Some("0,1/3,2/3,1")).expect("valid");
        let pieces = ["0:1/3", "1/3:2/3", "2/3:1"].map(piece);
        let vus: Vec<u64> = pieces.iter().map(|piece| piece.stripe().scale(4)).collect();
        assert_eq!(vus, [2, 1, 1]);
        let iterations = pieces.iter().map(|piece| {
            let stripe = piece.stripe_by_vus(4);
            (0..stripe.scale(10))
                .filter_map(|n| stripe.nth(n))
                .collect::<Vec<_>>()
        });
        let expected = [vec![0, 2, 4, 6, 8], vec![1, 5, 9], vec![3, 7]];
        assert_eq!(iterations.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn pieces_never_lose_or_repeat_a_number() {
        let points = ["0", "1/7", "0.3", "40%", "9/10", "1"];
        let sequence = points.join(",");
        let mut all: Vec<u64> = Vec::new();
        for pair in points.windows(2) {
            let text = format!("{}:{}", pair[0], pair[1]);
            let stripe = Segment::parse(Some(&text), Some(&sequence))
                .expect("valid")
                .stripe();
            all.extend((0..stripe.scale(1000)).filter_map(|n| stripe.nth(n)));
        }
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn malformed_segments_are_refused() {
        let texts = [
            "a", "1:0", "0:2", "1/0", "0.5:0.5", "-1", "0:1:1", "0:12.5%",
        ];
        for text in texts {
            assert!(Segment::parse(Some(text), None).is_err(), "{text}");
        }
        assert!(Segment::parse(Some("0:1/4"), Some("0,1/2,1")).is_err());
    }
}
