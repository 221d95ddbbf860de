//! The outcomes of a socket's handshake and messages. A response is a message with the same id.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use load_engine::{Ending, Exchange, Exchanges};

/// The maximum number of messages of one socket that wait for their responses; the outcomes of further
/// ones are unknown.
const MOST_WAITING: usize = 10_000;

/// Handshake and messages; those that are open when this is dropped were cut off.
pub(super) struct Messages {
    log: Arc<Exchanges>,
    handshake: RefCell<Option<Exchange>>,
    waiting: RefCell<HashMap<Box<str>, Exchange>>,
}

impl Messages {
    /// Begins a handshake with these headers.
    pub(super) fn open(log: Arc<Exchanges>, headers: &[(String, String)]) -> Self {
        Self {
            handshake: RefCell::new(Some(log.begin(headers))),
            waiting: RefCell::default(),
            log,
        }
    }

    /// Ends the handshake.
    pub(super) fn connected(&self, is_answered: bool) {
        if let Some(handshake) = self.handshake.take() {
            handshake.end(match is_answered {
                true => Ending::Answered,
                false => Ending::Failed,
            });
        }
    }

    pub(super) fn sent(&self, text: &str) {
        let exchange = self.log.begin_with(self.log.id_of(text));
        let id = exchange.id().map(Box::from);
        let mut waiting = self.waiting.borrow_mut();
        if let Some(id) = id.filter(|_| waiting.len() < MOST_WAITING) {
            waiting.insert(id, exchange);
        }
    }

    pub(super) fn received(&self, text: &str) {
        if self.waiting.borrow().is_empty() {
            return;
        }
        let id = self.log.id_of(text);
        let exchange = id.and_then(|id| self.waiting.borrow_mut().remove(&id));
        if let Some(exchange) = exchange {
            exchange.end(Ending::Answered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_id_of_its_message_and_the_rest_is_cut_off() {
        let log = Arc::new(Exchanges::new("X-Request-Id", "id"));
        let messages = Messages::open(Arc::clone(&log), &[]);
        messages.connected(true);
        for id in 1..=3 {
            messages.sent(&format!(r#"{{"id": "m-{id}"}}"#));
        }
        messages.received(r#"{"id": "m-2", "type": "pong"}"#);
        messages.received(r#"{"id": "other"}"#);
        messages.received("no JSON");
        drop(messages);
        let taken = log.take();
        assert_eq!(taken.begun, 4);
        let mut ended: Vec<_> = taken
            .ended
            .iter()
            .map(|ended| (ended.id.as_deref().unwrap_or("-"), ended.ending))
            .collect();
        ended.sort_by_key(|(id, _)| *id);
        assert_eq!(
            ended,
            [
                ("-", Ending::Answered),
                ("m-1", Ending::Cut),
                ("m-2", Ending::Answered),
                ("m-3", Ending::Cut)
            ]
        );
    }
}
