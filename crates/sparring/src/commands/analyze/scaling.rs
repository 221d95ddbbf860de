//! `sparring analyze scaling`: the Universal Scalability Law, the knee, the figures of a ladder.

use std::path::PathBuf;
use std::process::ExitCode;

use analysis::capacity::from_knee;
use analysis::ladder::{Figures, Rung, Stability, figures};
use analysis::usl::{self, Coefficient, Fit, Mark, Reach};
use clap::Args;
use serde_json::{Value, json};

use super::{LOADS, THROUGHPUTS, confidence, digits, interval_json};
use crate::commands::CommandResult;
use crate::table::{Table, TableError};
use crate::terminal::say;

/// Fit the Universal Scalability Law to throughput over load
///
/// The law is X(N) = γN / (1 + α(N-1) + βN(N-1)). The result has the
/// contention α, the coherency β, the peak and the ceiling; a number beyond the measured range is marked
/// as extrapolated.
///
/// With the columns success_rate (0 to 1) and mean_response (any unit), and optionally cpu (0 to
/// 1), the figures of a ladder are added: linear score, retention, the largest stable number of users,
/// the saturation point.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The measurements, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The column with the load [default: users, load, vus, concurrency, processors, threads or n]
    #[arg(long, value_name = "COLUMN")]
    load: Option<String>,
    /// The column with the throughput [default: throughput, rps, requests_per_s, tps or x]
    #[arg(long, value_name = "COLUMN")]
    throughput: Option<String>,
    /// The confidence of the intervals
    #[arg(long, default_value = "0.95", value_parser = confidence)]
    confidence: f64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sparring analyze scaling ladder.csv
  sparring analyze scaling bench.csv --load processors --throughput ops --json

A ladder.csv of four columns:
  users,throughput,success_rate,mean_response
  5,49.2,1.0,101
  10,97.5,1.0,103";

