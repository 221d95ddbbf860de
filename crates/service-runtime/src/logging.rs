//! Log output: to stderr, as text for people or JSON for collectors.

use tracing_subscriber::EnvFilter;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Directives as the subscriber reads them; `WARNING` and `CRITICAL` are Python's names of levels.
fn directives(text: &str) -> String {
    match text.trim().to_lowercase().as_str() {
        "warning" => "warn".to_owned(),
        "critical" | "fatal" => "error".to_owned(),
        other => other.to_owned(),
    }
}

/// The filter for the levels that the user has `chosen`, in the syntax of `RUST_LOG`. `default_level` replaces
/// missing and invalid ones.
pub fn filter(chosen: Option<&str>, default_level: &str) -> EnvFilter {
    chosen
        .and_then(|text| EnvFilter::try_new(directives(text)).ok())
        .unwrap_or_else(|| EnvFilter::new(default_level))
}

/// Installs the process-wide subscriber. A second call does nothing, so that tests may all call it.
pub fn init(format: Format, filter: EnvFilter, colour: bool) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // The error would be printed to stderr, which has failed, by a macro that then panics.
        .log_internal_errors(false)
        .with_ansi(colour)
        .with_target(false);
    let installed = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
    drop(installed);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ACSO-11, ACSO-16: `LOG_LEVEL=DEBUG` and `LOG_LEVEL=WARNING`.
    #[test]
    fn levels_are_understood_by_their_other_names() {
        for (text, level) in [
            ("WARNING", "warn"),
            ("DEBUG", "debug"),
            ("critical", "error"),
            ("info,h2=warn", "info,h2=warn"),
        ] {
            assert_eq!(directives(text), level);
            let filter = EnvFilter::try_new(directives(text)).expect("directives");
            assert!(filter.max_level_hint().is_some(), "{text}");
        }
    }
}
