//! The outcome of each request and message that has an id, for comparison with the record of a server.
//!
//! An exchange that is dropped before it ends was cut off: by the end of its iteration, by a signal, or because its
//! sender no longer waits for the response.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The maximum number of ended exchanges that are stored; further ones are only counted.
const MOST_WAITING: usize = 1_000_000;

/// A log of exchanges.
#[derive(Debug)]
pub struct Exchanges {
    header: String,
    field: String,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    ended: Vec<Ended>,
    begun: u64,
    untold: u64,
}

/// How an exchange ended, as its sender saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a response, whatever its content.
    Answered,
    /// Without a response: no connection, a reset, a timeout.
    Failed,
    /// Its sender stopped waiting.
    Cut,
}

/// An exchange that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// `None` if it had no id.
    pub id: Option<Box<str>>,
    pub ending: Ending,
    /// The time from the first byte sent to the last one received; without a response, until it was given up.
    pub took: Duration,
}

/// The exchanges that ended since the last call.
#[derive(Debug, Default)]
pub struct Taken {
    pub ended: Vec<Ended>,
    /// Exchanges that began, since the log began.
    pub begun: u64,
    /// Ended exchanges for which there was no room, since the log began.
    pub untold: u64,
}

/// An exchange in progress.
#[derive(Debug)]
pub struct Exchange {
    log: Arc<Exchanges>,
    id: Option<Box<str>>,
    began: Instant,
    is_over: bool,
}

impl Exchanges {
    /// A log whose ids are in this header of requests, and in this field of messages that are JSON objects.
    pub fn new(header: &str, field: &str) -> Self {
        Self {
            header: header.to_owned(),
            field: field.to_owned(),
            log: Mutex::default(),
        }
    }

    /// Begins a request with these headers.
    pub fn begin(self: &Arc<Self>, headers: &[(String, String)]) -> Exchange {
        let id = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&self.header));
        self.begin_with(id.map(|(_, id)| id.as_str().into()))
    }

    /// Begins an exchange with this id.
    pub fn begin_with(self: &Arc<Self>, id: Option<Box<str>>) -> Exchange {
        self.lock().begun += 1;
        Exchange {
            log: Arc::clone(self),
            id,
            began: Instant::now(),
            is_over: false,
        }
    }

    /// The id in a message.
    pub fn id_of(&self, message: &str) -> Option<Box<str>> {
        let message: serde_json::Value = serde_json::from_str(message).ok()?;
        match message.get(&self.field)? {
            serde_json::Value::String(id) => Some(id.as_str().into()),
            serde_json::Value::Number(id) => Some(id.to_string().into()),
            _ => None,
        }
    }

    /// Takes the exchanges that ended.
    pub fn take(&self) -> Taken {
        let mut log = self.lock();
        Taken {
            ended: std::mem::take(&mut log.ended),
            begun: log.begun,
            untold: log.untold,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    /// The id of the exchange; `None` if it has none.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Records that the exchange has ended now.
    pub fn end(self, ending: Ending) {
        let took = self.began.elapsed();
        self.end_after(ending, took);
    }

    /// Records that the exchange has ended, with its time on the wire.
    pub fn end_after(mut self, ending: Ending, took: Duration) {
        self.tell(ending, took);
    }

    fn tell(&mut self, ending: Ending, took: Duration) {
        self.is_over = true;
        let id = self.id.take();
        let mut log = self.log.lock();
        if log.ended.len() >= MOST_WAITING {
            log.untold += 1;
        } else {
            log.ended.push(Ended { id, ending, took });
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_over {
            self.tell(Ending::Cut, self.began.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exchange_is_told_once_however_it_ends() {
        let log = Arc::new(Exchanges::new("X-Request-Id", "id"));
        let headers = |id: &str| vec![("x-request-id".to_owned(), id.to_owned())];
        log.begin(&headers("a"))
            .end_after(Ending::Answered, Duration::from_millis(5));
        log.begin(&headers("b")).end(Ending::Failed);
        drop(log.begin(&headers("c")));
        let without = log.begin(&[("Accept".to_owned(), "*".to_owned())]);
        assert_eq!(without.id(), None);
        let taken = log.take();
        assert_eq!((taken.begun, taken.untold), (4, 0));
        let ended: Vec<_> = taken
            .ended
            .iter()
            .map(|ended| (ended.id.as_deref(), ended.ending))
            .collect();
        assert_eq!(
            ended,
            [
                (Some("a"), Ending::Answered),
                (Some("b"), Ending::Failed),
                (Some("c"), Ending::Cut)
            ]
        );
        assert_eq!(taken.ended[0].took, Duration::from_millis(5));
        drop(without);
        assert_eq!(log.take().ended[0].id, None);
    }

    #[test]
    fn the_id_of_a_message_is_a_text_or_a_number_in_an_object() {
        let log = Exchanges::new("X-Request-Id", "id");
        for (message, expected) in [
            (r#"{"id": "a-1", "type": "ping"}"#, Some("a-1")),
            (r#"{"id": 7}"#, Some("7")),
            (r#"{"id": null}"#, None),
            (r#"{"key": "a"}"#, None),
            (r#"["id"]"#, None),
            ("id", None),
        ] {
            assert_eq!(log.id_of(message).as_deref(), expected, "{message}");
        }
    }
}
