//! Changes to a system before a test, which are reverted after it.

use std::time::Duration;

use serde_json::{Value, json};
use simulated_server::AdminError;

use super::admin::Admin;
use crate::plan::{Expiry, PlannedBefore, PlannedTest};

/// The name of the overlay with the test's settings.
const OVERLAY: &str = "sparring-suite";

/// The test's settings expire this long after its longest time.
const MARGIN: Duration = Duration::from_secs(120);

/// Settings that are in force; dropping it reverts them.
#[derive(Debug)]
pub struct Undo<'a> {
    admin: Option<&'a Admin>,
    /// The original document.
    document: Option<Value>,
    /// Rows that were added to stores.
    populated: Vec<(String, u64)>,
    done: bool,
}

/// The reason why a test cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("the test requires {what}, but {name} has no admin API")]
    NoAdmin { what: &'static str, name: String },
    #[error("the system could not be prepared: {0}")]
    Admin(#[from] AdminError),
}

/// Prepares the system for a test: reset, limits, toggles and ageing, rows. `name` is the target's name.
///
/// # Errors
/// The test needs preparation, and there is no admin API or it rejects a change; earlier changes are
/// reverted.
pub fn prepare<'a>(
    test: &PlannedTest,
    admin: Option<&'a Admin>,
    name: &str,
) -> Result<Undo<'a>, PrepareError> {
    let before = &test.before;
    let asks = [
        (!before.set.is_empty(), "limits"),
        (!before.toggle.is_empty(), "toggles"),
        (!before.populate.is_empty(), "rows in stores"),
        (!test.faults.is_empty(), "faults"),
    ];
    let Some(admin) = admin else {
        return match asks.into_iter().find(|(asked, _)| *asked) {
            Some((_, what)) => Err(PrepareError::NoAdmin {
                what,
                name: name.to_owned(),
            }),
            None => Ok(Undo::nothing()),
        };
    };
    let changes = before.reset || before.ageing.is_some() || asks.iter().any(|(asked, _)| *asked);
    if !changes {
        return Ok(Undo::nothing());
    }
    let mut undo = Undo {
        admin: Some(admin),
        document: Some(admin.profile()?),
        populated: Vec::new(),
        done: false,
    };
    if before.reset {
        admin.reset()?;
    }
    let ttl = Duration::from_secs_f64(test.longest_s) + MARGIN;
    let (limits, mut patch) = changes_of(before);
    if let (Some(ageing), Some(expiry)) = (before.ageing, before.expiry) {
        keep(&mut patch, &admin.profile()?, ageing, expiry);
    }
    if limits != json!({}) {
        admin.set_limits(&limits, ttl)?;
    }
    if patch != json!({}) {
        admin.lay(OVERLAY, &patch, ttl)?;
    }
    for (store, rows) in &before.populate {
        // A store accepts as many rows as it has space for.
        let there = admin.rows(store)?;
        admin.populate(store, *rows)?;
        let added = admin.rows(store)?.saturating_sub(there);
        undo.populated.push((store.clone(), added));
    }
    Ok(undo)
}

/// Limits, and a patch of the document for other changes: parts of a host such as its leak, toggles,
/// ageing.
fn changes_of(before: &PlannedBefore) -> (Value, Value) {
    let (mut limits, mut patch) = (json!({}), json!({}));
    for (host, values) in &before.set {
        for (name, value) in values {
            if value.is_object() {
                patch["hosts"][host.as_str()][name.as_str()] = value.clone();
            } else {
                limits[host.as_str()][name.as_str()] = value.clone();
            }
        }
    }
    for (name, on) in &before.toggle {
        patch["toggles"][name.as_str()] = json!({ "on": on });
    }
    if let Some(ageing) = before.ageing {
        patch["ageing"] = json!(ageing);
    }
    (limits, patch)
}

/// Sets the lifetimes of logins and entries to those of [`lifetime_s`]. Lifetimes in the patch take
/// precedence.
fn keep(patch: &mut Value, document: &Value, ageing: f64, expiry: Expiry) {
    let kept = |ttl: &Value| {
        let ttl_s = ttl.as_f64()?;
        let longer_s = lifetime_s(ttl_s, ageing, expiry) * ageing;
        (longer_s > ttl_s).then(|| json!(longer_s))
    };
    if let Some(longer_s) = kept(&document["edge"]["auth"]["token_ttl_s"]) {
        patch["edge"]["auth"]["token_ttl_s"] = longer_s;
    }
    let stores = document["stores"].as_object().into_iter().flatten();
    for (name, store) in stores {
        if let Some(longer_s) = kept(&store["ttl_s"]) {
            patch["stores"][name.as_str()]["ttl_s"] = longer_s;
        }
    }
}

