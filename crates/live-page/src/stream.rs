//! Server-sent events to many clients, none of which can block the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

/// Maximum number of queued events per client, in addition to the socket's buffer.
const WAITING: usize = 2;
/// A client with a full queue for this many consecutive events is too slow.
const MOST_MISSED: u32 = 5;
/// Maximum number of clients.
const MOST_READERS: usize = 64;

/// The clients of a page; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Readers(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    readers: Mutex<Vec<Reader>>,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Reader {
    queue: mpsc::Sender<Bytes>,
    missed: u32,
    /// Closes the connection and drops its queue.
    connection: CancellationToken,
}

impl Readers {
    /// Adds a client on this connection; `None` if there are too many.
    pub fn join(&self, connection: CancellationToken) -> Option<mpsc::Receiver<Bytes>> {
        let mut readers = self.lock();
        readers.retain(|reader| !reader.queue.is_closed());
        if readers.len() >= MOST_READERS {
            return None;
        }
        let (queue, events) = mpsc::channel(WAITING);
        readers.push(Reader {
            queue,
            missed: 0,
            connection,
        });
        Some(events)
    }

    pub fn is_empty(&self) -> bool {
        self.lock().iter().all(|reader| reader.queue.is_closed())
    }

    /// Clients that were disconnected because they were too slow.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Offers an event to all clients. A client with a full queue misses it; a slow one is disconnected.
    pub fn send(&self, event: &Bytes) {
        self.lock()
            .retain_mut(|reader| match reader.queue.try_send(event.clone()) {
                Ok(()) => {
                    reader.missed = 0;
                    true
                }
                Err(TrySendError::Closed(_)) => false,
                Err(TrySendError::Full(_)) => {
                    reader.missed += 1;
                    let stays = reader.missed < MOST_MISSED;
                    if !stays {
                        self.0.dropped.fetch_add(1, Ordering::Relaxed);
                        reader.connection.cancel();
                    }
                    stays
                }
            });
    }

    /// Sends the last event and closes the connections that have received it; true when all have.
    pub async fn end(&self, event: Bytes) -> bool {
        let readers = std::mem::take(&mut *self.lock());
        let mut all = true;
        for reader in readers {
            let sent = reader.queue.send(event.clone());
            all &= tokio::time::timeout(PATIENCE, sent).await.is_ok();
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.0
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the end of a run waits for one client.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(200);

/// An event in wire format.
pub fn event(name: &str, data: &str) -> Bytes {
    let mut text = format!("event: {name}\n");
    for line in data.lines() {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_line_of_data_for_each_line() {
        assert_eq!(
            &event("parts", "a\nb")[..],
            b"event: parts\ndata: a\ndata: b\n\n"
        );
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_is_dropped_and_the_others_are_not() {
        let readers = Readers::default();
        let (idle, awake) = (CancellationToken::new(), CancellationToken::new());
        let kept = readers.join(idle.clone()).expect("there is room");
        let mut read = readers.join(awake.clone()).expect("there is room");
        for number in 0..20 {
            readers.send(&event("parts", &number.to_string()));
            assert!(read.recv().await.is_some());
        }
        assert_eq!((readers.dropped(), idle.is_cancelled()), (1, true));
        assert!(!awake.is_cancelled() && !readers.is_empty());
        // The queue holds no more than its capacity.
        assert_eq!(kept.len(), WAITING);
    }

    #[tokio::test]
    async fn readers_beyond_a_number_are_refused_until_one_leaves() {
        let readers = Readers::default();
        let mut here: Vec<_> = (0..MOST_READERS)
            .map(|_| {
                readers
                    .join(CancellationToken::new())
                    .expect("there is room")
            })
            .collect();
        assert!(readers.join(CancellationToken::new()).is_none());
        here.pop();
        assert!(readers.join(CancellationToken::new()).is_some());
    }
}
