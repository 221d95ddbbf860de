//! The log of inputs, from which a run is recomputed.
//!
//! A network is a function of its document and its inputs, each with its time. The log contains the latest
//! of both, and the end of each request, so that a replay can be compared.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::network::{Arrival, Finished, Input, Key, Socket, Ticket};
use crate::plan::Plan;
use crate::request::{json_of, value};

/// A log in the format of `GET /__admin/log` and `sparring target recompute`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The document at the beginning.
    pub document: Json,
    /// Number of inputs and ends beyond the capacity of the log; above 0 the run cannot be recomputed.
    pub lost: u64,
    /// The time when the log was read, in nanoseconds since the origin.
    pub until_ns: u64,
    pub inputs: Vec<LoggedInput>,
    pub ends: Vec<End>,
}

/// An input with its time, in nanoseconds since the origin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoggedInput {
    pub at_ns: u64,
    #[serde(flatten)]
    pub what: What,
}

/// An external input.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "input")]
pub enum What {
    Arrive {
        endpoint: usize,
        #[serde(default, skip_serializing_if = "str::is_empty")]
        tenant: Arc<str>,
        /// Absent: the request is identified by its index.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Arc<str>>,
        index: u64,
        attempt: u32,
        bytes: u64,
        values: Json,
    },
    Leave {
        ticket: u64,
    },
    Change {
        document: Json,
    },
    Crash {
        host: usize,
        instance: usize,
    },
    Open {
        component: usize,
    },
    Close {
        socket: u64,
    },
    Populate {
        store: usize,
        rows: usize,
    },
    Withdraw {
        store: usize,
        rows: usize,
    },
}

/// The end of a request, which a replay has to reproduce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub ticket: u64,
    pub at_ns: u64,
    /// Absent: its client disconnected.
    pub status: Option<u16>,
    pub error_type: Option<String>,
    pub queued_ns: u64,
    /// The instance of each visit.
    pub instances: Vec<u32>,
}

impl End {
    pub fn new(finished: &Finished) -> Self {
        Self {
            ticket: finished.ticket.word(),
            at_ns: nanos(finished.at),
            status: finished.outcome.status(),
            error_type: finished.outcome.error_type().map(str::to_owned),
            queued_ns: nanos(finished.queued()),
            instances: finished.visits.iter().map(|visit| visit.instance).collect(),
        }
    }
}

impl What {
    pub(super) fn arrive(arrival: &Arrival) -> Self {
        Self::Arrive {
            endpoint: arrival.endpoint,
            tenant: arrival.tenant.clone(),
            key: match &arrival.key {
                Key::Named(key) => Some(key.clone()),
                Key::Index(_) => None,
            },
            index: arrival.index,
            attempt: arrival.attempt,
            bytes: arrival.bytes,
            values: json_of(&arrival.input),
        }
    }

    /// Approximate size in bytes.
    fn bytes(&self) -> usize {
        match self {
            Self::Arrive { values, key, .. } => {
                INPUT_BYTES + json_bytes(values) + key.as_deref().map_or(0, str::len)
            }
            Self::Change { document } => INPUT_BYTES + json_bytes(document),
            _ => INPUT_BYTES,
        }
    }

    /// Converts to an input; `None` if `plan_of` finds a document with errors.
    pub fn into_input(self, plan_of: impl Fn(&Json) -> Option<Plan>) -> Option<Input> {
        Some(match self {
            Self::Arrive {
                endpoint,
                tenant,
                key,
                index,
                attempt,
                bytes,
                values,
            } => Input::Arrive(Arrival {
                endpoint,
                tenant,
                key: key.map_or(Key::Index(index), Key::Named),
                attempt,
                index,
                bytes,
                input: value(&values),
            }),
            Self::Leave { ticket } => Input::Leave(Ticket::from_word(ticket)),
            Self::Change { document } => Input::Change(Box::new(plan_of(&document)?)),
            Self::Crash { host, instance } => Input::Crash { host, instance },
            Self::Open { component } => Input::Open { component },
            Self::Close { socket } => Input::Close(Socket::from_word(socket)),
            Self::Populate { store, rows } => Input::Populate { store, rows },
            Self::Withdraw { store, rows } => Input::Withdraw { store, rows },
        })
    }
}

/// A bounded log.
#[derive(Debug)]
pub(super) struct Log {
    capacity: usize,
    document: Json,
    /// Each with its approximate size in bytes.
    inputs: VecDeque<(usize, LoggedInput)>,
    bytes: usize,
    ends: VecDeque<End>,
    lost: u64,
}

