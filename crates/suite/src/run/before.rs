//! What is done to a system before a test, and undone after it however the test ends.

use std::time::Duration;

use serde_json::{Value, json};
use simulated_server::AdminError;

use super::admin::Admin;
use crate::plan::{PlannedBefore, PlannedTest};

/// Under this name the test's settings lie over the system's document.
const OVERLAY: &str = "sparring-suite";

/// What is left of the test's time when its settings go by themselves.
const MARGIN: Duration = Duration::from_secs(120);

/// Settings that are in force; dropping it takes them back.
#[derive(Debug)]
pub struct Undo<'a> {
    admin: Option<&'a Admin>,
    /// The document as it was.
    document: Option<Value>,
    populated: bool,
    done: bool,
}

/// Why a test cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("the test asks for {what}, and {name} has no admin API")]
    NoAdmin { what: &'static str, name: String },
    #[error("the system cannot be prepared: {0}")]
    Admin(#[from] AdminError),
}

/// Prepares the system for a test: reset, limits, toggles and ageing, rows. `name` is the target's.
///
/// # Errors
/// The test asks for something, and there is no admin API or it refuses; what was done is undone.
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
    let undo = Undo {
        admin: Some(admin),
        document: Some(admin.profile()?),
        populated: !before.populate.is_empty(),
        done: false,
    };
    if before.reset {
        admin.reset()?;
    }
    let ttl = Duration::from_secs_f64(test.longest_s) + MARGIN;
    let (limits, patch) = changes_of(before);
    if limits != json!({}) {
        admin.set_limits(&limits, ttl)?;
    }
    if patch != json!({}) {
        admin.lay(OVERLAY, &patch, ttl)?;
    }
    for (store, rows) in &before.populate {
        admin.populate(store, *rows)?;
    }
    Ok(undo)
}

/// Limits, and a patch of the document for what is not a limit: parts of a host such as its leak,
/// toggles, ageing.
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

impl Undo<'_> {
    fn nothing() -> Self {
        Self {
            admin: None,
            document: None,
            populated: false,
            done: false,
        }
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// The system does not take it back.
    pub fn undo(mut self) -> Result<(), AdminError> {
        self.take_back()
    }

    fn take_back(&mut self) -> Result<(), AdminError> {
        let Some(admin) = self.admin.filter(|_| !self.done) else {
            return Ok(());
        };
        self.done = true;
        let lifted = admin.lift(OVERLAY);
        if self.populated {
            admin.reset()?;
        }
        if let Some(document) = self.document.take()
            && admin.profile()? != document
        {
            admin.put_profile(&document)?;
        }
        lifted
    }
}

impl Drop for Undo<'_> {
    /// On the way out of an error or a panic nobody can be told.
    fn drop(&mut self) {
        drop(self.take_back());
    }
}
