//! `sparring target NAME`: a simulated system until Ctrl-C.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fault_profile::listener::Admin;
use service_runtime::{Shutdown, bind, logging};
use target_systems::serve::{Config, Target};
use tokio::net::TcpListener;

use super::Changes;
use super::use_of::Use;
use crate::commands::{CommandResult, counted};
use crate::terminal::{Usage, complain, say};
use crate::{environment, signals, terminal};

// clap names a group of arguments after its struct, and the struct of the command has the same name.
#[derive(Debug, Args)]
#[group(id = "serve")]
pub struct Arguments {
    /// acso, aiaas, acis, agent360, lab, or a file
    #[arg(value_name = "SYSTEM")]
    pub system: Option<String>,
    /// Port to listen on; 0 means a free one
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    #[command(flatten)]
    pub changes: Changes,
    /// Port of the admin API [default: the system's own port]
    #[arg(long, value_name = "PORT", conflicts_with = "no_admin")]
    admin_port: Option<u16>,
    /// Serve no admin API
    #[arg(long)]
    no_admin: bool,
    /// Maximum number of requests in the journal
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    journal: usize,
    /// Maximum number of inputs in the log, for `sparring target recompute`
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    log_inputs: usize,
    /// Print only the address: no table of routes, no status line
    #[arg(long, short = 'q')]
    quiet: bool,
}

pub fn execute(name: &str, arguments: &Arguments) -> CommandResult {
    logging::init(
        logging::Format::Text,
        logging::filter(environment::log_level().as_deref(), "warn"),
        terminal::stderr_takes_colour(),
    );
    let system = arguments.changes.load(name)?;
    let admin = match (arguments.no_admin, arguments.admin_port) {
        (true, _) => Admin::Off,
        (false, Some(port)) => Admin::Port(port),
        (false, None) => Admin::SamePort,
    };
    let config = Config {
        admin,
        journal_entries: arguments.journal,
        log_entries: arguments.log_inputs,
        ..Config::new(system)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(config, arguments))
}

async fn serve(config: Config, arguments: &Arguments) -> CommandResult {
    let shutdown = Shutdown::new();
    signals::on_interrupt(shutdown.clone());
    let document = config.system.document.clone();
    let target = Target::new(config)?;
    // All ports are bound before the system is reported as ready.
    let Bound {
        listener,
        admin,
        offer,
    } = bound(&target, &document.system, arguments).await?;
    print_offer(&document, &offer, arguments.quiet);
    tokio::select! {
        served = target.clone().serve_with(listener, admin, shutdown.clone()) => served?,
        () = status_line(&target, arguments.quiet) => {}
        () = tell_of_end(&target, &shutdown) => {}
    }
    let in_flight = target.read().in_flight;
    if in_flight > 0 {
        complain!(
            "{} in flight received no response",
            counted(in_flight as usize, "request")
        );
    }
    if !arguments.quiet {
        if terminal::can_move() {
            terminal::clear_line();
        }
        say!(
            "stopped after {}",
            counted(target.answered() as usize, "request")
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The ports of a system.
struct Bound {
    listener: TcpListener,
    admin: Option<TcpListener>,
    /// The addresses as they are shown.
    offer: String,
}

async fn bound(
    target: &Target,
    system: &str,
    arguments: &Arguments,
) -> Result<Bound, Box<dyn std::error::Error + Send + Sync>> {
    let own = SocketAddr::new(arguments.host, arguments.port);
    if arguments.admin_port == Some(arguments.port) && arguments.port != 0 {
        let hint = "is the port of the system; without --admin-port, it also serves the admin API";
        return Err(Usage(format!("--admin-port {} {hint}", arguments.port)).into());
    }
    let hint = "--port takes another one, and 0 a free one";
    let listener = bind(own, system).await;
    let listener = listener.map_err(|error| terminal::hinted(error.into(), hint))?;
    let hint = "--admin-port takes another one, and 0 a free one";
    let admin = target.bind_admin(arguments.host).await;
    let admin = admin.map_err(|error| terminal::hinted(error.into(), hint))?;
    let address = listener.local_addr()?;
    let offer = match &admin {
        Some(admin) => {
            let admin = admin.local_addr()?;
            format!(
                "http://{address}  (simulated; GET /docs, /metrics; admin API http://{admin}/__admin)"
            )
        }
        None if arguments.no_admin => {
            format!("http://{address}  (simulated; GET /docs, /metrics)")
        }
        None => format!("http://{address}  (simulated; GET /docs, /metrics, /__admin)"),
    };
    Ok(Bound {
        listener,
        admin,
        offer,
    })
}

/// Reports what the shutdown waits for.
async fn tell_of_end(target: &Target, shutdown: &Shutdown) {
    shutdown.cancelled().await;
    let in_flight = target.read().in_flight;
    if in_flight > 0 {
        if terminal::can_move() {
            terminal::clear_line();
        }
        let seconds = service_runtime::serve::DRAIN.as_secs();
        complain!(
            "stopping: waiting up to {seconds} s for {} in flight; a second Ctrl-C exits at once",
            counted(in_flight as usize, "request")
        );
    }
    std::future::pending::<()>().await;
}

/// Prints the address of the system and, unless `quiet`, its routes.
fn print_offer(document: &target_systems::document::Document, offer: &str, quiet: bool) {
    say!("{}  {offer}", document.system);
    if quiet {
        return;
    }
    let routes = document
        .endpoints
        .values()
        .map(|one| (one.route.as_str(), one.title.as_str()));
    let routes: Vec<(&str, &str)> = routes.collect();
    let width = routes
        .iter()
        .map(|(route, _)| route.len())
        .max()
        .unwrap_or_default();
    for (route, title) in routes {
        say!("  {route:width$}  {title}");
    }
    say!("ready; Ctrl-C stops");
}

/// Prints the activity of the system every second: on a terminal as one line that is overwritten, in a pipe as a
/// line after each change.
async fn status_line(target: &Arc<Target>, quiet: bool) {
    if quiet {
        return std::future::pending().await;
    }
    let live = terminal::can_move();
    let (mut before, mut answered) = (target.read(), target.answered());
    let mut last = String::new();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = target.read();
        let seconds = now.at.saturating_sub(before.at).as_secs_f64().max(1e-3);
        let rate = target.answered().saturating_sub(answered) as f64 / seconds;
        let mut line = Use::between(&before, &now).line(rate, now.in_flight);
        if target.is_degraded() {
            line.push_str("; degraded: responses are late");
        }
        answered = target.answered();
        before = now;
        if live {
            terminal::replace_line(&line);
        } else if line != last {
            say!("{line}");
        }
        last = line;
    }
}