/// Maximum size of the recorded inputs in bytes, whatever their bodies are.
const MOST_BYTES: usize = 256 << 20;
/// Approximate size in bytes of an input without its values.
const INPUT_BYTES: usize = 200;

impl Log {
    pub(super) fn new(capacity: usize, document: Json) -> Self {
        Self {
            capacity,
            document,
            inputs: VecDeque::new(),
            bytes: 0,
            ends: VecDeque::new(),
            lost: 0,
        }
    }

    /// Starts again with another document.
    pub(super) fn begin(&mut self, document: Json) {
        *self = Self::new(self.capacity, document);
    }

    pub(super) fn input(&mut self, now: Duration, what: impl FnOnce() -> What) {
        if self.capacity == 0 {
            self.lost += 1;
            return;
        }
        let input = LoggedInput {
            at_ns: nanos(now),
            what: what(),
        };
        let bytes = input.what.bytes();
        self.bytes += bytes;
        self.inputs.push_back((bytes, input));
        while self.inputs.len() > self.capacity || self.bytes > MOST_BYTES {
            let Some((bytes, _)) = self.inputs.pop_front() else {
                return;
            };
            self.bytes -= bytes;
            self.lost += 1;
        }
    }

    pub(super) fn end(&mut self, finished: &Finished) {
        if self.capacity == 0 {
            return;
        }
        if self.ends.len() >= self.capacity {
            self.ends.pop_front();
            self.lost += 1;
        }
        self.ends.push_back(End::new(finished));
    }

    pub(super) fn shown(&self, now: Duration) -> Json {
        json!({
            "document": self.document,
            "lost": self.lost,
            "until_ns": nanos(now),
            "inputs": self.inputs.iter().map(|(_, input)| input).collect::<Vec<_>>(),
            "ends": self.ends,
        })
    }
}

/// Approximate size in bytes of a value in memory.
fn json_bytes(value: &Json) -> usize {
    const EACH: usize = 32;
    match value {
        Json::String(text) => EACH + text.len(),
        Json::Array(items) => EACH + items.iter().map(json_bytes).sum::<usize>(),
        Json::Object(fields) => {
            let field = |(name, value): (&String, &Json)| EACH + name.len() + json_bytes(value);
            EACH + fields.iter().map(field).sum::<usize>()
        }
        _ => EACH,
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The reason why a log cannot be recomputed.
#[derive(Debug, thiserror::Error)]
pub enum NotRecomputed {
    #[error(
        "the log lost {0} inputs and is incomplete: record a shorter run, or set a higher limit"
    )]
    Lost(u64),
    #[error("the document of the log is not valid: {0}")]
    Document(#[from] live_config::Invalid),
    #[error("the document of input {0} is not valid")]
    Change(usize),
    #[error("the system cannot run: {0}")]
    Problems(String),
}

/// A difference between a replay and the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Index among the ends, from 1.
    pub request: usize,
    pub recorded: Option<End>,
    pub recomputed: Option<End>,
}

/// Runs a log again and returns the requests that ended differently: none, on the build that recorded it.
///
/// # Errors
/// The log is incomplete, or its document has errors.
pub fn recompute(log: Recorded) -> Result<Vec<Difference>, NotRecomputed> {
    if log.lost > 0 {
        return Err(NotRecomputed::Lost(log.lost));
    }
    let plan = |document: &Json| {
        crate::System::new(document.clone()).map(|system| system.plan.as_ref().clone())
    };
    let mut inputs = Vec::with_capacity(log.inputs.len());
    for (place, line) in log.inputs.into_iter().enumerate() {
        let input = line.what.into_input(|document| plan(document).ok());
        let input = input.ok_or(NotRecomputed::Change(place))?;
        inputs.push((Duration::from_nanos(line.at_ns), input));
    }
    let until = Duration::from_nanos(log.until_ns);
    let detail = crate::network::Detail::Visits;
    let finished = crate::offline::recompute(plan(&log.document)?, detail, inputs, until)
        .map_err(|problems| NotRecomputed::Problems(problems.join("; ")))?;
    let recomputed: Vec<End> = finished.iter().map(End::new).collect();
    let longest = log.ends.len().max(recomputed.len());
    let pair = |place: usize| Difference {
        request: place + 1,
        recorded: log.ends.get(place).cloned(),
        recomputed: recomputed.get(place).cloned(),
    };
    Ok((0..longest)
        .map(pair)
        .filter(|one| one.recorded != one.recomputed)
        .collect())
}
