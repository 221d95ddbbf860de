//! A schedule, compiled into segments of constant behaviour.

use std::sync::Arc;
use std::time::Duration;

use live_config::{ConfigError, Invalid, merge};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::behaviour::Behaviour;
use crate::patch::{CHOICES, set_number};
use crate::profile::Profile;
use crate::schedule::{Curve, Ramp, Schedule, Stage};

const MAX_SEGMENTS: usize = 10_000;
/// The maximum number of simultaneous stages for a share of keys; each one doubles the number of variants.
const MAX_PARTIAL: usize = 4;

/// This is not beside the profile, which need not know its compiled form.
impl Profile {
    /// Adds every error of the profile, with a path relative to it, including those
    /// that only its schedule causes.
    pub fn validate(&self, faults: &mut Vec<ConfigError>) {
        if let Err(invalid) = Timeline::compile(self) {
            faults.extend(invalid.errors);
        }
    }
}

/// The whole course of a profile over time.
#[derive(Debug, Clone)]
pub struct Timeline {
    loop_every: Option<Duration>,
    /// In ascending order; the first begins at zero and the last has no end.
    segments: Vec<Segment>,
}

/// A time in which the behaviour does not change.
#[derive(Debug, Clone)]
pub struct Segment {
    pub begin: Duration,
    /// Names of the active stages.
    pub stages: Vec<String>,
    /// The shares of the stages that apply only to some keys.
    shares: Vec<f64>,
    /// One behaviour for each set of those stages, as bits.
    variants: Vec<Arc<Behaviour>>,
    /// The profile for keys to which every stage applies.
    pub profile: Arc<Profile>,
}

impl Timeline {
    /// # Errors
    /// The profile is invalid, by itself or under one of its stages.
    pub fn compile(profile: &Profile) -> Result<Self, Invalid> {
        let mut faults = Vec::new();
        profile.validate_fields(&mut faults);
        if !faults.is_empty() {
            return Err(faults.into());
        }
        Compiler::new(profile)
            .compile()
            .map_err(|(path, message)| Invalid::one(format!("schedule.{path}"), message))
    }

    /// The behaviour at a time. `sticky` returns the position of the key in [0, 1) and is called only if
    /// a stage applies to a share of keys.
    pub(crate) fn at(&self, at: Duration, sticky: impl FnOnce() -> f64) -> &Behaviour {
        let segment = self.segment_at(at);
        if segment.shares.is_empty() {
            return &segment.variants[0];
        }
        let place = sticky();
        let set = segment
            .shares
            .iter()
            .enumerate()
            .fold(0, |set, (bit, share)| {
                set | (usize::from(place < *share) << bit)
            });
        &segment.variants[set]
    }

    /// The segment that is in force at a time.
    pub fn segment_at(&self, at: Duration) -> &Segment {
        let at = match self.loop_every {
            Some(period) => Duration::from_nanos((at.as_nanos() % period.as_nanos()) as u64),
            None => at,
        };
        let behind = self.segments.partition_point(|segment| segment.begin <= at);
        &self.segments[behind.saturating_sub(1)]
    }

