//! Single flight: identical concurrent work is done once. One waiter drives it; when that one leaves, another
//! one takes over. When all have left, the work is cancelled.
//!
//! Only the driver is woken by the work. `futures::future::Shared` wakes all waiters at every step, which is
//! expensive for a thousand equal requests to a slow detector.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

type Flights<K, V> = Arc<Mutex<HashMap<K, Weak<Flight<V>>>>>;
/// `Err`: it panicked.
type Work<V> = BoxFuture<'static, std::thread::Result<V>>;

/// Work in progress, by key.
pub struct SingleFlight<K, V> {
    under_way: Flights<K, V>,
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self {
            under_way: Arc::default(),
        }
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the work with this key, or begins it. Returns whether it joined.
    pub fn share<F>(&self, key: K, begin: impl FnOnce() -> F) -> (Waiter<V>, bool)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut under_way = lock(&self.under_way);
        if let Some(flight) = under_way.get(&key).and_then(Weak::upgrade) {
            return (Waiter::new(flight), true);
        }
        let work = begin();
        let flight = Arc::new_cyclic(|flight| {
            let end = End {
                flights: self.under_way.clone(),
                key: key.clone(),
                flight: flight.clone(),
            };
            let work = async move {
                // Held from the start, so that work that is dropped before its first poll is removed, too.
                let _end = end;
                work.await
            };
            Flight {
                state: Mutex::new(State {
                    stage: Stage::UnderWay(AssertUnwindSafe(work).catch_unwind().boxed()),
                    driver: None,
                    waiting: HashMap::new(),
                }),
            }
        });
        under_way.insert(key, Arc::downgrade(&flight));
        (Waiter::new(flight), false)
    }
}

struct Flight<V> {
    state: Mutex<State<V>>,
}

struct State<V> {
    stage: Stage<V>,
    /// The waiter that is woken by the work.
    driver: Option<u64>,
    /// The other waiters.
    waiting: HashMap<u64, Waker>,
}

enum Stage<V> {
    UnderWay(Work<V>),
    Landed(V),
    /// It panicked.
    Broken,
}

/// A share in work in progress, released on drop. A panic of the work reaches all waiters.
pub struct Waiter<V> {
    flight: Arc<Flight<V>>,
    id: u64,
}

