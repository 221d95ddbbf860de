//! Progress: one line for the run, one for each scenario.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use load_engine::options::Executor;
use load_engine::{Board, RunState};

/// All lines as of now.
pub fn lines(state: &RunState, boards: &[Arc<Board>], most_vus: u64) -> String {
    let instance = &state.instance;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let most = most_vus.max(count(&instance.vus_initialized));
    let width = most.to_string().len();
    let mut text = format!(
        "running ({}), {:0width$}/{most} VUs, {} complete and {} interrupted iterations\n",
        clock(state.run_time(), Duration::ZERO),
        count(&instance.vus_active),
        count(&instance.iterations_completed),
        count(&instance.iterations_interrupted),
    );
    let mut ordered: Vec<_> = boards.iter().collect();
    ordered.sort_by(|a, b| a.scenario.name.cmp(&b.scenario.name));
    let longest = ordered
        .iter()
        .map(|board| board.scenario.name.len())
        .max()
        .unwrap_or(0);
    for board in ordered {
        let stopped = state.end().is_some();
        text.push_str(&format!(
            "{:longest$}  {}\n",
            board.scenario.name,
            line(board, stopped)
        ));
    }
    text
}

fn line(board: &Board, stopped: bool) -> String {
    let Some(state) = board.state.get() else {
        return format!(
            "• [   0% ] waiting  {}",
            clock(board.scenario.start_time(), Duration::ZERO)
        );
    };
    let planned = board.scenario.duration();
    let elapsed = state.started.elapsed().min(planned);
    let done = board.has_ended();
    let full = done && !stopped;
    let share = if full { 1.0 } else { state.progress() };
    let mark = match (done, stopped) {
        (true, false) => '✓',
        (true, true) => '✗',
        (false, _) => ' ',
    };
    let vus = board.vus_planned.load(Ordering::Relaxed);
    let completed = state.completed.load(Ordering::Relaxed);
    let time = match done && full {
        true if state.planned_iterations == 0 => load_engine::options::duration::format(planned),
        _ => format!(
            "{}/{}",
            clock(elapsed, planned),
            load_engine::options::duration::format(planned)
        ),
    };
    let details = match &board.scenario.executor {
        Executor::SharedIterations(_) => {
            format!(
                "{vus} VUs  {time}  {completed}/{} shared iters",
                state.planned_iterations
            )
        }
        Executor::PerVuIterations(c) => {
            let each = c.iterations.unwrap_or(1);
            format!(
                "{vus} VUs  {time}  {completed}/{} iters, {each} per VU",
                state.planned_iterations
            )
        }
        Executor::RampingVus(_) => format!("{vus}/{} VUs  {time}", board.vus),
        Executor::ConstantArrivalRate(c) => {
            let unit = c.time_unit.map_or(1.0, |unit| unit.as_secs_f64());
            let rate = c.rate.unwrap_or(0) as f64 / unit;
            let active = state.vus_active.load(Ordering::Relaxed);
            format!("{active}/{} VUs  {time}  {rate:.2} iters/s", board.vus)
        }
        Executor::RampingArrivalRate(_) => {
            let active = state.vus_active.load(Ordering::Relaxed);
            format!("{active}/{} VUs  {time}", board.vus)
        }
        Executor::ConstantVus(_) | Executor::ExternallyControlled(_) => {
            format!("{vus} VUs  {time}")
        }
    };
    format!("{mark} [ {:3.0}% ] {details}", share * 100.0)
}

/// `01.5s`, `1m01.5s`: as wide as `like` would be.
fn clock(time: Duration, like: Duration) -> String {
    let tenths = time.as_millis() / 100;
    let (minutes, rest) = (tenths / 600, tenths % 600);
    let seconds = format!("{:02}.{}s", rest / 10, rest % 10);
    if minutes >= 60 || like >= Duration::from_secs(3600) {
        return format!("{}h{:02}m{seconds}", minutes / 60, minutes % 60);
    }
    if minutes > 0 || like >= Duration::from_secs(60) {
        return format!("{minutes:02}m{seconds}");
    }
    seconds
}
