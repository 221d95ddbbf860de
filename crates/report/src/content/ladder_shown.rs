//! A ladder as charts, tables and sentences.

use analysis::capacity::{Agreement, Estimate, Method};
use analysis::usl::{self, Fit, Reach};

use super::ladder::{Ladder, Step};
use crate::chart::{Axis, Chart, Labels, Limit, Series, Shape};
use crate::number::{DASH, figure, or_dash, percent};
use crate::table::{Cell, Table};

impl Ladder {
    /// Throughput over load: measured, fitted by the law, and without any loss.
    pub fn chart(&self, id: &str) -> Chart {
        let points = self
            .steps
            .iter()
            .map(|step| (step.load, Some(step.throughput)));
        let mut series = vec![Series {
            name: "measured".to_owned(),
            note: String::new(),
            colour: 0,
            shape: Shape::Dots,
            points: points.collect(),
        }];
        let most = self.steps.last().map_or(1.0, |step| step.load);
        let largest = self
            .steps
            .iter()
            .map(|step| step.throughput)
            .fold(0.0, f64::max);
        if let Some(fit) = &self.fit {
            let curve = (1..=60).map(|at| most * f64::from(at) / 60.0);
            series.push(Series {
                name: "Universal Scalability Law".to_owned(),
                note: format!("R² {:.4}", fit.r_squared),
                colour: 1,
                shape: Shape::Line,
                points: curve
                    .map(|load| (load, Some(fit.throughput(load))))
                    .collect(),
            });
        }
        if let Some(first) = self.steps.first() {
            // Only up to the height of the chart.
            let end = (1.1 * largest * first.load / first.throughput.max(1e-9)).min(most);
            series.push(Series {
                name: "perfect scaling".to_owned(),
                note: String::new(),
                colour: 6,
                shape: Shape::Dashed,
                points: vec![
                    (0.0, Some(0.0)),
                    (end, Some(end * first.throughput / first.load)),
                ],
            });
        }
        let mut x = Axis::from_zero(self.unit, most, Labels::Figures);
        x.to = most * 1.03;
        Chart {
            id: id.to_owned(),
            title: format!("Throughput over {}", self.unit),
            description: format!(
                "Successes per second at {} loads up to {}; the largest is {}.",
                self.steps.len(),
                figure(most),
                figure(largest)
            ),
            x,
            y: Axis::from_zero("successes/s", 1.1 * largest, Labels::Figures),
            series,
            bands: Vec::new(),
            limits: Vec::new(),
            moments: Vec::new(),
            data: Table::default(),
        }
    }

    /// Throughput per user relative to the first step.
    pub fn efficiency_chart(&self, id: &str) -> Chart {
        let most = self.steps.last().map_or(1.0, |step| step.load);
        let base = self
            .steps
            .first()
            .map_or(0.0, |first| first.throughput / first.load);
        let efficiency =
            |step: &Step| (base > 0.0).then(|| 100.0 * step.throughput / step.load / base);
        let points: Vec<(f64, Option<f64>)> = self
            .steps
            .iter()
            .map(|step| (step.load, efficiency(step)))
            .collect();
        let largest = points.iter().filter_map(|(_, y)| *y).fold(100.0, f64::max);
        let series = |shape, name: &str| Series {
            name: name.to_owned(),
            note: String::new(),
            colour: 2,
            shape,
            points: points.clone(),
        };
        let mut x = Axis::from_zero(self.unit, most, Labels::Figures);
        x.to = most * 1.03;
        Chart {
            id: id.to_owned(),
            title: "Efficiency".to_owned(),
            description: format!(
                "Throughput per load, as a share of the first step's, at {} loads; below 90 % a system counts as saturated.",
                self.steps.len()
            ),
            x,
            y: Axis::from_zero("% of the first step", largest, Labels::Figures),
            series: vec![
                series(Shape::Area, "efficiency"),
                series(Shape::Dots, "step"),
            ],
            bands: Vec::new(),
            limits: vec![Limit {
                name: "saturated below 90 %".to_owned(),
                y: 90.0,
            }],
            moments: Vec::new(),
            data: Table::default(),
        }
    }

    /// One row per step, with its efficiency.
    pub fn steps_table(&self) -> Table {
        let load = format!("#{}", self.unit);
        let mut table = Table::new(
            "Steps of the ladder",
            &[
                "step",
                &load,
                "#successes/s",
                "#fitted",
                "#efficiency",
                "#succeeded",
                "#mean ms",
                "#p95 ms",
                "#CPU",
                "threshold",
            ],
        );
        let base = self
            .steps
            .first()
            .map(|first| first.throughput / first.load);
        for step in &self.steps {
            let efficiency = base
                .filter(|base| *base > 0.0)
                .map(|base| step.throughput / step.load / base);
            let passed = match step.passed {
                Some(true) => Cell::marked("✓ held", "good"),
                Some(false) => Cell::marked("✕ crossed", "bad"),
                None => DASH.into(),
            };
            let fitted = self.fit.as_ref().map(|fit| fit.throughput(step.load));
            table.row(vec![
                step.phase.as_str().into(),
                figure(step.load).into(),
                figure(step.throughput).into(),
                or_dash(fitted, figure).into(),
                or_dash(efficiency, percent).into(),
                percent(step.success_rate).into(),
                figure(step.mean_ms).into(),
                or_dash(step.p95_ms, figure).into(),
                or_dash(step.cpu, percent).into(),
                passed,
            ]);
        }
        table.without_empty_columns()
    }

