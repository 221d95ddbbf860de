//! `sparring health`: the health check of containers.

use std::process::ExitCode;

use clap::Args;

use fleet::Endpoint;

use super::CommandResult;
use crate::client;
use crate::terminal::say;

/// Checks the health of a service: exit code 0 when it answers with success, 1 when it does not or
/// cannot be reached within 5 s. An image needs no curl for its health check.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The URL, such as http://127.0.0.1:8001/health; 127.0.0.1:8001 alone means the same
    #[arg(
        value_name = "URL",
        env = "HEALTH_URL",
        default_value = "http://127.0.0.1:8000/health"
    )]
    url: String,
}

const EXAMPLES: &str = "\
Examples:
  sparring health                        the orchestrator at 127.0.0.1:8000
  sparring health 127.0.0.1:8001         a mock detector
  sparring health http://127.0.0.1:8000/health/ready
                                         whether it accepts requests";

pub fn execute(arguments: &Arguments) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let body = runtime.block_on(client::get_text(&completed(&arguments.url)?))?;
    say!("{}", body.trim());
    Ok(ExitCode::SUCCESS)
}

/// The full URL: without a scheme it gets `http://`, and then without a path `/health`.
///
/// # Errors
/// The URL is invalid; the message says what a valid one is.
fn completed(given: &str) -> Result<String, String> {
    let url = if given.contains("://") {
        given.to_owned()
    } else if given.contains('/') {
        format!("http://{given}")
    } else {
        format!("http://{given}/health")
    };
    let hint = "use one such as http://127.0.0.1:8000/health";
    let endpoint = Endpoint::parse(&url).map_err(|why| format!("{why}; {hint}"))?;
    match endpoint.uri.scheme_str() {
        Some("http") => Ok(url),
        _ => Err(format!("`{url}`: only http:// is supported; {hint}")),
    }
}

#[cfg(test)]
mod tests {
    use super::completed;

    #[test]
    fn what_is_left_out_of_a_url_is_what_it_usually_is() {
        for (given, url) in [
            ("127.0.0.1:8000", Some("http://127.0.0.1:8000/health")),
            ("localhost", Some("http://localhost/health")),
            (
                "127.0.0.1:8000/health/ready",
                Some("http://127.0.0.1:8000/health/ready"),
            ),
            ("http://127.0.0.1:8000", Some("http://127.0.0.1:8000")),
            ("http://127.0.0.1:8000/x", Some("http://127.0.0.1:8000/x")),
            ("http://127.0.0.1:80000/x", None),
            ("https://127.0.0.1/x", None),
            ("ftp://127.0.0.1/x", None),
            ("a b", None),
            ("", None),
        ] {
            let read = completed(given);
            assert_eq!(read.as_deref().ok(), url, "{given}");
            assert!(url.is_some() || read.is_err_and(|why| why.contains("use one such as")));
        }
    }
}
