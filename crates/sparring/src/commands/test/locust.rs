//! Locust's flags: users, spawn rate, run time, and those that state the default.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use suite::file::Span;

/// Load that replaces the test's own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load, as Locust has it")]
pub struct LoadArguments {
    /// Users at the peak
    #[arg(short = 'u', long, visible_alias = "vus", value_name = "N", value_parser = number, allow_negative_numbers = true)]
    pub users: Option<f64>,
    /// Users that start per second
    #[arg(short = 'r', long, value_name = "N", value_parser = number, allow_negative_numbers = true)]
    pub spawn_rate: Option<f64>,
    /// Length of the test, including the ramp, such as 300s, 5m, 24h
    #[arg(short = 't', long, visible_alias = "duration", value_name = "TIME", value_parser = time)]
    pub run_time: Option<Duration>,
    /// Serve no page; without this flag, -u, -r or -t serve Locust's page, as --web does
    #[arg(long, conflicts_with = "web")]
    pub headless: bool,
    /// Run this locustfile with real Locust, which has to be on the PATH; arguments select its classes
    #[arg(short = 'f', long, value_name = "FILE")]
    pub locustfile: Option<PathBuf>,
}

impl LoadArguments {
    /// Whether Locust would serve its page.
    pub fn wants_page(&self) -> bool {
        let has_load = self.users.is_some() || self.spawn_rate.is_some() || self.run_time.is_some();
        has_load && !self.headless
    }
}

fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("a number above 0 is expected".to_owned()),
    }
}

/// A plain number is in seconds, as in Locust.
fn time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().map(Duration::from_secs);
    let span = seconds.or_else(|_| text.parse::<Span>().map(Span::get));
    match span {
        Ok(time) if !time.is_zero() => Ok(time),
        Ok(_) => Err("a time above 0 is expected".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
