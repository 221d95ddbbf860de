//! No function panics on any input; input that cannot be analysed is rejected by name.

use analysis::apdex::Apdex;
use analysis::canary::{Criteria, Direction, classify};
use analysis::change_point::{Options, change_points};
use analysis::comparison::{Plan, compare};
use analysis::effective_size::{self, effective_size};
use analysis::fault::{Experiment, Window, impact};
use analysis::kneedle::{Shape, knee};
use analysis::ladder::{Rung, Stability, figures};
use analysis::mann_whitney::u_test;
use analysis::service_demand::{Resource, attribute};
use analysis::shift::hodges_lehmann;
use analysis::soak::soak;
use analysis::steady_state::{Limits, steady_state};
use analysis::trend::trend;
use analysis::{
    InputError, Sorted, adjustment, laws, least_squares, outlier, queueing, soak as soaks, usl,
};
use proptest::prelude::*;

type Analysis = (&'static str, fn(&[f64]) -> Result<(), InputError>);

/// Every analysis of a series, with the series in each possible place.
const ANALYSES: [Analysis; 29] = [
    ("Sorted::new", |x| Sorted::new(x).map(drop)),
    ("effective_size", |x| effective_size(x).map(drop)),
    ("mean", |x| effective_size::mean(x, 0.95).map(drop)),
    ("u_test, a", |x| u_test(x, &[1.0, 2.0]).map(drop)),
    ("u_test, b", |x| u_test(&[1.0, 2.0], x).map(drop)),
    ("shift, a", |x| {
        hodges_lehmann(x, &[1.0, 2.0], 0.9).map(drop)
    }),
    ("shift, b", |x| {
        hodges_lehmann(&[1.0, 2.0], x, 0.9).map(drop)
    }),
    ("compare, a", |x| {
        compare(x, &[1.0, 2.0], &Plan::default()).map(drop)
    }),
    ("compare, b", |x| {
        compare(&[1.0, 2.0], x, &Plan::default()).map(drop)
    }),
    ("change_points", |x| {
        change_points(x, &Options::default()).map(drop)
    }),
    ("trend, values", |x| trend(&counted(x), x, 0.95).map(drop)),
    ("trend, times", |x| trend(x, &counted(x), 0.95).map(drop)),
    ("soak", |x| {
        soak(&counted(x), x, &soaks::Plan::default()).map(drop)
    }),
    ("steady_state", |x| {
        steady_state(x, &Limits::default()).map(drop)
    }),
    ("usl, loads", |x| usl::fit(x, &counted(x), 0.95).map(drop)),
    ("usl, throughputs", |x| {
        usl::fit(&counted(x), x, 0.95).map(drop)
    }),
    ("usl, weights", |x| {
        usl::fit_weighted(&counted(x), &counted(x), x, 0.95).map(drop)
    }),
    ("knee, x", |x| {
        knee(x, &counted(x), Shape::ConvexRising, 1.0).map(drop)
    }),
    ("knee, y", |x| {
        knee(&counted(x), x, Shape::ConcaveRising, 1.0).map(drop)
    }),
    ("line, x", |x| {
        least_squares::line(x, &counted(x), 0.95).map(drop)
    }),
    ("line, y", |x| {
        least_squares::line(&counted(x), x, 0.95).map(drop)
    }),
    ("proportional", |x| {
        least_squares::proportional(x, &counted(x), 0.95).map(drop)
    }),
    ("pearson", |x| {
        least_squares::pearson(x, &counted(x)).map(drop)
    }),
    ("mad_fences", |x| outlier::mad_fences(x, 3.5).map(drop)),
    ("iqr_fences", |x| outlier::iqr_fences(x, 1.5).map(drop)),
    ("attribute, throughputs", |x| {
        let utilisations = vec![0.5; x.len()];
        let resource = Resource {
            name: "cpu",
            utilisations: &utilisations,
        };
        attribute(x, &[resource], 0.95).map(drop)
    }),
    ("attribute, utilisations", |x| {
        let resource = Resource {
            name: "cpu",
            utilisations: x,
        };
        attribute(&counted(x), &[resource], 0.95).map(drop)
    }),
    ("ladder, users", |x| ladder(x, |rung, x| rung.users = x)),
    ("ladder, throughputs", |x| {
        ladder(x, |rung, x| rung.throughput = x)
    }),
];

fn counted(x: &[f64]) -> Vec<f64> {
    (1u32..).zip(x).map(|(i, _)| f64::from(i)).collect()
}

fn ladder(x: &[f64], set: fn(&mut Rung, f64)) -> Result<(), InputError> {
    let rungs: Vec<Rung> = (1u32..)
        .zip(x)
        .map(|(i, x)| {
            let mut rung = Rung {
                users: f64::from(i),
                throughput: f64::from(i),
                success_rate: 1.0,
                mean_response: 1.0,
                cpu: None,
            };
            set(&mut rung, *x);
            rung
        })
        .collect();
    figures(&rungs, &Stability::default()).map(drop)
}

#[test]
fn values_that_are_not_finite_are_rejected_with_their_index() {
    let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
    for (name, analysis) in ANALYSES {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut values = hundred.clone();
            values[70] = bad;
            let refused = analysis(&values).expect_err(name);
            match refused {
                InputError::NotFinite { index, .. } => assert_eq!(index, 70, "{name}"),
                InputError::OutOfRange { value, .. } => {
                    assert_eq!(value.to_bits(), bad.to_bits(), "{name}");
                }
                other => panic!("{name}: {other}"),
            }
        }
    }
}

