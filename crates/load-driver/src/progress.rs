//! Progress: one line for the run, one for each scenario.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use load_engine::options::{Executor, duration};
use load_engine::{Phase, RunState, ScenarioState, ScenarioStatus};

/// The displayed state of a run in progress.
#[derive(Clone)]
pub struct Shown {
    pub state: Arc<RunState>,
    pub scenario_statuses: Vec<Arc<ScenarioStatus>>,
    /// VUs to make before the start.
    pub planned_vus: u64,
    /// The maximum number of VUs.
    pub most_vus: u64,
    /// The maximum duration of the run.
    pub longest: Duration,
}

/// Names are at least as wide as `Init`.
const LEAST_WIDTH: usize = 4;

/// The maximum width of a bar with its brackets, and the minimum without them.
const WIDEST_BAR: usize = 40;
const NARROWEST_BAR: usize = 8;

/// A scenario's bar.
struct Bar {
    mark: char,
    share: f64,
    /// VUs, time, iterations or rate.
    columns: Vec<String>,
}

impl Shown {
    /// All lines as of now. On a screen with this many columns they have bars, and no line wraps.
    pub fn lines(&self, columns: Option<usize>) -> String {
        let mut ordered: Vec<&Arc<ScenarioStatus>> = self.scenario_statuses.iter().collect();
        ordered.sort_by_key(|status| (status.scenario.start_time(), status.scenario.name.clone()));
        let names = ordered.iter().map(|status| status.scenario.name.len());
        let width = names.chain([LEAST_WIDTH]).max().unwrap_or_default();
        let has_begun = ordered.iter().any(|status| status.state.get().is_some());
        let bars: Vec<Bar> = ordered
            .iter()
            .map(|status| bar(status, has_begun))
            .collect();
        let mut widths = Vec::new();
        for bar in &bars {
            widths.resize(widths.len().max(bar.columns.len()), 0);
            for (width, text) in widths.iter_mut().zip(&bar.columns) {
                *width = text.len().max(*width);
            }
        }
        let mut text = if has_begun {
            self.running_line()
        } else {
            self.preparing_line(width)
        };
        let beside = width + 3 + widths.iter().map(|width| width + 2).sum::<usize>();
        let room = columns.map_or(0, |columns| columns.saturating_sub(beside + 1));
        for (status, bar) in ordered.iter().zip(bars) {
            text.push_str(&format!(
                "{:width$} {} {}",
                status.scenario.name,
                bar.mark,
                gauge(bar.share, room)
            ));
            for (width, column) in widths.iter().zip(&bar.columns) {
                text.push_str(&format!(" {column:width$} "));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        match columns {
            None => text,
            Some(columns) => cut(&text, columns),
        }
    }

    fn running_line(&self) -> String {
        let instance = &self.state.instance;
        format!(
            "running ({}), {} VUs, {} complete and {} interrupted iterations\n",
            clock(self.state.run_time(), self.longest),
            of_all(
                count(&instance.vus_active),
                count(&instance.vus_initialized),
                self.most_vus,
            ),
            count(&instance.iterations_completed),
            count(&instance.iterations_interrupted),
        )
    }

    /// Before the first scenario begins.
    fn preparing_line(&self, width: usize) -> String {
        let made = count(&self.state.instance.vus_initialized).min(self.planned_vus);
        if self.state.phase() < Phase::InitDone as u8 {
            let share = 100 * made / self.planned_vus.max(1);
            let planned = self.planned_vus;
            return format!(
                "{:width$}   [ {share:3}% ] {made}/{planned} VUs initialized\n",
                "Init"
            );
        }
        if self.state.is_paused() {
            return format!("{:width$}   [   0% ] paused\n", "Run");
        }
        format!("{:width$}   [ 100% ] setup()\n", "Run")
    }
}

/// `[=====>----]`; if there is too little room for it, or no screen, `[  50% ]`.
fn gauge(share: f64, room: usize) -> String {
    let cells = room.min(WIDEST_BAR).saturating_sub(2);
    if cells < NARROWEST_BAR {
        return format!("[ {:3.0}% ]", (share * 100.0).floor());
    }
    let full = (share.clamp(0.0, 1.0) * cells as f64).floor() as usize;
    let tip = if full < cells { ">" } else { "" };
    let rest = "-".repeat(cells - full - tip.len());
    format!("[{}{tip}{rest}]", "=".repeat(full))
}

/// The lines, cut so that they do not wrap. The last column stays free, since a terminal may wrap after it.
fn cut(text: &str, columns: usize) -> String {
    let most = columns.saturating_sub(1);
    let lines = text.lines();
    lines
        .flat_map(|line| line.chars().take(most).chain(['\n']))
        .collect()
}

fn bar(status: &ScenarioStatus, has_begun: bool) -> Bar {
    let Some(state) = status.state.get() else {
        let left = status.starts_in();
        let waits = has_begun && left.is_some();
        let start = status.scenario.start_time();
        let columns = vec!["waiting".to_owned(), clock(left.unwrap_or(start), start)];
        return Bar {
            mark: if waits { '•' } else { ' ' },
            share: 0.0,
            columns: if waits { columns } else { Vec::new() },
        };
    };
    let planned = status.scenario.duration();
    let spent = status
        .ended_after()
        .unwrap_or_else(|| state.started.elapsed());
    // A ramp that stays at zero ends before its last stages.
    let is_ramp = matches!(status.scenario.executor, Executor::RampingVus(_));
    let is_done = is_ramp && status.has_ended() && !status.was_ended_early();
    let is_over = spent >= planned || is_done;
    let (share, columns) = match &status.scenario.executor {
        Executor::SharedIterations(_) => {
            let (ended, all) = (ended(state), state.planned_iterations);
            let iterations = format!("{} shared iters", of_all(ended, all, all));
            let time = format!("{}/{}", clock(spent, planned), duration::format(planned));
            (part(ended, all), vec![vus(status), time, iterations])
        }
        Executor::PerVuIterations(c) => {
            let (ended, all) = (ended(state), state.planned_iterations);
            let each = c.iterations.unwrap_or(1);
            let iterations = format!("{} iters, {each} per VU", of_all(ended, all, all));
            let time = match is_over {
                true => duration::format(planned),
                false => format!("{}/{}", clock(spent, planned), duration::format(planned)),
            };
            let share = if is_over { 1.0 } else { part(ended, all) };
            (share, vec![vus(status), time, iterations])
        }
        other => {
            let time = match is_over {
                true => duration::format(planned),
                false => format!("{}/{}", clock(spent, planned), whole_time(other, planned)),
            };
            let share = if is_over { 1.0 } else { state.progress() };
            let rate = rate(status, spent);
            let columns = [Some(vus(status)), Some(time), rate];
            (share, columns.into_iter().flatten().collect())
        }
    };
    let mark = match (status.has_ended(), share < 1.0 || status.was_ended_early()) {
        (true, false) => '✓',
        (true, true) => '✗',
        (false, _) => ' ',
    };
    Bar {
        mark,
        share,
        columns,
    }
}

/// Ramps show their total time with the width of the elapsed time, the other executors as in options.
fn whole_time(executor: &Executor, planned: Duration) -> String {
    match executor {
        Executor::RampingVus(_) => clock(planned, planned),
        _ => duration::format(planned),
    }
}

fn vus(status: &ScenarioStatus) -> String {
    let active = status
        .state
        .get()
        .map_or(0, |state| count(&state.vus_active));
    let planned = count(&status.vus_planned);
    match &status.scenario.executor {
        Executor::RampingVus(_) => of_all(planned, status.vus, status.vus) + " VUs",
        Executor::ExternallyControlled(_) => format!("{planned}/{} VUs", status.vus),
        Executor::ConstantArrivalRate(c) => {
            of_all(active, planned, most(c.max_vus, planned)) + " VUs"
        }
        Executor::RampingArrivalRate(c) => {
            of_all(active, planned, most(c.max_vus, planned)) + " VUs"
        }
        _ => format!("{planned} VUs"),
    }
}

/// The current rate of an arrival-rate executor on this instance.
fn rate(status: &ScenarioStatus, spent: Duration) -> Option<String> {
    let per_second = |count: f64, unit: Option<Duration>| {
        count * status.share / unit.map_or(1.0, |unit| unit.as_secs_f64())
    };
    let (now, most) = match &status.scenario.executor {
        Executor::ConstantArrivalRate(c) => {
            let rate = per_second(c.rate.unwrap_or(0) as f64, c.time_unit);
            (rate, rate)
        }
        Executor::RampingArrivalRate(c) => {
            let stages = c.stages.as_deref().unwrap_or_default();
            let (mut from, mut left) = (c.start_rate.unwrap_or(0) as f64, spent);
            let most = stages
                .iter()
                .map(|stage| stage.target as f64)
                .fold(from, f64::max);
            for stage in stages {
                let target = stage.target as f64;
                if left < stage.duration {
                    from += (target - from) * left.as_secs_f64() / stage.duration.as_secs_f64();
                    break;
                }
                left -= stage.duration;
                from = target;
            }
            (per_second(from, c.time_unit), per_second(most, c.time_unit))
        }
        _ => return None,
    };
    let width = format!("{most:.2}").len();
    Some(format!("{now:0width$.2} iters/s"))
}

fn ended(state: &ScenarioState) -> u64 {
    count(&state.completed) + count(&state.interrupted)
}

fn most(configured: Option<i64>, planned: u64) -> u64 {
    let configured = configured.and_then(|most| u64::try_from(most).ok());
    configured.unwrap_or_default().max(planned)
}

/// `04/18`, with the number of digits of the maximum.
fn of_all(some: u64, all: u64, most: u64) -> String {
    let width = most.max(all).to_string().len();
    format!("{some:0width$}/{all:0width$}")
}

fn part(some: u64, all: u64) -> f64 {
    if all == 0 {
        return 0.0;
    }
    some as f64 / all as f64
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// `01.5s`, `0m01.5s`: with the digits of `like`.
fn clock(time: Duration, like: Duration) -> String {
    let tenths = time.as_millis() / 100;
    let (all_minutes, rest) = (tenths / 600, tenths % 600);
    let (hours, minutes) = (all_minutes / 60, all_minutes % 60);
    let like_s = like.as_secs();
    let digits = |number: u64| number.to_string().len();
    let seconds = format!("{:02}.{}s", rest / 10, rest % 10);
    if like_s >= 24 * 3600 {
        let (days, hours) = (hours / 24, hours % 24);
        let width = digits(like_s / (24 * 3600));
        return format!("{days:0width$}d{hours:02}h{minutes:02}m{seconds}");
    }
    if like_s >= 3600 {
        let width = digits(like_s / 3600);
        return format!("{hours:0width$}h{minutes:02}m{seconds}");
    }
    if like_s >= 60 {
        let width = digits(like_s / 60);
        return format!("{all_minutes:0width$}m{seconds}");
    }
    let width = digits(like_s);
    format!("{:0width$}.{}s", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_digits_of_the_most_that_there_may_be() {
        assert_eq!(of_all(5, 7, 30), "05/07");
        assert_eq!(of_all(0, 14, 15), "00/14");
        assert_eq!(of_all(3, 3, 3), "3/3");
    }

    #[test]
    fn a_bar_is_as_wide_as_there_is_room() {
        for (share, room, expected) in [
            (0.5, 12, "[=====>----]"),
            (0.0, 12, "[>---------]"),
            (1.0, 12, "[==========]"),
            (7.0, 12, "[==========]"),
            (0.5, 9, "[  50% ]"),
            (0.999, 0, "[  99% ]"),
        ] {
            assert_eq!(gauge(share, room), expected);
        }
        assert_eq!(gauge(0.3, 400).len(), WIDEST_BAR);
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let text = "a scenario ✓ [ 100% ]\nshort\n";
        assert_eq!(cut(text, 12), "a scenario \nshort\n");
        assert_eq!(cut(text, 13), "a scenario ✓\nshort\n");
        assert_eq!(cut(text, 80), text);
        assert_eq!(cut(text, 0), "\n\n");
    }

    #[test]
    fn times_are_as_wide_as_the_longest() {
        let check = |millis, like_s, expected: &str| {
            let like = Duration::from_secs(like_s);
            assert_eq!(clock(Duration::from_millis(millis), like), expected);
        };
        check(1000, 2, "1.0s");
        check(2650, 32, "02.6s");
        check(200, 630, "00m00.2s");
        check(2000, 100, "0m02.0s");
        check(61_000, 7200, "0h01m01.0s");
        check(12_000, 2, "12.0s");
    }
}
