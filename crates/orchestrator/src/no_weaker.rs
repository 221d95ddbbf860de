//! Property test that nothing in a request makes a verdict weaker, with random fleets, policies and requests.
//! It runs the service's own planning and judging; only the detectors' answers are generated.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use detector_api::detect::ContentType;
use detector_api::orchestrate::{ConflictMethod, Priority, ProcessingMode, Verdict};
use proptest::prelude::*;
use proptest::sample::{Index, select as any_of};
use resilience::breaker::{Rejected, State};
use service_runtime::Shutdown;

use crate::answer::aggregate::{Aggregated, aggregate, failure};
use crate::answer::attested::{AttestedAnswer, CLEAN, Finding};
use crate::answer::verdict::PartialVerdict;
use crate::ask::called::{Called, Source as From};
use crate::ask::failure::Failure;
use crate::ask::registry::{Detector, DetectorName, Observers, Registry, SpelledName};
use crate::ask::trust::RegistrationSource;
use crate::config::{DetectorSettings, OnFailure};
use crate::events::Events;
use crate::metrics::Metrics;
use crate::policy::{Collect, CoverageMethod, Policy};
use crate::request::intake::Accepted;
use crate::request::select::{Plan, Rules, plan};

/// Names of detectors, of which a fleet has some; the others are unknown or aliases.
const NAMES: [&str; 6] = ["d0", "d1", "d2", "d3", "d4", "d5"];
/// Other spellings; some of them are aliases.
const WORDS: [&str; 10] = [
    "x0", "x1", "x2", "x3", "x4", "ghost", "d0", "d1", "d2", "d5",
];
const LABELS: [&str; 3] = ["pii", "toxic", "spam"];
const SCORES: [f64; 8] = [0.0, 0.1, 0.3, 0.5, 0.6, 0.7, 0.9, 1.0];
const SHARES: [f64; 6] = [0.0, 0.3, 0.5, 0.6, 0.8, 1.0];

/// The answer of one detector to any request.
#[derive(Debug, Clone)]
enum ScriptedAnswer {
    Fresh(AttestedAnswer),
    Stale(AttestedAnswer),
    Nothing(Failure),
}

#[derive(Debug, Clone)]
struct World {
    fleet: Vec<DetectorSettings>,
    policy: Policy,
    said: Vec<ScriptedAnswer>,
}

#[derive(Debug, Clone)]
struct RequestOptions {
    required: Vec<SpelledName>,
    excluded: Vec<SpelledName>,
    priority: Priority,
}

impl RequestOptions {
    fn none() -> Self {
        Self {
            required: Vec::new(),
            excluded: Vec::new(),
            priority: Priority::Normal,
        }
    }
}

/// The random events of one request: the order of the answers, and the detectors that fail only this request.
#[derive(Debug, Clone)]
struct RandomEvents {
    order: Vec<Index>,
    unlucky: Vec<bool>,
}

/// The end of a request.
#[derive(Debug, PartialEq)]
enum Ended {
    /// Refused, or no counting detector answered.
    Error,
    Judged {
        verdict: Verdict,
        coverage: f64,
        asked: Vec<DetectorName>,
        left_out: Vec<DetectorName>,
    },
}

impl Ended {
    fn passes(&self) -> bool {
        matches!(self, Self::Judged { verdict, .. } if *verdict == Verdict::Pass)
    }
}

static SHARED: LazyLock<(Arc<Metrics>, Arc<Events>)> = LazyLock::new(|| {
    let metrics = Metrics::new(10).expect("the metrics are sound");
    (metrics, Arc::new(Events::new(0)))
});

impl World {
    fn registry(&self) -> Registry {
        let (metrics, events) = &*SHARED;
        let detector = |settings: &DetectorSettings| {
            let stop = Shutdown::new();
            let detector = Detector::new(
                settings.clone(),
                RegistrationSource::File,
                Observers { metrics, events },
                stop,
            );
            Arc::new(detector)
        };
        Registry::new(self.fleet.iter().map(detector))
    }

