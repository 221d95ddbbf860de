//! Bodies of responses from their templates; the meaning of `$` is documented at `document::Answer`.

use std::collections::BTreeMap;
use std::time::Duration;

use fault_profile::draw::{Purpose, Root};
use serde_json::{Map, Number, Value as Json, json};

use crate::document::{Drawn, ResponseSpec};
use crate::network::{Finished, Touched};
use crate::plan::Plan;
use crate::request::Accepted;

/// Maximum number of items of a `$repeat`.
const MOST_ITEMS: usize = 10_000;
/// Approximate maximum size of a response in bytes: repetitions of the body's content multiply.
const MOST_BYTES: usize = 16 << 20;
/// Approximate size of a value in addition to its text.
const VALUE_BYTES: usize = 32;

/// The input of a template.
pub(super) struct Filling<'a> {
    pub(super) plan: &'a Plan,
    pub(super) answer: &'a ResponseSpec,
    pub(super) accepted: &'a Accepted,
    pub(super) path: &'a BTreeMap<String, String>,
    pub(super) query: &'a BTreeMap<String, String>,
    pub(super) finished: &'a Finished,
    /// From the request: equal requests draw equal values.
    pub(super) root: Root,
    pub(super) token: Option<&'a str>,
}

impl Filling<'_> {
    /// The body of the response.
    ///
    /// # Errors
    /// The response would be larger than allowed.
    pub(super) fn body(&self) -> Result<Json, String> {
        let mut room = MOST_BYTES;
        self.filled(&self.answer.body, 0, &mut room)
    }

    fn filled(&self, template: &Json, index: usize, room: &mut usize) -> Result<Json, String> {
        match template {
            Json::String(text) => match text.strip_prefix('$') {
                Some(name) => self.copied(name, index, room),
                None => {
                    take(room, text.len())?;
                    Ok(template.clone())
                }
            },
            Json::Array(items) => items
                .iter()
                .map(|item| self.filled(item, index, room))
                .collect(),
            Json::Object(fields) => self.object(fields, index, room),
            other => {
                take(room, 0)?;
                Ok(other.clone())
            }
        }
    }

    /// The value of a name; values from the request are measured before they are copied.
    fn copied(&self, name: &str, index: usize, room: &mut usize) -> Result<Json, String> {
        match name.split_once('.').unwrap_or((name, "")) {
            ("body", rest) => measure(at(&self.accepted.body, rest), room)?,
            (_, _) => take(room, 0)?,
        }
        let value = self.value(name, index);
        if name == "entries" {
            measure(&value, room)?;
        }
        Ok(value)
    }

    fn object(
        &self,
        fields: &Map<String, Json>,
        index: usize,
        room: &mut usize,
    ) -> Result<Json, String> {
        let (Some(count), Some(item)) = (fields.get("$repeat"), fields.get("item")) else {
            let mut filled = Map::new();
            for (name, value) in fields {
                take(room, name.len())?;
                filled.insert(name.clone(), self.filled(value, index, room)?);
            }
            return Ok(Json::Object(filled));
        };
        let count = count.as_u64().map_or(0, |count| count as usize);
        let count = count.min(MOST_ITEMS);
        (0..count)
            .map(|index| self.filled(item, index, room))
            .collect()
    }

    /// The value of a name after `$`; null if there is none.
    fn value(&self, name: &str, index: usize) -> Json {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        match first {
            "elapsed_ms" => milliseconds(self.finished.elapsed()),
            "index" => json!(index),
            "token" => json!(self.token),
            "draw" => self.drawn(rest, index),
            "body" => at(&self.accepted.body, rest).clone(),
            "path" => json!(self.path.get(rest)),
            "query" => self.query.get(rest).map_or(Json::Null, |text| typed(text)),
            "state" => self
                .entry()
                .map_or(Json::Null, |entry| self.state(entry, rest)),
            "entries" => self.entries(rest),
            "steps" => self.entry().map_or(json!(0), |entry| json!(entry.steps)),
            _ => self.id(first),
        }
    }

    fn entry(&self) -> Option<&Touched> {
        self.finished.entry.as_ref()
    }

    /// An id that the flow drew under a name; `$id` is that of the entry if no name matches.
    fn id(&self, name: &str) -> Json {
        let drawn = self
            .finished
            .ids
            .iter()
            .find(|(known, _)| known.as_ref() == name);
        match (drawn, self.entry()) {
            (Some((_, id)), _) => json!(id.as_ref()),
            (None, Some(entry)) if name == "id" => json!(entry.id.as_ref()),
            _ => Json::Null,
        }
    }

    /// The state of the entry by name, or its age.
    fn state(&self, entry: &Touched, rest: &str) -> Json {
        if rest == "age_ms" {
            return milliseconds(self.finished.at.saturating_sub(entry.created));
        }
        let states = self.plan.stores.get(entry.store).map(|store| &store.states);
        let name = states.and_then(|states| states.get(entry.state));
        json!(name.map(AsRef::as_ref))
    }

    /// Rows under the entry's key: their number, or one object for each.
    fn entries(&self, rest: &str) -> Json {
        let rows = self.entry().map_or(0, |entry| entry.rows);
        match rest {
            "count" => json!(rows),
            _ => (0..rows.min(MOST_ITEMS))
                .map(|row| json!({ "index": row }))
                .collect(),
        }
    }

    fn drawn(&self, name: &str, index: usize) -> Json {
        let mut draws = self
            .root
            .word(index as u64)
            .text(name)
            .draws(Purpose::Choice);
        match name {
            "unit" => Number::from_f64((draws.unit() * 1e4).round() / 1e4).into(),
            "id" => json!(format!("{:016x}", draws.next_word())),
            _ => {
                let choices = self.answer.draws.get(name).map_or(&[][..], Vec::as_slice);
                chosen(choices, draws.unit()).cloned().unwrap_or_default()
            }
        }
    }
}

