//! The last answers, for stale answers: bounded in number and in bytes.

use std::collections::VecDeque;

use bytes::Bytes;

/// Maximum number of stored answers.
const MOST_ANSWERS: usize = 256;
/// Maximum size of all of them in bytes; a single answer may be larger, and is then the only one.
const MOST_BYTES: usize = 8 << 20;

/// Bodies of the last answers, the newest at the back.
#[derive(Debug, Default)]
pub(crate) struct History {
    answers: VecDeque<Bytes>,
    bytes: usize,
}

impl History {
    pub(crate) fn remember(&mut self, body: Bytes) {
        self.bytes += body.len();
        self.answers.push_back(body);
        while self.answers.len() > MOST_ANSWERS
            || (self.bytes > MOST_BYTES && self.answers.len() > 1)
        {
            let oldest = self.answers.pop_front();
            self.bytes -= oldest.map_or(0, |oldest| oldest.len());
        }
    }

    /// The answer given `age` answers ago, or the oldest stored one.
    pub(crate) fn remembered(&self, age: u32) -> Option<Bytes> {
        let place = self.answers.len().saturating_sub(age as usize);
        self.answers.get(place).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(history: &History, answers: usize, bytes: usize) {
        assert_eq!((history.answers.len(), history.bytes), (answers, bytes));
    }

    #[test]
    fn answers_are_evicted_by_number_and_by_bytes() {
        let mut history = History::default();
        for _ in 0..300 {
            history.remember(Bytes::from_static(b"ab"));
        }
        check(&history, MOST_ANSWERS, 2 * MOST_ANSWERS);
        for _ in 0..20 {
            history.remember(vec![0; 1 << 20].into());
        }
        check(&history, 8, MOST_BYTES);
        history.remember(vec![0; 2 * MOST_BYTES].into());
        check(&history, 1, 2 * MOST_BYTES);
        assert_eq!(
            history.remembered(1).map(|body| body.len()),
            Some(2 * MOST_BYTES)
        );
        history.remember(Bytes::from_static(b"c"));
        check(&history, 1, 1);
        assert_eq!(history.remembered(9), Some(Bytes::from_static(b"c")));
    }
}
