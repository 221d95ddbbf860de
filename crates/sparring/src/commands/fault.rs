//! `sparring fault`: changes the behaviour of running mock detectors.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use fault_profile::listener::Admin;
use fleet::{Detector, Fleet};
use hyper::Method;
use live_config::strict;
use serde_json::{Map, Value, json};
use simulated_server::{AdminClient, AdminError};

use super::CommandResult;
use crate::admin_target;
use crate::cli::FleetArguments;
use crate::environment;
use crate::fault_text;
use crate::terminal::{Usage, complain, say};

/// Changes the behaviour of a running mock detector, from the next request on.
///
/// The detector is looked up in the fleet file by name or alias and contacted at the host and port
/// of its endpoint, or at --url.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    fleet: FleetArguments,
}

const EXAMPLES: &str = "\
Examples:
  sparring fault mock-detector-failing --failure-rate 0.9
                                         nine requests in ten fail
  sparring fault mock-detector-success --latency 3s --for 1m
                                         slow for a minute, then as before
  sparring fault list                    how each detector behaves now
  sparring fault reset mock-detector-failing
                                         back to the profile of the fleet file";

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the current behaviour of each detector of the fleet
    List {
        #[command(flatten)]
        fleet: FleetArguments,
    },
    /// Revert to the profile of the fleet file; all detectors if none is named
    Reset {
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(detector_names))]
        names: Vec<String>,
        #[command(flatten)]
        fleet: FleetArguments,
    },
}

#[derive(Debug, Args)]
struct Change {
    /// Name or alias of the detector
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(detector_names))]
    name: Option<String>,
    /// Share of requests that fail, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    failure_rate: Option<f64>,
    /// Delay of answers: 200ms, 100ms..2s, or a distribution as JSON
    #[arg(long, value_name = "TIME", value_parser = fault_text::latency)]
    latency: Option<Value>,
    /// Kind of failure: reset, hang, status:503, or in full as JSON; repeat for a mix
    #[arg(long, value_name = "KIND", value_parser = fault_text::kind,
        add = ArgValueCandidates::new(failure_names))]
    kind: Vec<Value>,
    /// Refuse connections; needs --for where the admin API is on the same port
    #[arg(long)]
    refuse: bool,
    /// Any other change, as a JSON merge patch of the profile
    #[arg(long, value_name = "JSON")]
    patch: Option<String>,
    /// Revert the change after this time, such as 30s; the profile beneath it continues, with its
    /// schedule and its own end
    #[arg(long = "for", value_name = "TIME", value_parser = fault_text::lasting)]
    ttl: Option<Duration>,
    /// What to do with requests that are being delayed
    #[arg(long, default_value = "finish", value_parser = ["finish", "release", "redraw"])]
    in_flight: String,
    /// The address of the mock instead of its endpoint, as http://host:port
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "is not a number".to_owned())?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err("use a number from 0 to 1".to_owned())
    }
}

/// Names and aliases for the shell, from the fleet of a command without `--config`.
pub fn detector_names() -> Vec<CompletionCandidate> {
    let path = environment::path("SPARRING_CONFIG");
    let Ok(fleet) = fleet::load(path.as_deref(), &[]) else {
        return Vec::new();
    };
    let names = fleet.detectors.iter().flat_map(|(name, detector)| {
        std::iter::once(name.clone()).chain(detector.aliases.iter().cloned())
    });
    names.map(CompletionCandidate::new).collect()
}

fn failure_names() -> Vec<CompletionCandidate> {
    fault_profile::Failure::NAMES
        .iter()
        .map(CompletionCandidate::new)
        .collect()
}

pub fn execute(arguments: &Arguments) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let given = match &arguments.action {
        Some(Action::List { fleet } | Action::Reset { fleet, .. }) => fleet,
        None => &arguments.fleet,
    };
    given.init_logging("warn");
    let fleet = given.load()?;
    match &arguments.action {
        Some(Action::List { .. }) => runtime.block_on(list(&fleet)),
        Some(Action::Reset { names, .. }) => runtime.block_on(reset(&fleet, names)),
        None => runtime.block_on(change(&fleet, &arguments.change)),
    }
}