    fn plan(&self, registry: &Registry, wishes: &RequestOptions) -> Option<Plan> {
        let request = Accepted {
            content: "x".into(),
            content_type: ContentType::Text,
            tenant: "t".to_owned(),
            bundle: "default".to_owned(),
            mode: ProcessingMode::Sync,
            priority: wishes.priority,
            required: wishes.required.clone(),
            excluded: wishes.excluded.clone(),
        };
        let rules = Rules {
            policy: Arc::new(self.policy.clone()),
            bundle: "default".into(),
            version: 1,
            digest: [0; 32],
            default_coverage: 0.8,
        };
        plan(&request, registry, &rules).ok()
    }

    fn answer(&self, plan: &Plan, luck: &RandomEvents) -> Vec<Called> {
        let mut called: Vec<Option<Called>> = plan.selected.iter().map(|_| None).collect();
        let mut so_far = PartialVerdict::new(plan);
        let mut left: Vec<usize> = (0..plan.selected.len()).collect();
        let mut turns = luck.order.iter().cycle();
        while !left.is_empty() {
            let turn = turns.next().expect("there are some");
            let place = left.swap_remove(turn.index(left.len()));
            let call = self.call(plan, place, luck);
            so_far.add(place, &call);
            called[place] = Some(call);
            if self.policy.collect == Collect::UntilDecided && so_far.is_decided() {
                break;
            }
        }
        let missing = || told(Err(Failure::NotNeeded), From::OwnCall);
        called
            .into_iter()
            .map(|call| call.unwrap_or_else(missing))
            .collect()
    }

    fn call(&self, plan: &Plan, place: usize, luck: &RandomEvents) -> Called {
        let one = &plan.selected[place];
        if one.detector.is_none() {
            return told(Err(Failure::Unknown), From::OwnCall);
        }
        let number = self.number(&one.name).expect("registered");
        if luck.unlucky[number]
            && let Some(failure) = misfortune(plan, place)
        {
            return told(Err(failure), From::OwnCall);
        }
        match &self.said[number] {
            ScriptedAnswer::Fresh(answer) => told(Ok(answer.clone()), From::OwnCall),
            ScriptedAnswer::Stale(answer) => {
                told(Ok(answer.clone()), From::Stale(Duration::from_secs(9)))
            }
            ScriptedAnswer::Nothing(failure) => told(Err(*failure), From::OwnCall),
        }
    }

    fn number(&self, name: &DetectorName) -> Option<usize> {
        self.fleet.iter().position(|it| it.name == name.as_str())
    }

    fn run(&self, wishes: &RequestOptions, luck: &RandomEvents) -> Ended {
        let registry = self.registry();
        let Some(plan) = self.plan(&registry, wishes) else {
            return Ended::Error;
        };
        let called = self.answer(&plan, luck);
        if failure(&plan, &called).is_some() {
            return Ended::Error;
        }
        let Aggregated {
            verdict, coverage, ..
        } = aggregate(&plan, &called, "t");
        let names = |all: &[crate::request::select::Selected]| {
            all.iter().map(|it| it.name.clone()).collect()
        };
        Ended::Judged {
            verdict,
            coverage,
            asked: names(&plan.selected),
            left_out: names(&plan.left_out),
        }
    }
}

/// The ways in which a detector may fail because of this request, and not for another one.
fn misfortune(plan: &Plan, place: usize) -> Option<Failure> {
    let one = &plan.selected[place];
    let may_be_left_out = !one.required && one.on_failure != OnFailure::Closed;
    match plan.priority {
        Priority::Critical => Some(Failure::Deadline),
        Priority::Low => Some(Failure::Busy),
        Priority::Normal | Priority::High if plan.has_wishes && may_be_left_out => {
            Some(Failure::BrownOut)
        }
        Priority::Normal | Priority::High => None,
    }
}

