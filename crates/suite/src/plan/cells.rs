//! Turns parts into planned tests, and a grid into one test for each of its cells.

use std::time::Duration;

use indexmap::IndexMap;
use report::record::TestContent;
use serde_json::{Value, json};

use super::phases::{self, PlannedPhase};
use super::scale::{Scale, scaled};
use super::{
    EffectivePart, Expiry, LoadOverride, PlannedBefore, PlannedFault, PlannedSearch, PlannedTest,
    classes_of, faults, graceful_stop, longest_wait, options, step,
};
use crate::file::{Content, Judge, Matrix, Model, Phase, Samples, Search};

/// Default spawn rate in users per second, which spreads the starts of users.
const SPAWN_RATE: f64 = 10.0;
/// The maximum length of samples, which have no length of their own.
const SAMPLES_WITHIN: Duration = Duration::from_secs(600);
/// The maximum length of drills, which declare their waits themselves.
const DRILL_WITHIN: Duration = Duration::from_secs(300);

pub(super) fn planned(
    whole: &EffectivePart<'_>,
    load: Option<LoadOverride>,
    time_scale: f64,
) -> Vec<PlannedTest> {
    let longest_wait = match whole.model {
        Model::Closed => longest_wait(whole),
        Model::Open => Duration::ZERO,
    };
    let scaling = Scaling {
        load,
        scale: Scale::new(time_scale, longest_wait),
    };
    let planned = |scaling: &Scaling| match &whole.content {
        Content::Matrix(matrix) => grid(whole, matrix, scaling),
        _ => vec![scaling.test(whole)],
    };
    let mut tests = planned(&scaling);
    if time_scale < 1.0 {
        let unscaled = planned(&Scaling {
            scale: Scale::new(1.0, longest_wait),
            ..scaling
        });
        for (test, unscaled) in tests.iter_mut().zip(&unscaled) {
            test.before.expiry = test.before.ageing.map(|_| Expiry {
                whole_s: unscaled.longest_s,
                scaled_s: test.longest_s,
                iteration_s: graceful_stop(whole).as_secs_f64(),
            });
        }
    }
    tests
}

struct Scaling {
    load: Option<LoadOverride>,
    scale: Scale,
}

impl Scaling {
    fn test(&self, whole: &EffectivePart<'_>) -> PlannedTest {
        match &whole.content {
            Content::Phases(given) => {
                let load = self.load.filter(|_| whole.model == Model::Closed);
                let mut planned = match load {
                    Some(load) => self.run_time(load, given),
                    None => phases::of_phases(given, whole.model, self.scale),
                };
                let is_free = load.is_none_or(|load| load.run_time.is_none());
                if is_free && self.scale.factor < 1.0 {
                    // The time that faults need in addition to their own length does not shrink with the
                    // scale.
                    faults::make_room(&mut planned, &self.faults(whole), self.scale.factor);
                }
                self.of_phases(whole, TestContent::Phases, planned)
            }
            Content::Ladder(ladder) => {
                let planned = phases::of_ladder(ladder, whole.model, self.scale);
                PlannedTest {
                    until: ladder.until.clone(),
                    ..self.of_phases(whole, TestContent::Ladder, planned)
                }
            }
            Content::Search(search) => self.search(whole, search),
            Content::Samples(samples) => self.samples(whole, samples),
            Content::Drills(drills) => PlannedTest {
                drills: drills.to_vec(),
                longest_s: DRILL_WITHIN.as_secs_f64() * drills.len() as f64,
                ..self.bare(whole, TestContent::Drills)
            },
            Content::Matrix(_) => unreachable!("a grid is split into its cells before"),
        }
    }

    /// Users, spawn rate and run time of the command line; missing values come from the phases.
    fn run_time(&self, load: LoadOverride, given: &[Phase]) -> Vec<PlannedPhase> {
        let as_written = phases::of_phases(given, Model::Closed, Scale::new(1.0, Duration::ZERO));
        let peak = as_written
            .iter()
            .map(PlannedPhase::level)
            .fold(0.0, f64::max);
        let total = as_written.last().map_or(0.0, |phase| phase.end_s);
        let ramp = given.iter().find_map(|phase| match phase {
            Phase::Ramp(ramp) => ramp.at_per_s,
            _ => None,
        });
        let users = load.users.unwrap_or(peak);
        let rate = load.spawn_rate.or(ramp).unwrap_or(SPAWN_RATE) / self.scale.factor;
        let total = load.run_time.unwrap_or(Duration::from_secs_f64(total));
        let total = self.whole(total, users, rate);
        phases::of_run_time(users, rate, total, Model::Closed)
    }

    /// The total length of a ramp, at an already scaled rate, and the level that it leads to.
    fn whole(&self, total: Duration, level: f64, at_per_s: f64) -> Duration {
        let ramp = Duration::try_from_secs_f64(level / at_per_s).unwrap_or(total);
        self.scale.with_ramp(total, ramp)
    }

    fn faults(&self, whole: &EffectivePart<'_>) -> Vec<PlannedFault> {
        let declared = whole.faults.iter();
        declared
            .map(|(name, fault)| faults::planned(name, fault, self.scale.factor))
            .collect()
    }

    fn of_phases(
        &self,
        whole: &EffectivePart<'_>,
        content: TestContent,
        phases: Vec<PlannedPhase>,
    ) -> PlannedTest {
        let end = phases.last().map_or(0.0, |phase| phase.end_s);
        PlannedTest {
            options: options::of_phases(whole, &phases),
            longest_s: end + graceful_stop(whole).as_secs_f64(),
            phases,
            ..self.bare(whole, content)
        }
    }