/// The lifetime under an ageing of an entry with `ttl_s`: shorter by that factor. An entry that outlives the unscaled
/// test also outlives the scaled one, and nothing expires while an iteration may use it.
fn lifetime_s(ttl_s: f64, ageing: f64, expiry: Expiry) -> f64 {
    let least_s = if ttl_s >= expiry.whole_s {
        expiry.scaled_s.max(expiry.iteration_s)
    } else {
        expiry.iteration_s
    };
    (ttl_s / ageing).max(least_s.min(ttl_s))
}

impl Undo<'_> {
    fn nothing() -> Self {
        Self {
            admin: None,
            document: None,
            populated: Vec::new(),
            done: false,
        }
    }

    /// Reverts everything.
    ///
    /// # Errors
    /// The system does not revert a change.
    pub fn undo(mut self) -> Result<(), AdminError> {
        self.take_back()
    }

    fn take_back(&mut self) -> Result<(), AdminError> {
        let Some(admin) = self.admin.filter(|_| !self.done) else {
            return Ok(());
        };
        self.done = true;
        let lifted = admin.lift(OVERLAY);
        let populated = std::mem::take(&mut self.populated);
        let withdrawn = populated
            .iter()
            .map(|(store, rows)| admin.withdraw(store, *rows))
            .fold(Ok(()), Result::and);
        if let Some(document) = self.document.take()
            && admin.profile()? != document
        {
            admin.put_profile(&document)?;
        }
        lifted.and(withdrawn)
    }
}

impl Drop for Undo<'_> {
    /// During an error or a panic, a failure cannot be reported.
    fn drop(&mut self) {
        drop(self.take_back());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::built_in;
    use crate::plan::{Selection, plan};

    fn planned(suite: &str, name: &str, time_scale: f64) -> PlannedTest {
        let file = built_in(suite).expect("built in").expect("sound");
        let selection = Selection {
            tests: vec![name.to_owned()],
            time_scale,
            ..Selection::default()
        };
        let plan = plan(&file, &selection, &|_| None).expect("a plan");
        plan.tests[0].clone()
    }

    /// The length of an hour under the settings of a test.
    fn hour_s(test: &PlannedTest) -> f64 {
        let document = json!({ "edge": { "auth": { "token_ttl_s": 3600 } },
                               "stores": { "jobs": { "ttl_s": 3600 }, "forever": {} } });
        let (_, mut patch) = changes_of(&test.before);
        let ageing = test.before.ageing.expect("it is aged");
        keep(
            &mut patch,
            &document,
            ageing,
            test.before.expiry.expect("it is scaled"),
        );
        let token = patch["edge"]["auth"]["token_ttl_s"].as_f64();
        assert_eq!(token, patch["stores"]["jobs"]["ttl_s"].as_f64(), "{patch}");
        assert_eq!(patch["stores"]["forever"], Value::Null);
        token.unwrap_or(3600.0) / ageing
    }

    /// users log in once, and jobs take their own time, whatever the time scale.
    #[test]
    fn entries_that_outlive_a_test_outlive_it_at_every_time_scale() {
        for (suite, name) in [
            ("aiaas", "fault-tolerance"),
            ("aiaas", "spike"),
            ("aiaas", "load"),
            ("acis", "background"),
        ] {
            for time_scale in [0.001, 0.005, 0.02, 0.3] {
                let test = planned(suite, name, time_scale);
                let hour_s = hour_s(&test);
                let says = format!(
                    "{suite} {name} at {time_scale}: {hour_s} of {} s",
                    test.longest_s
                );
                assert!(hour_s + 1e-6 >= test.longest_s, "{says}");
            }
        }
        // A job of a minute is observed to its end.
        assert!(hour_s(&planned("acis", "background", 0.001)) >= 110.0);
    }

    #[test]
    fn expiry_scales_with_the_length_of_a_test() {
        let soak = planned("acso", "soak", 0.02);
        assert!((hour_s(&soak) - 72.0).abs() < 1e-6);
        // And never while an iteration may use it.
        assert!((hour_s(&planned("acso", "soak", 0.001)) - 30.0).abs() < 1e-6);
        assert_eq!(planned("acso", "soak", 1.0).before.expiry, None);
    }
}
