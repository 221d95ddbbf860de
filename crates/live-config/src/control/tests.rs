use super::*;
use serde_json::json;

/// A limit that has to be above zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    limit: u64,
}

#[derive(Debug)]
struct Doubled(u64);

impl Compiled for Doubled {
    type Config = Limit;
    const CHOICES: &'static [&'static str] = &[];

    fn validate(config: &Limit) -> Result<(), Invalid> {
        if config.limit == 0 {
            return Err(Invalid::one("limit", "must be at least 1"));
        }
        Ok(())
    }

    fn compile(config: &Limit, _name: &str, _since: Moment) -> Result<Self, Invalid> {
        Self::validate(config)?;
        Ok(Self(config.limit * 2))
    }

    fn conflicts(&self, next: &Self) -> Vec<ConfigError> {
        let new = (next.0 == 198).then(|| ConfigError::new("limit", "99 is for a new start"));
        new.into_iter().collect()
    }
}

fn started(limit: u64) -> Control<Doubled> {
    Control::new("test", Limit { limit }).expect("a limit above zero")
}

fn check(control: &Control<Doubled>, revision: u64, limit: u64) {
    let live = control.live();
    assert_eq!((live.revision, live.config.limit), (revision, limit));
    assert_eq!((control.revision(), live.0), (revision, limit * 2));
}

#[test]
fn a_change_takes_effect_completely_or_not_at_all() {
    let control = started(1);
    let plain = Change::default();
    control.patch(&json!({"limit": 2}), &plain).expect("valid");
    check(&control, 2, 2);
    control.put(json!({"limit": 3}), &plain).expect("valid");
    check(&control, 3, 3);
    for (value, path) in [
        (json!({"limit": 0}), "limit"),
        (json!({"limit": 4, "limt": 5}), "limt"),
    ] {
        let put = control.put(value.clone(), &plain).expect_err("refused");
        let patched = control.patch(&value, &plain).expect_err("refused");
        assert_eq!(put, patched);
        let Refused::Invalid(invalid) = put else {
            panic!("{put}");
        };
        assert_eq!(invalid.errors[0].path, path);
    }
    let list = control.patch(&json!([1]), &plain).expect_err("no object");
    assert_eq!(list.to_string(), "a patch is a JSON object");
    check(&control, 3, 3);
}

#[test]
fn a_change_for_another_revision_is_refused() {
    let control = started(1);
    let at = |revision| Change {
        if_revision: Some(revision),
        ..Change::default()
    };
    let refused = control.put(json!({"limit": 2}), &at(2));
    let expected = Refused::Revision {
        in_force: 1,
        expected: 2,
    };
    assert_eq!(refused.expect_err("revision 1 is in force"), expected);
    control.put(json!({"limit": 2}), &at(1)).expect("in force");
    check(&control, 2, 2);
}

fn brief(seconds: u64) -> Change {
    Change {
        ttl: Some(Duration::from_secs(seconds)),
        ..Change::default()
    }
}

#[test]
fn a_temporary_change_reverts_to_the_state_before_it() {
    let control = started(1);
    control.put(json!({"limit": 2}), &brief(60)).expect("valid");
    let first = control.live().expires.expect("a time limit");
    let live = control.put(json!({"limit": 3}), &brief(60));
    let last = first + Duration::from_secs(1);
    assert_eq!(live.expect("valid").expires, Some(first));
    control.expire(first - Duration::from_millis(1));
    check(&control, 3, 3);
    control.expire(first);
    check(&control, 4, 3);
    control.expire(last);
    check(&control, 5, 1);
    control.expire(last);
    check(&control, 5, 1);
}

#[test]
fn a_reload_is_what_a_reset_returns_to_and_the_same_one_changes_nothing() {
    let control = started(1);
    assert!(!control.reload(Limit { limit: 1 }).expect("valid"));
    assert!(control.reload(Limit { limit: 0 }).is_err());
    assert!(control.reload(Limit { limit: 5 }).expect("valid"));
    check(&control, 2, 5);
    let plain = Change::default();
    control.patch(&json!({"limit": 6}), &plain).expect("valid");
    control.reset(&plain).expect("valid");
    check(&control, 4, 5);
}

