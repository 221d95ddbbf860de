//! Checks of the clock: a plausible time, sufficient resolution, and no difference to the service's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::Finding;

/// 2025-01-01: this program did not exist before.
const EARLIEST_S: u64 = 1_735_689_600;
const COARSEST: Duration = Duration::from_millis(1);
/// A `Date` header has whole seconds, and a response takes its time.
const MOST_SKEW_S: i64 = 5;

const TIME_FIX: &str = "set the time, such as with `timedatectl set-ntp true`";

/// Whether the clock can be used.
pub fn finding() -> Finding {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    judge(now.unwrap_or_default(), tick())
}

fn judge(now: Duration, tick: Option<Duration>) -> Finding {
    let shown = Timestamp::from_second(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let shown = shown.map_or("a time out of range".to_owned(), |at| at.to_string());
    if now.as_secs() < EARLIEST_S {
        return Finding::problem("clock", format!("it shows {shown}")).fixed_by(TIME_FIX);
    }
    match tick.filter(|tick| *tick > COARSEST) {
        None => Finding::sound("clock", shown),
        Some(tick) => Finding::problem(
            "clock",
            format!("its resolution is {tick:?}, too coarse for short times"),
        )
        .fixed_by(
            "choose another in /sys/devices/system/clocksource/clocksource0/current_clocksource",
        ),
    }
}

/// The difference between the clock of a service and this one, by the `Date` header of a response; a
/// problem if a record could not be compared with the service's own log. `None` if the header has no time.
pub fn skew(date: &str, now: Timestamp) -> Option<Finding> {
    let there = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    let seconds = there.as_second() - now.as_second();
    if seconds.abs() <= MOST_SKEW_S {
        return Some(Finding::sound("clock", "the service has the same time"));
    }
    let direction = if seconds > 0 { "ahead of" } else { "behind" };
    let said = format!(
        "the service's clock is {} s {direction} this one",
        seconds.abs()
    );
    Some(Finding::problem("clock", said).fixed_by(TIME_FIX))
}

#[cfg(unix)]
fn tick() -> Option<Duration> {
    let mut found = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live value of the right type, which is written and then read.
    let read = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC, &raw mut found) == 0 };
    let seconds = u64::try_from(found.tv_sec).ok()?;
    let nanoseconds = u32::try_from(found.tv_nsec).ok()?;
    read.then(|| Duration::new(seconds, nanoseconds))
}

#[cfg(not(unix))]
fn tick() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_the_program_or_a_coarse_tick_is_a_problem() {
        let now = Duration::from_secs(EARLIEST_S + 1);
        let fine = Some(Duration::from_nanos(1));
        assert!(!judge(now, fine).is_problem);
        assert!(!judge(now, None).is_problem);
        let epoch = judge(Duration::from_secs(9), fine);
        assert!(
            epoch.is_problem && epoch.said.contains("1970-01-01"),
            "{epoch:?}"
        );
        let coarse = judge(now, Some(Duration::from_millis(10)));
        assert!(
            coarse.is_problem && coarse.said.contains("10ms"),
            "{coarse:?}"
        );
    }

    #[test]
    fn a_service_may_be_five_seconds_away() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        for (date, is_problem) in [
            ("Sun, 01 Mar 2026 12:00:05 GMT", Some(false)),
            ("Sun, 01 Mar 2026 11:59:55 GMT", Some(false)),
            ("Sun, 01 Mar 2026 12:00:06 GMT", Some(true)),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(true)),
            ("yesterday", None),
        ] {
            let found = skew(date, now).map(|finding| finding.is_problem);
            assert_eq!(found, is_problem, "{date}");
        }
        let behind = skew("Sun, 01 Mar 2026 11:00:00 GMT", now).expect("a time");
        assert!(behind.said.contains("3600 s behind"), "{behind:?}");
    }
}