    /// The time of the next change of behaviour after `at`, if there is one.
    pub fn next_change(&self, at: Duration) -> Option<Duration> {
        let (offset, within) = match self.loop_every {
            Some(period) => {
                let within = Duration::from_nanos((at.as_nanos() % period.as_nanos()) as u64);
                (at - within, within)
            }
            None => (Duration::ZERO, at),
        };
        let behind = self
            .segments
            .partition_point(|segment| segment.begin <= within);
        match (self.segments.get(behind), self.loop_every) {
            (Some(segment), _) => Some(offset + segment.begin),
            (None, Some(period)) if self.segments.len() > 1 => Some(offset + period),
            (None, _) => None,
        }
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub fn loop_every(&self) -> Option<Duration> {
        self.loop_every
    }

    /// Identifies the whole course. Equal hashes mean equal behaviour at all times.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        let period = self.loop_every.map(|period| period.as_millis() as u64);
        hasher.update(json!({ "version": 1, "loop_every_ms": period }).to_string());
        for segment in &self.segments {
            hasher.update(segment.begin.as_millis().to_le_bytes());
            hasher.update(json!([segment.shares, *segment.profile]).to_string());
        }
        hasher
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

type Fault = (String, String);

/// One occurrence of a stage.
struct Occurrence<'a> {
    begin_ms: u64,
    end_ms: u64,
    index: usize,
    stage: &'a Stage,
}

/// The effect of a stage at one moment.
struct Layer<'a> {
    stage: usize,
    share: f64,
    set: &'a Value,
    /// The paths of ramps, with their values.
    numbers: Vec<(&'a str, f64)>,
}

impl Layer<'_> {
    fn apply(&self, value: &mut Value) {
        if !self.set.is_null() {
            merge(value, self.set, &CHOICES);
            // A serialized profile has every setting, which shows whether it is an integer.
            if !self.numbers.is_empty()
                && let Ok(profile) = read(value, self.stage)
            {
                *value = serde_json::to_value(profile).unwrap_or_default();
            }
        }
        for (parameter, number) in &self.numbers {
            if !set_number(value, parameter, *number) {
                // It belongs to another variant, which replaces the current one.
                let names = parameter.rsplit('.');
                let nested = names.fold(json!(number), |inner, name| json!({ name: inner }));
                merge(value, &nested, &CHOICES);
            }
        }
    }
}

/// The profile under these stages. Errors are reported at the settings of the last stage.
fn read(value: &Value, stage: usize) -> Result<Profile, Fault> {
    let path = |path: &str| format!("stages[{stage}].set.{path}");
    let profile: Profile = serde_path_to_error::deserialize(value)
        .map_err(|error| (path(&error.path().to_string()), error.inner().to_string()))?;
    let mut faults = Vec::new();
    profile.validate_fields(&mut faults);
    match faults.into_iter().next() {
        Some(fault) => Err((path(&fault.path), fault.message)),
        None => Ok(profile),
    }
}

struct Compiler<'a> {
    profile: &'a Profile,
    schedule: &'a Schedule,
    base: Value,
}

impl<'a> Compiler<'a> {
    fn new(profile: &'a Profile) -> Self {
        let mut base = serde_json::to_value(profile).unwrap_or_default();
        if let Some(base) = base.as_object_mut() {
            base.shift_remove("schedule");
        }
        Self {
            profile,
            schedule: &profile.schedule,
            base,
        }
    }

    fn compile(&self) -> Result<Timeline, Fault> {
        let occurrences = self.occurrences()?;
        let mut cuts = vec![0];
        for occurrence in &occurrences {
            cuts.extend([occurrence.begin_ms, occurrence.end_ms]);
            if !occurrence.stage.ramps.is_empty() {
                let step_ms = self.step_ms(occurrence.stage);
                let steps = (occurrence.end_ms - occurrence.begin_ms) / step_ms;
                if cuts.len() as u64 + steps > MAX_SEGMENTS as u64 {
                    return Err(too_many());
                }
                cuts.extend((1..=steps).map(|step| occurrence.begin_ms + step * step_ms));
            }
        }
        if cuts.len() > MAX_SEGMENTS {
            return Err(too_many());
        }
        cuts.sort_unstable();
        cuts.dedup();
        if let Some(period) = self.schedule.loop_every_ms {
            cuts.retain(|cut| *cut < period);
        }
        let mut segments: Vec<Segment> = Vec::with_capacity(cuts.len());
        for begin_ms in cuts {
            let active: Vec<_> = occurrences
                .iter()
                .filter(|one| (one.begin_ms..one.end_ms).contains(&begin_ms))
                .collect();
            segments.push(self.segment(begin_ms, &active)?);
        }
        let loop_every = self.schedule.loop_every_ms.map(Duration::from_millis);
        Ok(Timeline {
            loop_every,
            segments,
        })
    }

