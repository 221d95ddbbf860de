//! Pure, seeded model of what shall happen to request n: latency, failure, schedule, queue.