/// The content of the file.
struct Measured {
    loads: Vec<f64>,
    throughputs: Vec<f64>,
    rungs: Option<Vec<Rung>>,
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let table = Table::read(&arguments.file)?;
    let measured = measured(&table, arguments)?;
    let fit = usl::fit(&measured.loads, &measured.throughputs, arguments.confidence)?;
    let knee = from_knee(&measured.loads, &measured.throughputs)?.and_then(|knee| knee.load);
    let ladder = match &measured.rungs {
        Some(rungs) => Some(figures(rungs, &Stability::default())?),
        None => None,
    };
    if arguments.json {
        let found = as_json(&measured, &fit, knee, ladder.as_ref());
        say!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print(&table, &measured, &fit, knee);
        if let Some(ladder) = &ladder {
            print_ladder(ladder);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measured(table: &Table, arguments: &Arguments) -> Result<Measured, TableError> {
    let load = table.require(arguments.load.as_deref(), &LOADS, 0)?;
    let throughput = table.require(arguments.throughput.as_deref(), &THROUGHPUTS, 1)?;
    let success = table.find(None, &["success_rate"])?;
    let response = table.find(None, &["mean_response", "mean_response_ms", "avg_ms"])?;
    let cpu = table.find(None, &["cpu"])?;
    let mut columns = vec![&load, &throughput];
    let of_a_ladder = success.as_ref().zip(response.as_ref());
    if let Some((success, response)) = of_a_ladder {
        columns.extend([success, response]);
        columns.extend(cpu.as_ref());
    }
    let numbers = table.numbers(&columns)?;
    let rungs = of_a_ladder.map(|_| {
        (0..table.rows())
            .map(|row| Rung {
                users: numbers[0][row],
                throughput: numbers[1][row],
                success_rate: numbers[2][row],
                mean_response: numbers[3][row],
                cpu: numbers.get(4).map(|cpu| cpu[row]),
            })
            .collect()
    });
    Ok(Measured {
        loads: numbers[0].clone(),
        throughputs: numbers[1].clone(),
        rungs,
    })
}

fn print(table: &Table, measured: &Measured, fit: &Fit, knee: Option<f64>) {
    say!(
        "{}: {} points, loads from {} to {}",
        table.name(),
        fit.points,
        digits(fit.smallest_load),
        digits(fit.largest_load)
    );
    let row = |name: &str, of: &Coefficient, meaning: &str| {
        let bound = if of.at_bound {
            "; at its bound, the data suggest less than the law allows"
        } else {
            ""
        };
        say!(
            "  {name} {:>10}  {:.0} % interval {} to {}  {meaning}{bound}",
            digits(of.estimate),
            100.0 * of.interval.confidence,
            digits(of.interval.lower),
            digits(of.interval.upper)
        );
    };
    row("alpha", &fit.alpha, "contention: the serial share");
    row("beta ", &fit.beta, "coherency: the cost of each pair");
    row("gamma", &fit.gamma, "throughput of a single user");
    say!("  R squared {}", digits(fit.r_squared));
    if fit.is_weak {
        say!("  Fewer than six different loads: the fit is weak.");
    }
    match fit.peak() {
        None => say!("peak     none: throughput never falls when beta is 0"),
        Some(peak) => {
            say!("peak     {}", mark(&peak));
            if let Some(interval) = fit.peak_interval() {
                say!(
                    "         between loads {} and {}",
                    digits(interval.lower),
                    digits(interval.upper)
                );
            }
        }
    }
    if let Some(ceiling) = fit.ceiling() {
        say!("ceiling  {} by contention alone", digits(ceiling));
    }
    if let Some(optimal) = fit.optimal() {
        say!("optimal  {}", mark(&optimal));
    }
    match knee {
        Some(knee) => say!("knee     load {} (Kneedle)", digits(knee)),
        None => say!("knee     none (Kneedle)"),
    }
    say!("\n      load  throughput      fitted  efficiency");
    for (load, throughput) in measured.loads.iter().zip(&measured.throughputs) {
        say!(
            "{:>10}  {:>10}  {:>10}  {:>10}",
            digits(*load),
            digits(*throughput),
            digits(fit.throughput(*load)),
            digits(throughput / (fit.gamma.estimate * load))
        );
    }
}

fn mark(mark: &Mark) -> String {
    let reach = match mark.reach {
        Reach::Measured => String::new(),
        Reach::Extrapolated { beyond } => {
            format!(
                ", extrapolated beyond the largest load of {}",
                digits(beyond)
            )
        }
    };
    format!(
        "{} at load {}{reach}",
        digits(mark.throughput),
        digits(mark.load)
    )
}

fn print_ladder(ladder: &Figures) {
    let or_none = |value: Option<f64>| value.map_or("none".to_owned(), digits);
    say!("\nladder");
    say!(
        "  linear scalability score  {}",
        digits(ladder.linear_scalability_score)
    );
    say!(
        "  max stable users          {}",
        or_none(ladder.max_stable_users)
    );
    say!("  retention there           {}", or_none(ladder.retention));
    say!(
        "  saturation point          {}",
        or_none(ladder.saturation_point)
    );
    say!(
        "  correlation               {}",
        or_none(ladder.correlation)
    );
}

fn as_json(measured: &Measured, fit: &Fit, knee: Option<f64>, ladder: Option<&Figures>) -> Value {
    let points: Vec<Value> = measured
        .loads
        .iter()
        .zip(&measured.throughputs)
        .map(|(load, throughput)| {
            let overhead = fit.overhead(*load);
            json!({
                "load": load,
                "throughput": throughput,
                "fitted": fit.throughput(*load),
                "efficiency": throughput / (fit.gamma.estimate * load),
                "overhead": {
                    "ideal": overhead.ideal,
                    "contention": overhead.contention,
                    "coherency": overhead.coherency,
                },
            })
        })
        .collect();
    json!({
        "usl": {
            "alpha": coefficient_json(&fit.alpha),
            "beta": coefficient_json(&fit.beta),
            "gamma": coefficient_json(&fit.gamma),
            "residual_deviation": fit.residual_deviation,
            "r_squared": fit.r_squared,
            "is_weak": fit.is_weak,
            "peak": fit.peak().map(|peak| mark_json(&peak)),
            "peak_interval": fit.peak_interval().map(|interval| interval_json(&interval)),
            "ceiling": fit.ceiling(),
            "optimal": fit.optimal().map(|optimal| mark_json(&optimal)),
        },
        "knee": knee,
        "points": points,
        "ladder": ladder.map(|ladder| json!({
            "linear_scalability_score": ladder.linear_scalability_score,
            "max_stable_users": ladder.max_stable_users,
            "retention": ladder.retention,
            "saturation_point": ladder.saturation_point,
            "correlation": ladder.correlation,
        })),
    })
}

fn coefficient_json(of: &Coefficient) -> Value {
    json!({
        "estimate": of.estimate,
        "standard_error": of.standard_error.is_finite().then_some(of.standard_error),
        "interval": interval_json(&of.interval),
        "at_bound": of.at_bound,
    })
}

fn mark_json(mark: &Mark) -> Value {
    json!({
        "load": mark.load,
        "throughput": mark.throughput,
        "extrapolated": mark.reach.is_extrapolated(),
    })
}