#[test]
fn nothing_is_refused_as_empty_or_too_few() {
    for (name, analysis) in ANALYSES {
        let refused = analysis(&[]).expect_err(name);
        let is_named = matches!(
            refused,
            InputError::Empty { .. } | InputError::TooFew { .. }
        );
        assert!(is_named, "{name}: {refused}");
    }
}

#[test]
fn one_value_and_equal_values_are_analysed_or_refused_by_name() {
    for (name, analysis) in ANALYSES {
        for values in [vec![0.0], vec![5.0], vec![5.0; 200], vec![0.0; 200]] {
            if let Err(refused) = analysis(&values) {
                let text = refused.to_string();
                assert!(!text.is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn confidences_and_levels_outside_their_range_are_refused() {
    let x: Vec<f64> = (1..=100).map(f64::from).collect();
    for confidence in [0.0, 1.0, -1.0, 95.0, f64::NAN] {
        let refused = |result: Result<(), InputError>| {
            assert!(
                matches!(result, Err(InputError::OutOfRange { .. })),
                "{confidence}"
            );
        };
        refused(effective_size::mean(&x, confidence).map(drop));
        refused(hodges_lehmann(&x, &x, confidence).map(drop));
        refused(trend(&x, &x, confidence).map(drop));
        refused(usl::fit(&x, &x, confidence).map(drop));
        refused(least_squares::line(&x, &x, confidence).map(drop));
        let criteria = Criteria {
            direction: Direction::Either,
            tolerance: 0.25,
            confidence,
        };
        refused(classify(&x, &[1.0], &criteria).map(drop));
        let plan = Plan {
            confidence,
            ..Plan::default()
        };
        refused(compare(&x, &x, &plan).map(drop));
    }
    assert!(queueing::mm1(1.0, f64::NAN).is_err() && queueing::mm1(f64::NAN, 1.0).is_err());
    assert!(laws::little(f64::NAN, 1.0, 1.0, 0.1).is_err());
    assert!(Apdex::count(&[1.0], 0, 0.0).is_err());
    assert!(adjustment::benjamini_hochberg(&[-0.1]).is_err());
}

#[test]
fn windows_of_a_fault_that_overlap_are_refused() {
    let window = |start_s, end_s| Window {
        start_s,
        end_s,
        requests: 10,
        bad: 0,
    };
    let experiment = Experiment {
        injected_s: 1.0,
        removed_s: 2.0,
        good_share: 0.9,
        stable_s: 1.0,
    };
    assert!(impact(&[], &experiment).is_err());
    assert!(impact(&[window(0.0, 1.0), window(0.5, 1.5)], &experiment).is_err());
    assert!(impact(&[window(1.0, 1.0)], &experiment).is_err());
    assert!(impact(&[window(f64::NAN, 1.0)], &experiment).is_err());
}

proptest! {
    #[test]
    fn nothing_panics(values in prop::collection::vec(any_number(), 0..120)) {
        for (_, analysis) in ANALYSES {
            let _ = analysis(&values);
        }
    }
}

/// All kinds of floats, with many equal ones.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-10i32..10).prop_map(f64::from),
        4 => (-1_000_000i32..1_000_000).prop_map(f64::from),
        1 => prop::num::f64::ANY,
    ]
}
