//! Environment variables that concern connections.

use std::ffi::OsString;

use super::proxy::Proxies;

/// Proxies, and switches that other clients read from the environment. By default none are set.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    pub(crate) proxies: Proxies,
    /// TLS secrets are logged (`SSLKEYLOGFILE`).
    pub(crate) logs_keys: bool,
    /// `GODEBUG=http2client=0` disables HTTP/2, as in k6.
    pub(crate) is_http2_off: bool,
}

impl Environment {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` (also in lower case), `SSLKEYLOGFILE` and `GODEBUG`.
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| variable(name)?.into_string().ok();
        let proxy = |name: &str| {
            let found = [name.to_owned(), name.to_ascii_lowercase()];
            let mut values = found.iter().filter_map(|name| text(name));
            values.find(|value| !value.is_empty())
        };
        Self {
            proxies: Proxies::new(
                proxy("HTTP_PROXY").as_deref(),
                proxy("HTTPS_PROXY").as_deref(),
                &proxy("NO_PROXY").unwrap_or_default(),
            ),
            logs_keys: variable("SSLKEYLOGFILE").is_some(),
            is_http2_off: is_http2_off(&text("GODEBUG").unwrap_or_default()),
        }
    }
}

/// Go's own switch, which CI pipelines for k6 use.
fn is_http2_off(debug: &str) -> bool {
    debug
        .split(',')
        .any(|setting| setting.trim() == "http2client=0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], logs_keys: bool, is_http2_off: bool) {
        let environment = Environment::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        });
        let found = (environment.logs_keys, environment.is_http2_off);
        assert_eq!(found, (logs_keys, is_http2_off), "{variables:?}");
    }

    #[test]
    fn switches_of_other_clients_are_obeyed() {
        check(&[], false, false);
        check(&[("SSLKEYLOGFILE", "")], true, false);
        check(&[("GODEBUG", "netdns=go, http2client=0")], false, true);
        check(&[("GODEBUG", "http2client=1")], false, false);
    }
}