fn told(outcome: Result<AttestedAnswer, Failure>, origin: From) -> Called {
    Called {
        source: origin,
        ..Called::instant(&"d".into(), outcome, 0.0)
    }
}

fn word() -> impl Strategy<Value = SpelledName> {
    prop_oneof![any_of(&NAMES[..]), any_of(&WORDS[..])].prop_map(SpelledName::from)
}

fn words(most: usize) -> impl Strategy<Value = Vec<SpelledName>> {
    proptest::collection::vec(word(), 0..=most)
}

/// Often empty, as in most policies.
fn few_words() -> impl Strategy<Value = Vec<SpelledName>> {
    prop_oneof![5 => Just(Vec::new()), 4 => words(2), 1 => words(5)]
}

fn mode() -> impl Strategy<Value = OnFailure> {
    prop_oneof![
        1 => Just(OnFailure::Closed),
        1 => Just(OnFailure::Degrade),
        8 => Just(OnFailure::Open),
    ]
}

fn capabilities() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(vec!["pii", "toxic"], 0..=2)
        .prop_map(|all| all.into_iter().map(str::to_owned).collect())
}

fn settings(name: &'static str) -> impl Strategy<Value = DetectorSettings> {
    let types = prop_oneof![
        8 => Just(Vec::new()),
        1 => Just(vec![ContentType::Text]),
        1 => Just(vec![ContentType::Code]),
    ];
    let shadow = prop_oneof![19 => Just(None), 1 => any_of(&NAMES[..]).prop_map(Some)];
    (
        proptest::collection::vec(any_of(&WORDS[..]), 0..3),
        (capabilities(), types, any_of(vec![0.0, 1.0, 1.0, 1.0, 2.0])),
        (mode(), prop::bool::weighted(0.07), shadow),
    )
        .prop_map(
            move |(aliases, (capabilities, content_types, weight), more)| {
                let own = DetectorSettings::new(name, "http://127.0.0.1:9/detect");
                DetectorSettings {
                    aliases: aliases.into_iter().map(str::to_owned).collect(),
                    capabilities,
                    content_types,
                    weight,
                    on_failure: more.0,
                    required: more.1,
                    shadow_of: more.2.map(str::to_owned),
                    ..own.expect("an endpoint")
                }
            },
        )
}

fn fleet() -> impl Strategy<Value = Vec<DetectorSettings>> {
    let names = proptest::sample::subsequence(NAMES.to_vec(), 1..=NAMES.len());
    names.prop_flat_map(|names| names.into_iter().map(settings).collect::<Vec<_>>())
}

/// Mostly clean, since otherwise hardly any request would pass.
fn answer() -> impl Strategy<Value = AttestedAnswer> {
    let found = proptest::collection::btree_map(any_of(&LABELS[..]), any_of(&SCORES[..]), 1..3);
    let found = prop_oneof![3 => Just(BTreeMap::new()), 2 => found];
    // Few distinct values, so that there are ties.
    (found, any_of(vec![0.5, 0.9])).prop_map(|(found, confidence)| {
        let best = found.iter().max_by(|a, b| a.1.total_cmp(b.1));
        AttestedAnswer {
            output: best.map_or(CLEAN, |(label, _)| *label).into(),
            confidence,
            findings: found
                .iter()
                .map(|(label, score)| Finding {
                    start: 0,
                    end: 0,
                    label: (*label).to_owned(),
                    category: "c".to_owned(),
                    score: *score,
                })
                .collect(),
        }
    })
}

