//! Identical requests that are under way at the same time share one fan-out. It runs as a task of
//! its own: whoever began it may leave, the others still get the answer; when all have left, it is
//! cancelled.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Flights by key.
pub struct Flights<K, V> {
    under_way: Arc<Mutex<HashMap<K, Flight<V>>>>,
    tasks: TaskTracker,
}

struct Flight<V> {
    id: u64,
    answer: watch::Receiver<Option<V>>,
    cancel: CancellationToken,
    waiters: usize,
}

impl<K, V> Flights<K, V>
where
    K: std::hash::Hash + Eq + Copy + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `tasks` owns the tasks; whoever closes it waits for them.
    pub fn new(tasks: TaskTracker) -> Self {
        Self {
            under_way: Arc::default(),
            tasks,
        }
    }

    /// Joins the flight of this key, or begins one. Says whether it joined.
    pub fn board<F>(&self, key: K, begin: impl FnOnce() -> F) -> (Seat<K, V>, bool)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut under_way = lock(&self.under_way);
        if let Some(flight) = under_way.get_mut(&key) {
            flight.waiters += 1;
            let seat = self.seat(key, flight.id, flight.answer.clone());
            return (seat, true);
        }
        let (done, answer) = watch::channel(None);
        let cancel = CancellationToken::new();
        let id = next_id();
        let flight = Flight {
            id,
            answer: answer.clone(),
            cancel: cancel.clone(),
            waiters: 1,
        };
        under_way.insert(key, flight);
        drop(under_way);
        let work = begin();
        let flights = self.under_way.clone();
        self.tasks.spawn(async move {
            let end = End { flights, key, id };
            let value = tokio::select! {
                value = work => Some(value),
                () = cancel.cancelled() => None,
            };
            // Off the board first: who comes now begins anew instead of joining a finished one.
            drop(end);
            done.send_replace(value);
        });
        (self.seat(key, id, answer), false)
    }

    fn seat(&self, key: K, id: u64, answer: watch::Receiver<Option<V>>) -> Seat<K, V> {
        Seat {
            flights: self.under_way.clone(),
            key,
            id,
            answer,
        }
    }
}

/// A share in a flight, given up when dropped.
pub struct Seat<K: std::hash::Hash + Eq, V> {
    flights: Arc<Mutex<HashMap<K, Flight<V>>>>,
    key: K,
    id: u64,
    answer: watch::Receiver<Option<V>>,
}

impl<K: std::hash::Hash + Eq, V: Clone> Seat<K, V> {
    /// The flight's answer; `None` if its task died.
    pub async fn answer(&mut self) -> Option<V> {
        let found = self.answer.wait_for(Option::is_some).await.ok()?;
        found.clone()
    }
}

impl<K: std::hash::Hash + Eq, V> Drop for Seat<K, V> {
    fn drop(&mut self) {
        let mut flights = lock(&self.flights);
        let Some(flight) = flights
            .get_mut(&self.key)
            .filter(|flight| flight.id == self.id)
        else {
            return;
        };
        flight.waiters -= 1;
        if flight.waiters == 0 {
            flight.cancel.cancel();
            flights.remove(&self.key);
        }
    }
}

/// Takes the flight off the board, also when its work panics.
struct End<K: std::hash::Hash + Eq, V> {
    flights: Arc<Mutex<HashMap<K, Flight<V>>>>,
    key: K,
    id: u64,
}

impl<K: std::hash::Hash + Eq, V> Drop for End<K, V> {
    fn drop(&mut self) {
        let mut flights = lock(&self.flights);
        if flights
            .get(&self.key)
            .is_some_and(|flight| flight.id == self.id)
        {
            flights.remove(&self.key);
        }
    }
}

fn lock<K, V>(flights: &Mutex<HashMap<K, Flight<V>>>) -> MutexGuard<'_, HashMap<K, Flight<V>>> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next_id() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    struct Counted {
        flights: Arc<Flights<u8, u32>>,
        begun: Arc<AtomicUsize>,
        ended: Arc<AtomicUsize>,
    }

    impl Counted {
        fn new() -> Self {
            let flights = Arc::new(Flights::new(TaskTracker::new()));
            Self {
                flights,
                begun: Arc::default(),
                ended: Arc::default(),
            }
        }

        fn board(&self) -> (Seat<u8, u32>, bool) {
            let (begun, ended) = (self.begun.clone(), self.ended.clone());
            self.flights.board(7, || async move {
                begun.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
                ended.fetch_add(1, Ordering::Relaxed);
                42
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_requests_share_one_flight_even_when_the_first_leaves() {
        let counted = Counted::new();
        let (first, _) = counted.board();
        let mut others: Vec<_> = (0..49).map(|_| counted.board()).collect();
        assert!(others.iter().all(|(_, joined)| *joined));
        tokio::task::yield_now().await;
        drop(first);
        for (seat, _) in &mut others {
            assert_eq!(seat.answer().await, Some(42));
        }
        assert_eq!(counted.begun.load(Ordering::Relaxed), 1);
        assert!(lock(&counted.flights.under_way).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_that_nobody_waits_for_is_cancelled() {
        let counted = Counted::new();
        let (seat, _) = counted.board();
        tokio::task::yield_now().await;
        drop(seat);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(counted.ended.load(Ordering::Relaxed), 0);
        let (mut again, joined) = counted.board();
        assert!(!joined);
        assert_eq!(again.answer().await, Some(42));
    }

    #[tokio::test]
    async fn a_flight_that_panics_tells_its_waiters() {
        let flights: Flights<u8, u32> = Flights::new(TaskTracker::new());
        let (mut seat, _) = flights.board(1, || async { panic!("on purpose") });
        assert_eq!(seat.answer().await, None);
        assert!(lock(&flights.under_way).is_empty());
    }
}