#[test]
fn a_reload_keeps_changes_with_a_ttl_until_they_expire() {
    let control = started(1);
    let patched = control.patch(&json!({"limit": 2}), &brief(60));
    let ends = patched.expect("valid").expires.expect("a time limit");
    let late = brief(600);
    control
        .lay("o", &json!({"limit": 3}), &late)
        .expect("valid");
    assert!(control.reload(Limit { limit: 5 }).expect("valid"));
    check(&control, 4, 3);
    assert_eq!(control.live().expires, Some(ends));
    control.lift("o", &Change::default()).expect("laid");
    check(&control, 5, 2);
    control.expire(ends);
    check(&control, 6, 5);
}

#[test]
fn what_cannot_change_while_it_runs_is_refused_and_changes_nothing() {
    let control = started(1);
    let plain = Change::default();
    let refused = control.put(json!({"limit": 99}), &plain);
    let refused = refused.expect_err("99 is another kind of limit");
    assert!(matches!(refused, Refused::NotWhileRunning(_)), "{refused}");
    assert_eq!(
        refused.to_string(),
        "cannot change while it runs: limit: 99 is for a new start"
    );
    check(&control, 1, 1);
}

#[test]
fn what_takes_effect_by_itself_is_a_revision_of_the_same_configuration() {
    let control = started(1);
    let brief = control.put(json!({"limit": 2}), &brief(60)).expect("valid");
    let advanced = control.advance();
    assert_eq!(advanced.expires, brief.expires);
    check(&control, 3, 2);
    control.expire(brief.expires.expect("a time limit"));
    check(&control, 4, 1);
}

#[test]
fn overlays_end_independently_and_leave_the_rest() {
    let control = started(1);
    let plain = Change::default();
    control
        .lay("a", &json!({"limit": 5}), &plain)
        .expect("valid");
    control
        .lay("b", &json!({"limit": 6}), &plain)
        .expect("valid");
    check(&control, 3, 6);
    control.patch(&json!({"limit": 2}), &plain).expect("valid");
    check(&control, 4, 6);
    control.lift("b", &plain).expect("laid");
    check(&control, 5, 5);
    let refused = control.lay("c", &json!({"limit": 0}), &plain);
    assert!(refused.is_err_and(|error| error.to_string().contains("at least 1")));
    check(&control, 5, 5);
    control.lift("a", &plain).expect("laid");
    check(&control, 6, 2);
    let gone = Refused::NoOverlay("a".to_owned());
    assert_eq!(control.lift("a", &plain).expect_err("gone"), gone);
    assert_eq!(control.renew("a", None).expect_err("gone"), gone);
}

#[test]
fn a_renewed_overlay_outlives_its_first_end_and_nothing_else_changes() {
    let control = started(1);
    let brief = Change {
        ttl: Some(Duration::from_secs(60)),
        ..Change::default()
    };
    let laid = control.lay("a", &json!({"limit": 5}), &brief);
    let first = laid.expect("valid").expires.expect("a time limit");
    let renewed = control.renew("a", Some(Duration::from_secs(600)));
    assert!(renewed.expect("laid").expires.expect("a time limit") > first);
    control.expire(first);
    check(&control, 2, 5);
    let last = control.live().expires.expect("a time limit");
    control.expire(last);
    check(&control, 3, 1);
}

#[test]
fn a_time_limit_below_an_overlay_is_kept() {
    let control = started(1);
    let brief = Change {
        ttl: Some(Duration::from_secs(60)),
        ..Change::default()
    };
    control.put(json!({"limit": 2}), &brief).expect("valid");
    let expires = control.live().expires.expect("a time limit");
    let plain = Change::default();
    control
        .lay("a", &json!({"limit": 5}), &plain)
        .expect("valid");
    assert_eq!(control.live().expires, Some(expires));
    control.expire(expires);
    check(&control, 4, 5);
    control.lift("a", &plain).expect("laid");
    check(&control, 5, 1);
}

#[tokio::test]
async fn waiting_requests_are_woken_by_the_changes_that_ask_for_it() {
    for (in_flight, redraws) in [(InFlight::Release, false), (InFlight::Redraw, true)] {
        let control = started(1);
        let first = control.live();
        let finish = Change::default();
        control.put(json!({"limit": 2}), &finish).expect("valid");
        let change = Change {
            in_flight,
            ..Change::default()
        };
        // It also reaches those that an earlier change has let finish.
        control.put(json!({"limit": 3}), &change).expect("valid");
        first.ended().await;
        assert_eq!(first.redraws(), redraws, "{in_flight:?}");
    }
}