fn said() -> impl Strategy<Value = ScriptedAnswer> {
    let rejected = Failure::Breaker(Rejected {
        state: State::Open,
        retry_after: Duration::from_secs(1),
    });
    let nothing = any_of(vec![Failure::Timeout, Failure::OutOfRotation, rejected]);
    prop_oneof![
        12 => answer().prop_map(ScriptedAnswer::Fresh),
        1 => answer().prop_map(ScriptedAnswer::Stale),
        3 => nothing.prop_map(ScriptedAnswer::Nothing),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let method = prop_oneof![
        Just(CoverageMethod::WeightedCoverage),
        Just(CoverageMethod::RequiredSet),
        Just(CoverageMethod::TaxonomyCoverage),
    ];
    let conflict = any_of(vec![
        None,
        Some(ConflictMethod::HighestConfidence),
        Some(ConflictMethod::MajorityVote),
        Some(ConflictMethod::WeightedAverage),
        Some(ConflictMethod::MostRestrictive),
        Some(ConflictMethod::TenantPreference),
    ]);
    let some = prop_oneof![6 => Just(Vec::new()), 1 => capabilities()];
    let modes = proptest::collection::btree_map(word(), mode(), 0..3);
    let weights = proptest::collection::btree_map(word(), any_of(vec![0.0, 1.0, 3.0]), 0..3);
    (
        (few_words(), some, few_words(), method, conflict),
        (
            any_of(vec![0.0, 0.0, 0.3, 0.5, 0.8]),
            capabilities(),
            words(3),
        ),
        (
            any_of(&SHARES[..]),
            any::<bool>(),
            modes,
            weights,
            any_of(&SHARES[..]),
        ),
    )
        .prop_map(|(who, coverage, how)| Policy {
            detectors: who.0,
            capabilities: who.1,
            required_detectors: who.2,
            coverage_method: who.3,
            conflict_method: who.4,
            min_coverage: Some(coverage.0),
            required_categories: coverage.1,
            preference: coverage.2,
            block_score: how.0,
            collect: if how.1 {
                Collect::UntilDecided
            } else {
                Collect::All
            },
            on_failure: how.2,
            weights: how.3,
            stale_if_open: how.4,
        })
}

fn world() -> impl Strategy<Value = World> {
    let said = proptest::collection::vec(said(), NAMES.len());
    (fleet(), policy(), said).prop_map(|(fleet, policy, said)| World {
        fleet,
        policy,
        said,
    })
}

fn wishes() -> impl Strategy<Value = RequestOptions> {
    let priority = prop_oneof![
        3 => Just(Priority::Normal),
        1 => any_of(vec![Priority::Low, Priority::High, Priority::Critical]),
    ];
    (few_words(), few_words(), priority).prop_map(|(required, excluded, priority)| RequestOptions {
        required,
        excluded,
        priority,
    })
}

fn luck() -> impl Strategy<Value = RandomEvents> {
    (
        proptest::collection::vec(any::<Index>(), NAMES.len()),
        proptest::collection::vec(prop::bool::weighted(0.3), NAMES.len()),
    )
        .prop_map(|(order, unlucky)| RandomEvents { order, unlucky })
}

/// The request without one part: a field, or one name in `excluded_detectors`. One name in `required_detectors`
/// only if the policy chooses the detectors: otherwise a request that names fewer leaves out more.
fn with_one_thing_less(wishes: &RequestOptions, policy: &Policy) -> Vec<RequestOptions> {
    let mut less = vec![
        RequestOptions::none(),
        RequestOptions {
            required: Vec::new(),
            ..wishes.clone()
        },
        RequestOptions {
            excluded: Vec::new(),
            ..wishes.clone()
        },
        RequestOptions {
            priority: Priority::Normal,
            ..wishes.clone()
        },
    ];
    for place in 0..wishes.excluded.len() {
        let mut fewer = wishes.clone();
        fewer.excluded.remove(place);
        less.push(fewer);
    }
    let is_open = policy.detectors.is_empty() && policy.capabilities.is_empty();
    for place in 0..if is_open { 0 } else { wishes.required.len() } {
        let mut fewer = wishes.clone();
        fewer.required.remove(place);
        less.push(fewer);
    }
    less
}

/// Another spelling for the same detector.
fn respell(spelled: &SpelledName, registry: &Registry, turn: &Index) -> SpelledName {
    let meant = registry.resolve(spelled);
    let ways: Vec<SpelledName> = NAMES
        .iter()
        .chain(&WORDS)
        .map(|word| SpelledName::from(*word))
        .filter(|word| registry.resolve(word) == meant)
        .collect();
    if ways.is_empty() {
        return spelled.clone();
    }
    ways[turn.index(ways.len())].clone()
}

fn respell_keys<T: Copy>(
    map: &BTreeMap<SpelledName, T>,
    registry: &Registry,
    turn: &Index,
) -> BTreeMap<SpelledName, T> {
    let names: Vec<DetectorName> = map.keys().map(|key| registry.resolve(key)).collect();
    let is_twice = |name: &DetectorName| names.iter().filter(|it| *it == name).count() > 1;
    map.iter()
        .map(|(key, value)| match is_twice(&registry.resolve(key)) {
            // Which of the two counts depends on the spelling.
            true => (key.clone(), *value),
            false => (respell(key, registry, turn), *value),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8_000))]

    #[test]
    fn nothing_added_to_a_request_turns_another_verdict_into_pass(
        world in world(), wishes in wishes(), before in luck(), after in luck(),
    ) {
        let before = RandomEvents { unlucky: vec![false; NAMES.len()], ..before };
        let more = world.run(&wishes, &after);
        if more.passes() {
            for less in with_one_thing_less(&wishes, &world.policy) {
                let ended = world.run(&less, &before);
                prop_assert!(ended.passes(), "{less:?} ends as {ended:?}, with more as {more:?}");
            }
        }
    }

    #[test]
    fn the_spelling_of_a_detector_changes_nothing(
        world in world(), wishes in wishes(), luck in luck(), turn in any::<Index>(),
    ) {
        let registry = world.registry();
        let again = |all: &[SpelledName]| -> Vec<SpelledName> {
            all.iter().map(|it| respell(it, &registry, &turn)).collect()
        };
        let policy = Policy {
            detectors: again(&world.policy.detectors),
            required_detectors: again(&world.policy.required_detectors),
            preference: again(&world.policy.preference),
            on_failure: respell_keys(&world.policy.on_failure, &registry, &turn),
            weights: respell_keys(&world.policy.weights, &registry, &turn),
            ..world.policy.clone()
        };
        let other = World { policy, ..world.clone() };
        let others = RequestOptions {
            required: again(&wishes.required),
            excluded: again(&wishes.excluded),
            ..wishes.clone()
        };
        prop_assert_eq!(world.run(&wishes, &luck), other.run(&others, &luck));
    }

    #[test]
    fn requests_that_share_an_answer_would_have_had_the_same_one(
        world in world(), one in wishes(), two in wishes(), luck in luck(),
    ) {
        let luck = RandomEvents { unlucky: vec![false; NAMES.len()], ..luck };
        // Calls in progress are shared only within a priority; cached answers are complete.
        let two = RequestOptions { priority: one.priority, ..two };
        let all = World {
            // Only complete answers are cached.
            said: world.said.iter().map(|said| match said {
                ScriptedAnswer::Fresh(answer) | ScriptedAnswer::Stale(answer) => ScriptedAnswer::Fresh(answer.clone()),
                ScriptedAnswer::Nothing(_) => ScriptedAnswer::Fresh(AttestedAnswer {
                    output: CLEAN.into(), confidence: 0.5, findings: Vec::new(),
                }),
            }).collect(),
            policy: Policy { collect: Collect::All, ..world.policy.clone() },
            ..world
        };
        let registry = all.registry();
        let key = |wishes| all.plan(&registry, wishes).map(|plan| plan.key(&[0; 32]));
        if key(&one).is_some() && key(&one) == key(&two) {
            prop_assert_eq!(all.run(&one, &luck), all.run(&two, &luck));
        }
    }
}