impl<V> Waiter<V> {
    fn new(flight: Arc<Flight<V>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            flight,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl<V: Clone> Future for Waiter<V> {
    type Output = V;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<V> {
        let mut guard = lock(&self.flight.state);
        let state = &mut *guard;
        let work = match &mut state.stage {
            Stage::Landed(value) => return Poll::Ready(value.clone()),
            Stage::Broken => panic!("the shared work panicked"),
            Stage::UnderWay(_) if state.driver.is_some_and(|driver| driver != self.id) => {
                state.waiting.insert(self.id, context.waker().clone());
                return Poll::Pending;
            }
            Stage::UnderWay(work) => work,
        };
        state.driver = Some(self.id);
        let Poll::Ready(ended) = work.as_mut().poll(context) else {
            return Poll::Pending;
        };
        state.waiting.drain().for_each(|(_, waker)| waker.wake());
        match ended {
            Ok(value) => {
                state.stage = Stage::Landed(value.clone());
                Poll::Ready(value)
            }
            Err(panic) => {
                state.stage = Stage::Broken;
                drop(guard);
                resume_unwind(panic)
            }
        }
    }
}

impl<V> Drop for Waiter<V> {
    fn drop(&mut self) {
        let mut state = lock(&self.flight.state);
        state.waiting.remove(&self.id);
        if state.driver != Some(self.id) {
            return;
        }
        // A waiter takes over, or passes it on if it leaves before it could.
        state.driver = state.waiting.keys().next().copied();
        let next = state.driver.and_then(|id| state.waiting.remove(&id));
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

/// Removes the flight when its work has ended, panicked or was dropped: a request that comes then begins
/// anew.
struct End<K: Hash + Eq, V> {
    flights: Flights<K, V>,
    key: K,
    flight: Weak<Flight<V>>,
}

impl<K: Hash + Eq, V> Drop for End<K, V> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.flights);
        let known = under_way.get(&self.key);
        if known.is_some_and(|flight| Weak::ptr_eq(flight, &self.flight)) {
            under_way.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use futures_util::future::join_all;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use tokio::time::{sleep, timeout};

    use super::*;

    struct Counted {
        flights: SingleFlight<u8, u32>,
        /// Ten requests in one flight.
        step: Duration,
        begun: Arc<AtomicUsize>,
        ended: Arc<AtomicUsize>,
    }

    impl Counted {
        fn new(step: Duration) -> Self {
            Self {
                flights: SingleFlight::default(),
                step,
                begun: Arc::default(),
                ended: Arc::default(),
            }
        }

        fn share(&self, key: u8) -> (Waiter<u32>, bool) {
            let (begun, ended) = (self.begun.clone(), self.ended.clone());
            let step = self.step;
            self.flights.share(key, || async move {
                begun.fetch_add(1, Ordering::Relaxed);
                for _ in 0..10 {
                    sleep(step).await;
                }
                ended.fetch_add(1, Ordering::Relaxed);
                42
            })
        }

        fn counts(&self) -> (usize, usize) {
            let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
            (load(&self.begun), load(&self.ended))
        }

        fn under_way(&self) -> usize {
            lock(&self.flights.under_way).len()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_requests_share_one_flight_even_when_the_first_ones_leave() {
        let counted = Counted::new(Duration::from_millis(100));
        let (first, joined) = counted.share(1);
        assert!(!joined);
        let mut tasks = vec![tokio::spawn(first)];
        tokio::task::yield_now().await;
        for _ in 0..49 {
            let (work, joined) = counted.share(1);
            assert!(joined);
            tasks.push(tokio::spawn(work));
        }
        tokio::task::yield_now().await;
        for leaver in tasks.drain(..20) {
            leaver.abort();
            drop(leaver.await);
            sleep(Duration::from_millis(10)).await;
        }
        for other in tasks {
            assert_eq!(other.await.expect("it goes on without the first"), 42);
        }
        assert_eq!((counted.counts(), counted.under_way()), ((1, 1), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_without_waiters_is_cancelled_and_removed() {
        let counted = Counted::new(Duration::from_millis(100));
        let leader = tokio::spawn(counted.share(1).0);
        tokio::task::yield_now().await;
        leader.abort();
        drop(leader.await);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(counted.counts(), (1, 0));
        drop(counted.share(2));
        assert_eq!(counted.under_way(), 0);
        let (again, joined) = counted.share(1);
        assert!(!joined);
        assert_eq!(again.await, 42);
        assert_eq!(counted.counts(), (2, 1));
    }

    #[tokio::test]
    async fn a_flight_that_panics_is_removed_and_the_waiters_are_told() {
        let flights: SingleFlight<u8, u32> = SingleFlight::default();
        let (first, _) = flights.share(1, || async { panic!("on purpose") });
        let (second, joined) = flights.share(1, || async { 7 });
        assert!(joined);
        assert!(tokio::spawn(first).await.is_err());
        assert!(lock(&flights.under_way).is_empty());
        assert!(tokio::spawn(second).await.is_err());
    }

    /// A future that counts its polls.
    struct Watched<F>(F, Arc<AtomicUsize>);

    impl<F: Future + Unpin> Future for Watched<F> {
        type Output = F::Output;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.0).poll(context)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_are_woken_only_by_the_end() {
        let counted = Counted::new(Duration::from_millis(100));
        let leader = tokio::spawn(counted.share(1).0);
        tokio::task::yield_now().await;
        let polls = Arc::new(AtomicUsize::new(0));
        let waiting = Watched(counted.share(1).0, polls.clone());
        assert_eq!(tokio::spawn(waiting).await.expect("it lands"), 42);
        assert_eq!(leader.await.expect("it lands"), 42);
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn remaining_waiters_get_the_answer_whenever_the_others_leave() {
        let seed = rand::random();
        eprintln!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..50 {
            let counted = Counted::new(Duration::from_millis(4));
            let waiters: Vec<_> = (0..20).map(|_| counted.share(1).0).collect();
            let waits = waiters.into_iter().map(|waiter| {
                let patience = rng.random_range(0..40);
                let stays = rng.random_bool(0.2);
                let wait = async move {
                    let patience = Duration::from_millis(if stays { 60_000 } else { patience });
                    (stays, timeout(patience, waiter).await.ok())
                };
                tokio::spawn(wait)
            });
            for ended in join_all(waits.collect::<Vec<_>>()).await {
                let (stays, answer) = ended.expect("nothing panics");
                assert!(!stays || answer == Some(42), "seed {seed}");
            }
            assert_eq!(counted.under_way(), 0, "seed {seed}");
        }
    }
}