    fn samples(&self, whole: &EffectivePart<'_>, samples: &Samples) -> PlannedTest {
        let mut test = PlannedTest {
            options: options::of_samples(whole, samples),
            longest_s: SAMPLES_WITHIN.as_secs_f64(),
            ..self.bare(whole, TestContent::Samples)
        };
        if let Some(hold) = samples.hold {
            let hold_s = self.scale.any(hold.get()).as_secs_f64();
            test.env.insert("HOLD_S".to_owned(), hold_s.to_string());
        }
        test
    }

    fn search(&self, whole: &EffectivePart<'_>, search: &Search) -> PlannedTest {
        let each = step::each(search.each.get(), self.scale).as_secs_f64();
        let rest = self.scale.any(search.rest.get()).as_secs_f64();
        let doublings = (search.until / search.from).log2().ceil().max(0.0);
        let bisections = (1.0 / search.precision).log2().ceil();
        // The first level, the doublings, the bisections, and a confirmation that counts twice.
        let steps = 1.0 + doublings + bisections + 2.0;
        PlannedTest {
            search: Some(PlannedSearch {
                of: search.of.name(),
                from: search.from,
                until: search.until,
                precision: search.precision,
                each_s: each,
                rest_s: rest,
                most_steps: steps as u32,
            }),
            longest_s: steps * (each + rest + graceful_stop(whole).as_secs_f64()),
            ..self.bare(whole, TestContent::Search)
        }
    }

    fn bare(&self, whole: &EffectivePart<'_>, content: TestContent) -> PlannedTest {
        let simulated = whole.file.system.is_some();
        PlannedTest {
            name: whole.name.to_owned(),
            part: whole.part.map(str::to_owned),
            cell: IndexMap::new(),
            model: whole.model.into(),
            content,
            classes: classes_of(whole),
            phases: Vec::new(),
            search: None,
            drills: Vec::new(),
            faults: self.faults(whole),
            full: whole.full,
            until: Vec::new(),
            options: Value::Null,
            env: whole.env.clone(),
            before: PlannedBefore::new(whole.before, self.scale.factor, simulated),
            judge: self.judge(whole.judge),
            longest_s: 0.0,
        }
    }

    /// The bound on recovery is scaled like the phases.
    fn judge(&self, asked: &Judge) -> Judge {
        Judge {
            recovery_within: asked
                .recovery_within
                .map(|within| scaled(within.get(), self.scale.factor).into()),
            ..asked.clone()
        }
    }

    fn cell(&self, whole: &EffectivePart<'_>, matrix: &Matrix, cell: Cell) -> PlannedTest {
        let each = matrix.each.unwrap_or_default();
        let mut test = match (&matrix.search, cell.level) {
            (Some(search), _) => self.search(whole, search),
            (None, Some(level)) => {
                let rate = matrix
                    .at_per_s
                    .map_or(f64::INFINITY, |rate| rate / self.scale.factor);
                let total = self.whole(each.get(), level, rate);
                let planned = phases::of_run_time(level, rate, total, whole.model);
                self.of_phases(whole, TestContent::Phases, planned)
            }
            (None, None) => self.bare(whole, TestContent::Phases),
        };
        for (name, value) in cell.env {
            test.cell.insert(name.clone(), json!(value));
            test.env.insert(name, value);
        }
        for ((host, resource), value) in cell.set {
            test.cell
                .insert(format!("{host}.{resource}"), value.clone());
            test.before
                .set
                .entry(host)
                .or_default()
                .insert(resource, value);
        }
        if let Some(level) = cell.level {
            test.cell.insert("level".to_owned(), json!(level));
        }
        test
    }
}

#[derive(Debug, Clone, Default)]
struct Cell {
    env: Vec<(String, String)>,
    set: Vec<((String, String), Value)>,
    level: Option<f64>,
}

/// All combinations, the last axis varying fastest; levels are paired with `set` if the matrix says so.
fn grid(whole: &EffectivePart<'_>, matrix: &Matrix, scaling: &Scaling) -> Vec<PlannedTest> {
    let mut cells = vec![Cell::default()];
    for (name, values) in &matrix.env {
        cells = crossed(cells, values, |cell, value| {
            cell.env.push((name.clone(), value.clone()));
        });
    }
    for (host, resources) in &matrix.set {
        for (resource, values) in resources {
            cells = crossed(cells, values, |cell, value| {
                cell.set
                    .push(((host.clone(), resource.clone()), value.clone()));
            });
        }
    }
    if matrix.paired {
        for (cell, level) in cells.iter_mut().zip(&matrix.levels) {
            cell.level = Some(*level);
        }
    } else if !matrix.levels.is_empty() {
        cells = crossed(cells, &matrix.levels, |cell, level| {
            cell.level = Some(*level);
        });
    }
    cells
        .into_iter()
        .map(|cell| scaling.cell(whole, matrix, cell))
        .collect()
}

fn crossed<T>(cells: Vec<Cell>, values: &[T], put: impl Fn(&mut Cell, &T)) -> Vec<Cell> {
    let with = |cell: &Cell, value: &T| {
        let mut cell = cell.clone();
        put(&mut cell, value);
        cell
    };
    cells
        .iter()
        .flat_map(|cell| {
            values
                .iter()
                .map(|value| with(cell, value))
                .collect::<Vec<_>>()
        })
        .collect()
}