    /// The four estimates of the capacity, each with the question that it answers.
    pub fn estimates_table(&self) -> Table {
        let mut table = Table::new(
            "Estimates of the capacity",
            &[
                "method",
                "answers",
                "#throughput/s",
                "95 % interval",
                "#at load",
                "reach",
            ],
        );
        for method in METHODS {
            let question = method.question();
            let found = self
                .estimates
                .iter()
                .find(|estimate| estimate.method == method);
            let missing = self.missing.iter().find(|(of, _)| *of == method);
            let row = match (found, missing) {
                (Some(estimate), _) => estimate_cells(estimate),
                (None, Some((_, why))) => [
                    DASH.into(),
                    DASH.into(),
                    DASH.into(),
                    Cell::marked(format!("none: {why}"), "quiet"),
                ],
                (None, None) => continue,
            };
            let mut cells: Vec<Cell> = vec![name(method).into(), question.into()];
            cells.extend(row);
            table.row(cells);
        }
        table
    }

    /// One sentence each on the agreement of the estimates, the law's coefficients and the figures of the
    /// ladder.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![match self.agreement {
            Agreement::Agree => "The estimates within the measured range agree.".to_owned(),
            Agreement::Differ { factor } => format!(
                "The estimates within the measured range differ by a factor of {}: they answer different questions.",
                figure(factor)
            ),
            Agreement::TooFew => {
                "Fewer than two estimates lie within the measured range: nothing confirms them."
                    .to_owned()
            }
        }];
        if let Some(fit) = &self.fit {
            sentences.push(law(fit));
        }
        if let Some(figures) = &self.figures {
            sentences.push(format!(
                "Linear scalability score {}; largest stable number of users {}; retention there {}; \
                 saturation (efficiency 0.90) at {} users.",
                figure(figures.linear_scalability_score),
                or_dash(figures.max_stable_users, figure),
                or_dash(figures.retention, percent),
                or_dash(figures.saturation_point, figure)
            ));
        }
        if let Some((demand, gain)) = self
            .attribution
            .as_ref()
            .and_then(|all| all.bottleneck().zip(all.gain_if_doubled))
        {
            sentences.push(format!(
                "By service demand the bottleneck is {} with {} ms a request; doubling it would {}.",
                part(&demand.resource),
                figure(1000.0 * demand.demand_s),
                raised(gain)
            ));
        }
        sentences
    }
}

/// A watched figure as the name of its part: `pools pool_db_ratio` is `pool db`, `db cpu` is `cpu of db`.
fn part(resource: &str) -> String {
    let (host, name) = resource.rsplit_once(' ').unwrap_or(("", resource));
    let ends = ["_ratio", "_utilisation", "_busy"];
    let name = ends
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    if let Some(pool) = name.strip_prefix("pool_") {
        return format!("pool {pool}");
    }
    match host {
        "" => name.replace('_', " "),
        host => format!("{} of {host}", name.replace('_', " ")),
    }
}

#[test]
fn a_bottleneck_is_named_as_a_part_of_the_system() {
    assert_eq!(part("pools pool_db_ratio"), "pool db");
    assert_eq!(part("database cpu"), "cpu of database");
    assert_eq!(part("cpu"), "cpu");
    assert_eq!(raised(2.0), "double the limit");
    assert_eq!(raised(1.5), "multiply the limit by 1.50");
}

/// The effect of a doubled resource on the limit.
fn raised(gain: f64) -> String {
    if (gain - 2.0).abs() < 0.005 {
        "double the limit".to_owned()
    } else {
        format!("multiply the limit by {}", figure(gain))
    }
}

const METHODS: [Method; 4] = [
    Method::SloSearch,
    Method::UslPeak,
    Method::Kneedle,
    Method::ServiceDemand,
];

fn name(method: Method) -> &'static str {
    match method {
        Method::SloSearch => "SLO search",
        Method::UslPeak => "USL peak",
        Method::Kneedle => "Kneedle",
        Method::ServiceDemand => "service demand",
    }
}

fn estimate_cells(estimate: &Estimate) -> [Cell; 4] {
    let mark = if estimate.reach.is_extrapolated() {
        "struck"
    } else {
        "plain"
    };
    let interval = estimate.interval.as_ref().map_or_else(
        || DASH.to_owned(),
        |interval| {
            let end = |value: f64| {
                if value.is_finite() {
                    figure(value)
                } else {
                    "∞".to_owned()
                }
            };
            format!("{} to {}", end(interval.lower), end(interval.upper))
        },
    );
    let reach = match estimate.reach {
        Reach::Measured => "measured".into(),
        Reach::Extrapolated { beyond } => {
            Cell::marked(format!("extrapolated beyond {}", figure(beyond)), "warn")
        }
    };
    [
        Cell::marked(figure(estimate.throughput), mark),
        interval.into(),
        Cell::marked(or_dash(estimate.load, figure), mark),
        reach,
    ]
}

fn law(fit: &Fit) -> String {
    let of = |coefficient: &usl::Coefficient| {
        format!(
            "{} ({} to {})",
            figure(coefficient.estimate),
            figure(coefficient.interval.lower),
            figure(coefficient.interval.upper)
        )
    };
    let peak = match fit.peak() {
        None => "it has no peak".to_owned(),
        Some(peak) => {
            let beyond = match peak.reach {
                Reach::Measured => String::new(),
                Reach::Extrapolated { beyond } => {
                    format!(
                        ", extrapolated beyond the largest load of {}",
                        figure(beyond)
                    )
                }
            };
            format!(
                "its peak is {}/s at load {}{beyond}",
                figure(peak.throughput),
                figure(peak.load)
            )
        }
    };
    let weak = if fit.is_weak {
        " Fewer than six different loads: the fit is weak."
    } else {
        ""
    };
    format!(
        "Universal Scalability Law: contention α {}, coherency β {}, γ {}; {peak}.{weak}",
        of(&fit.alpha),
        of(&fit.beta),
        of(&fit.gamma)
    )
}