/// Reserves the space of a value with text of this length.
fn take(room: &mut usize, text: usize) -> Result<(), String> {
    let left = room.checked_sub(VALUE_BYTES + text);
    *room = left.ok_or_else(|| format!("the answer would be larger than {MOST_BYTES} bytes"))?;
    Ok(())
}

/// Reserves the space of a whole value.
fn measure(value: &Json, room: &mut usize) -> Result<(), String> {
    match value {
        Json::String(text) => take(room, text.len()),
        Json::Array(items) => {
            take(room, 0)?;
            items.iter().try_for_each(|item| measure(item, room))
        }
        Json::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            take(room, name.len())?;
            measure(value, room)
        }),
        _ => take(room, 0),
    }
}

fn chosen(choices: &[Drawn], unit: f64) -> Option<&Json> {
    let sum: f64 = choices.iter().map(|choice| choice.share).sum();
    let mut left = unit * sum;
    let hit = choices.iter().find(|choice| {
        left -= choice.share;
        left < 0.0
    });
    hit.or(choices.last()).map(|choice| &choice.is)
}

fn milliseconds(time: Duration) -> Json {
    Number::from_f64((time.as_secs_f64() * 1e6).round() / 1e3).into()
}

/// The value at a dotted path; null if it does not exist.
fn at<'a>(value: &'a Json, names: &str) -> &'a Json {
    static NULL: Json = Json::Null;
    let steps = names.split('.').filter(|name| !name.is_empty());
    steps.fold(value, |value, name| match value {
        Json::Object(fields) => fields.get(name).unwrap_or(&NULL),
        Json::Array(items) => name
            .parse::<usize>()
            .ok()
            .and_then(|place| items.get(place))
            .unwrap_or(&NULL),
        _ => &NULL,
    })
}

/// Parameters are sent as text; a number is shown as a number.
fn typed(text: &str) -> Json {
    text.parse::<i64>()
        .map_or_else(|_| json!(text), |number| json!(number))
}
