//! The outputs of a run: those named by flags, files and variables, and the page.

use std::sync::Arc;

use live_page::{Config, WebDashboard};
use load_engine::Standings;
use load_engine::log::Logger;
use load_engine::options::Options;
use load_metrics::Registry;
use load_outputs::{Environment, Output, OutputError, Outputs, Setup, create};

use crate::failure::Failure;
use crate::surroundings::Surroundings;

/// The description of the outputs in the banner.
#[derive(Debug, PartialEq, Eq)]
pub struct Described {
    /// The address of the page that variables request.
    pub web_dashboard: Option<String>,
    pub outputs: String,
}

/// The outputs of a run.
pub struct Wanted<'a> {
    pub script: &'a str,
    /// The outputs named by flags and files.
    pub named: &'a [String],
    pub extra: Vec<Box<dyn Output>>,
    pub standings: &'a Standings,
    pub around: &'a Surroundings,
}

/// Makes and starts all outputs, or none.
pub fn start(
    wanted: Wanted<'_>,
    registry: &Arc<Registry>,
    options: &Arc<Options>,
    logger: &Logger,
) -> Result<(Outputs, Described), Failure> {
    let Wanted {
        script,
        named,
        extra,
        standings,
        around,
    } = wanted;
    let other = |error: OutputError| Failure::other(error.to_string());
    let from_environment = around.variable("K6_OUT").filter(|out| !out.is_empty());
    let named = if named.is_empty() {
        from_environment.into_iter().collect()
    } else {
        named.to_vec()
    };
    let environment: Environment = around.unicode().collect();
    let mut outputs = Vec::new();
    for name in &named {
        outputs.push(make(name, script, &environment)?);
    }
    let described: Vec<String> = outputs.iter().map(|output| output.description()).collect();
    let mut described = Described {
        web_dashboard: None,
        outputs: if described.is_empty() {
            "-".to_owned()
        } else {
            described.join(", ")
        },
    };
    let is_named = named.iter().any(|name| is_web_dashboard(name));
    let dashboard = around.variable("K6_WEB_DASHBOARD");
    if Config::is_wanted(dashboard.as_deref()) && !is_named {
        let dashboard = web_dashboard("", script, &environment)?;
        described.web_dashboard = dashboard.url().map(str::to_owned);
        outputs.push(Box::new(dashboard));
    }
    outputs.extend(extra);
    let setup = Setup {
        registry: Arc::clone(registry),
        options: Arc::clone(options),
        logger: logger.clone(),
        standings: standings.clone(),
        stdout: around.stdout.shared(),
    };
    Ok((Outputs::start(outputs, &setup).map_err(other)?, described))
}

fn make(name: &str, script: &str, environment: &Environment) -> Result<Box<dyn Output>, Failure> {
    if is_web_dashboard(name) {
        let argument = name.split_once('=').map_or("", |(_, argument)| argument);
        return Ok(Box::new(web_dashboard(argument, script, environment)?));
    }
    create(name, environment).map_err(|error| Failure::other(error.to_string()))
}

fn web_dashboard(
    argument: &str,
    script: &str,
    environment: &Environment,
) -> Result<WebDashboard, Failure> {
    let config = Config::read(argument, environment).map_err(|error| {
        Failure::other(format!(
            "could not create the 'web-dashboard' output: {error}"
        ))
    })?;
    Ok(WebDashboard::new(config, script))
}

fn is_web_dashboard(name: &str) -> bool {
    name == "web-dashboard" || name.starts_with("web-dashboard=")
}