impl Change {
    fn merge_patch(&self) -> Result<Value, Usage> {
        let mut patch = match &self.patch {
            Some(text) => strict::read::<Map<String, Value>>(text.as_bytes())
                .map_err(|error| Usage(format!("--patch is not a JSON object: {error}")))?,
            None => Map::new(),
        };
        if let Some(rate) = self.failure_rate {
            // 1 - 0.9 is 0.09999999999999998; twelve digits are enough.
            patch.insert(
                "success_rate".into(),
                (((1.0 - rate) * 1e12).round() / 1e12).into(),
            );
        }
        if let Some(latency) = &self.latency {
            patch.insert("latency".into(), latency.clone());
        }
        if !self.kind.is_empty() {
            let mix = self
                .kind
                .iter()
                .map(|kind| json!({ "kind": kind }))
                .collect();
            patch.insert("failures".into(), mix);
        }
        if self.refuse {
            patch.insert("connection".into(), json!({ "refused": true }));
        }
        if patch.is_empty() {
            return Err(Usage(
                "nothing to change; see `sparring fault --help`".to_owned(),
            ));
        }
        Ok(Value::Object(patch))
    }
}

async fn change(fleet: &Fleet, change: &Change) -> CommandResult {
    let nobody = || Usage("name a detector".to_owned());
    let wanted = change.name.as_deref().ok_or_else(nobody)?;
    let patch = change.merge_patch()?;
    let (name, client) = admin_target::client(fleet, wanted, change.url.as_deref())?;
    if change.ttl.is_none() && cuts_off(&fleet.detectors[name], &patch) {
        return Err(format!(
            "it could not be reverted: the admin API of {name} is on the port that would refuse \
             connections; use --for TIME, or give it a separate port (listener.admin)"
        )
        .into());
    }
    let ttl = change
        .ttl
        .map(|ttl| format!("&ttl_ms={}", ttl.as_millis()))
        .unwrap_or_default();
    let path = format!("/profile?in_flight={}{ttl}", change.in_flight);
    let answer = match client.send(Method::PATCH, &path, Some(&patch)).await {
        Ok(answer) => answer,
        Err(error) => return Err(explained(fleet, name, error).await.into()),
    };
    let ttl = change.ttl.map(|ttl| format!(", for {ttl:?}"));
    say!(
        "{name}: revision {}, {}{}",
        answer["revision"],
        changes(&patch, &answer["profile"]).join(", "),
        ttl.unwrap_or_default(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Whether the admin API would be unreachable after the change.
fn cuts_off(detector: &Detector, patch: &Value) -> bool {
    patch["connection"]["refused"] == true && detector.listener.admin == Admin::SamePort
}

/// The changed settings with their new values.
fn changes(patch: &Value, profile: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (field, change) in patch.as_object().into_iter().flatten() {
        let now = &profile[field];
        match field.as_str() {
            "success_rate" => {
                // 1 - 0.1 is 0.9; 1 - 0.9 is 0.09999999999999998.
                let failing = 1.0 - now.as_f64().unwrap_or(1.0);
                lines.push(format!("failure rate {}", (failing * 1e12).round() / 1e12));
            }
            "connection" => lines.extend(
                change
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(part, _)| format!("connection.{part} {}", now[part])),
            ),
            _ if now.is_null() => lines.push(format!("{field} reset to its default")),
            _ => lines.push(format!("{field} {now}")),
        }
    }
    lines
}

async fn list(fleet: &Fleet) -> CommandResult {
    let width = fleet.detectors.keys().map(String::len).max().unwrap_or(0);
    say!(
        "{:width$}  {:>8}  {:>8}  {:>9}  latency",
        "detector",
        "revision",
        "failures",
        "requests"
    );
    let mut reached = 0;
    for name in fleet.detectors.keys() {
        match state(fleet, name).await {
            Ok(state) => {
                reached += 1;
                let failing = (1.0 - state["success_rate"].as_f64().unwrap_or(1.0)) * 100.0;
                let degraded = if state["degraded"] == true {
                    "  degraded"
                } else {
                    ""
                };
                let overlays = state["overlays"].as_array().into_iter().flatten();
                let overlays: String = overlays
                    .filter_map(|overlay| overlay["name"].as_str())
                    .map(|name| format!("  under {name}"))
                    .collect();
                let expires = state["expires_in_ms"].as_u64();
                let expires = expires.map(|ms| format!("  for {} s more", ms.div_ceil(1000)));
                say!(
                    "{name:width$}  {:>8}  {failing:>7.1}%  {:>9}  {}{}{overlays}{degraded}",
                    state["revision"].to_string(),
                    state["recorded"].to_string(),
                    state["latency"],
                    expires.unwrap_or_default(),
                );
            }
            Err(error) => match error.downcast_ref() {
                Some(AdminError::Unreachable { server, why }) => {
                    say!("{name:width$}  {server} does not answer ({why})");
                }
                _ => say!("{name:width$}  {error}"),
            },
        }
    }
    if reached == 0 {
        complain!(
            "error: no simulated server answers; is `sparring up`, `sparring mock` or `sparring target` running?"
        );
    }
    Ok(if reached > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn state(
    fleet: &Fleet,
    name: &str,
) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
    let (_, client) = admin_target::client(fleet, name, None)?;
    Ok(client.send(Method::GET, "", None).await?)
}

/// Reverts all that can be reached; each of the others is an error.
async fn reset(fleet: &Fleet, names: &[String]) -> CommandResult {
    let all: Vec<&str> = match names {
        [] => fleet.detectors.keys().map(String::as_str).collect(),
        names => names.iter().map(String::as_str).collect(),
    };
    let clients = all
        .iter()
        .map(|wanted| admin_target::client(fleet, wanted, None));
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    let mut code = ExitCode::SUCCESS;
    for (name, client) in clients {
        match reset_one(&client).await {
            Ok(revision) => say!("{name}: revision {revision}, as in the fleet file"),
            Err(error) => {
                let why = explained(fleet, name, error).await;
                complain!("error: {name}: {why}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// The message of an error. If only one mock detector of several does not answer, the stack is running, and a fault may be
/// the reason.
async fn explained(fleet: &Fleet, name: &str, error: AdminError) -> String {
    let why = match &error {
        AdminError::Unreachable { server, why } => format!("{server} does not answer ({why})"),
        AdminError::Broken { .. } => error.to_string(),
        _ => return error.to_string(),
    };
    for other in fleet.detectors.keys().filter(|other| *other != name) {
        if state(fleet, other).await.is_ok() {
            return format!(
                "{why}, but {other} does; {name} does not run, or a fault refuses connections, \
                 which ends by itself after the time of its --for"
            );
        }
    }
    error.to_string()
}

async fn reset_one(client: &AdminClient) -> Result<Value, AdminError> {
    Ok(client.send(Method::POST, "/reset", None).await?["revision"].clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_confirmation_names_what_was_changed_and_nothing_else() {
        let profile = json!({
            "success_rate": 0.1, "latency": {"constant": {"ms": 5.0}},
            "connection": {"refused": true, "latency": {"constant": {"ms": 0.0}}},
        });
        for (patch, said) in [
            (json!({"success_rate": 0.1}), "failure rate 0.9"),
            (
                json!({"connection": {"refused": true}}),
                "connection.refused true",
            ),
            (
                json!({"latency": {"constant": {"ms": 5}}}),
                r#"latency {"constant":{"ms":5.0}}"#,
            ),
            (json!({"queue": null}), "queue reset to its default"),
        ] {
            assert_eq!(changes(&patch, &profile), [said]);
        }
        let both = json!({"latency": {"constant": {"ms": 5}}, "success_rate": 0.1});
        assert_eq!(changes(&both, &profile).len(), 2);
    }
}
