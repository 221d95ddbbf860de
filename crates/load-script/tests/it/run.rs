//! Runs scripts and returns their results.

use std::sync::{Arc, Mutex, PoisonError};

use load_engine::log::{Level, Logger};
use load_engine::options::{derive, json};
use load_engine::segment::Segment;
use load_engine::summary::{Summary, Terminal, to_data};
use load_engine::thresholds::Thresholds;
use load_engine::{
    Gatherer, Outcome, Program, Run, RunState, ScriptError, Workers, scenario_statuses,
};
use load_metrics::{Aggregate, Registry};
use load_script::{ScriptProgram, Source};

/// Log lines as `level message`.
pub type Lines = Arc<Mutex<Vec<String>>>;

/// The result of a script.
pub struct Finished {
    pub outcome: Outcome,
    pub lines: Vec<String>,
}

impl Finished {
    pub fn summary(&self) -> &Summary {
        &self.outcome.summary
    }

    pub fn value(&self, metric: &str, value: &str) -> f64 {
        self.summary()
            .metric(metric)
            .map_or(f64::NAN, |metric| metric.value(value))
    }

    /// The output of `console.log`, one line per call.
    pub fn said(&self) -> Vec<&str> {
        self.lines
            .iter()
            .filter_map(|line| line.strip_prefix("Info "))
            .collect()
    }
}

fn logger() -> (Logger, Lines) {
    let lines = Lines::default();
    let sink = Arc::clone(&lines);
    let logger = Logger::new(move |line| {
        let level = match line.level {
            Level::Debug => "Debug",
            Level::Info => "Info",
            Level::Warn => "Warn",
            Level::Error => "Error",
        };
        let fields: String = line
            .fields
            .iter()
            .filter(|f| f.0 == "error")
            .map(|f| format!(" {}", f.1))
            .collect();
        let text = format!("{level} {}{fields}", line.message);
        sink.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    });
    (logger, lines)
}

/// The memory limit of a virtual user in these tests.
pub const VU_MEMORY_BYTES: usize = 16 << 20;

fn source(script: &str) -> Source {
    Source {
        path: "/scripts/test.js".into(),
        text: Some(script.to_owned()),
        environment: vec![("HOME".to_owned(), "/home/x".to_owned())],
        vu_memory_bytes: Some(VU_MEMORY_BYTES),
        // As in the program: CI runs these tests a second time with a realm for each VU.
        keeps_builtins_apart: std::env::var("SPARRING_SHARE_BUILTINS").as_deref() == Ok("false"),
        ..Source::default()
    }
}

/// The error of a script that cannot be loaded.
pub fn load_error(script: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let loaded = runtime.block_on(ScriptProgram::load(
        source(script),
        Arc::new(Registry::new()),
        Logger::silent(),
    ));
    match loaded {
        Ok(_) => String::new(),
        Err(ScriptError::Exception(text)) => text,
        Err(other) => other.to_string(),
    }
}

/// Runs a script to its end.
pub fn run(script: &str) -> Finished {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, execute(script))
}

async fn execute(script: &str) -> Finished {
    let (logger, lines) = logger();
    let registry = Arc::new(Registry::new());
    let program = ScriptProgram::load(source(script), Arc::clone(&registry), logger.clone()).await;
    let program = Arc::new(program.unwrap_or_else(|error| panic!("the script must load: {error}")));
    lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let mut options = json::read(&program.options())
        .expect("valid options")
        .options;
    derive::scenarios(&mut options).expect("derivable");
    let segment = Segment::full();
    let thresholds = options.thresholds.clone().unwrap_or_default();
    let thresholds = Thresholds::new(&thresholds, &registry).expect("valid thresholds");
    let (_, scenario_statuses) = scenario_statuses(&options, &segment);
    let run = Run {
        program,
        state: Arc::new(RunState::new(Arc::new(options))),
        registry,
        segment,
        thresholds,
        logger,
        workers: Workers::Local,
        by_part: false,
        outputs: None,
        aggregate: Arc::new(Mutex::new(Aggregate::default())),
        scenario_statuses,
        summary_data: Some(Box::new(|summary| to_data(summary, Terminal::default()))),
        reads_summary_back: false,
        gatherer: Gatherer::default(),
        linger: None,
        together: None,
    };
    let outcome = run.execute().await;
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Finished { outcome, lines }
}

/// Runs `body` as the only iteration; its output must be `expected`.
pub fn check(body: &str, expected: &[&str]) {
    let script = format!(
        "import http from 'k6/http'; import {{ check, group, sleep, fail }} from 'k6'; import exec from 'k6/execution';
         const say = (...all) => console.log(all.map((one) => typeof one === 'string' ? one : JSON.stringify(one)).join(' '));
         export default function () {{ {body} }}"
    );
    let finished = run(&script);
    let others: Vec<&String> = finished
        .lines
        .iter()
        .filter(|line| line.starts_with("Error"))
        .collect();
    assert_eq!(finished.said(), expected, "of {body}; errors: {others:?}");
}