    fn occurrences(&self) -> Result<Vec<Occurrence<'a>>, Fault> {
        let mut occurrences = Vec::new();
        for (index, stage) in self.schedule.stages.iter().enumerate() {
            let (every_ms, times) = stage
                .repeat
                .map_or((0, 1), |repeat| (repeat.every_ms, repeat.times));
            if occurrences.len() + times as usize > MAX_SEGMENTS {
                return Err(too_many());
            }
            for time in 0..u64::from(times) {
                let begin_ms = stage.at_ms.saturating_add(every_ms.saturating_mul(time));
                let end_ms = begin_ms.saturating_add(stage.for_ms);
                occurrences.push(Occurrence {
                    begin_ms,
                    end_ms,
                    index,
                    stage,
                });
            }
        }
        Ok(occurrences)
    }

    /// By default a ramp has 200 steps, none shorter than 10 ms.
    fn step_ms(&self, stage: &Stage) -> u64 {
        self.schedule
            .resolution_ms
            .unwrap_or_else(|| (stage.for_ms / 200).max(10))
    }

    fn segment(&self, begin_ms: u64, active: &[&Occurrence<'a>]) -> Result<Segment, Fault> {
        let mut layers = Vec::with_capacity(active.len());
        for one in active {
            layers.push(self.layer(begin_ms, one));
        }
        let shares: Vec<f64> = layers
            .iter()
            .map(|layer| layer.share)
            .filter(|share| *share < 1.0)
            .collect();
        if shares.len() > MAX_PARTIAL {
            let message = format!("more than {MAX_PARTIAL} stages for some keys at {begin_ms} ms");
            return Err(("stages".to_owned(), message));
        }
        let mut variants = Vec::with_capacity(1 << shares.len());
        let mut profile = Arc::new(self.profile.clone());
        for set in 0..1usize << shares.len() {
            profile = Arc::new(self.variant(set, &layers)?);
            variants.push(Arc::new(Behaviour::new(&profile)));
        }
        let stages = active.iter().map(|one| {
            one.stage
                .name
                .clone()
                .unwrap_or_else(|| format!("stages[{}]", one.index))
        });
        let begin = Duration::from_millis(begin_ms);
        Ok(Segment {
            begin,
            stages: stages.collect(),
            shares,
            variants,
            profile,
        })
    }

    /// The profile under the stages whose bit is set and the stages for all keys.
    fn variant(&self, set: usize, layers: &[Layer<'_>]) -> Result<Profile, Fault> {
        let mut value = self.base.clone();
        let mut bit = 0;
        for layer in layers {
            let applies = layer.share >= 1.0 || set >> bit & 1 == 1;
            bit += usize::from(layer.share < 1.0);
            if applies {
                layer.apply(&mut value);
            }
        }
        let stage = layers.last().map_or(0, |layer| layer.stage);
        read(&value, stage)
    }

    fn layer(&self, now_ms: u64, one: &Occurrence<'a>) -> Layer<'a> {
        let mut layer = Layer {
            stage: one.index,
            share: one.stage.keys,
            set: &one.stage.set,
            numbers: Vec::with_capacity(one.stage.ramps.len()),
        };
        for ramp in &one.stage.ramps {
            let number = self.value(ramp, now_ms, one);
            if ramp.parameter == "keys" {
                layer.share = number.clamp(0.0, 1.0);
            } else {
                layer.numbers.push((&ramp.parameter, number));
            }
        }
        layer
    }

    fn value(&self, ramp: &Ramp, now_ms: u64, one: &Occurrence<'_>) -> f64 {
        let step_ms = self.step_ms(one.stage);
        let length_ms = (one.end_ms - one.begin_ms).max(1);
        // The last step reaches the end of the ramp.
        let steps = length_ms.div_ceil(step_ms).max(2) - 1;
        let done = ((now_ms - one.begin_ms) / step_ms).min(steps) as f64 / steps as f64;
        ramp.from + (ramp.to - ramp.from) * ramp.curve.at(done)
    }
}

impl Curve {
    /// The progress of the value at this progress in time; both are 0 to 1.
    fn at(self, time: f64) -> f64 {
        match self {
            Self::Linear => time,
            Self::Steps(steps) => {
                let steps = f64::from(steps.max(1));
                ((time * (steps + 1.0)).floor() / steps).min(1.0)
            }
            Self::SCurve => time * time * (3.0 - 2.0 * time),
        }
    }
}

fn too_many() -> Fault {
    let message = format!(
        "compiles to more than {MAX_SEGMENTS} segments; use a longer resolution_ms or fewer repeats"
    );
    ("stages".to_owned(), message)
}
