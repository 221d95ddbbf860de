//! Names of variables that Kubernetes sets.

/// Whether Kubernetes sets a variable of this name in the pods beside a service. The names end with `SERVICE_HOST`,
/// `SERVICE_PORT`, `SERVICE_PORT_<NAME>`, `PORT`, and `PORT_<NUMBER>_<PROTOCOL>`, also with `_PROTO`, `_PORT` or `_ADDR`.
pub fn is_service_link(name: &str) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    let is_port = |words: &[&str]| match words {
        ["PORT"] => true,
        ["PORT", number, "TCP" | "UDP" | "SCTP"]
        | [
            "PORT",
            number,
            "TCP" | "UDP" | "SCTP",
            "PROTO" | "PORT" | "ADDR",
        ] => number.parse::<u16>().is_ok(),
        _ => false,
    };
    (1..words.len()).any(|from| match &words[from..] {
        ["SERVICE", "HOST"] | ["SERVICE", "PORT", ..] => true,
        words => is_port(words),
    })
}

#[cfg(test)]
mod tests {
    use super::is_service_link;

    #[test]
    fn variables_of_a_service_are_recognised() {
        for name in [
            "SPARRING_SERVICE_HOST",
            "SPARRING_SERVICE_PORT",
            "SPARRING_SERVICE_PORT_HTTP",
            "SPARRING_PORT",
            "PERF_LAB_PORT_8000_TCP",
            "PERF_LAB_PORT_8000_UDP_ADDR",
        ] {
            assert!(is_service_link(name), "{name}");
        }
        for name in [
            "PORT",
            "PERF_BASE_URL",
            "SPARRING_PORT_HTTP",
            "SPARRING_SERVICE",
        ] {
            assert!(!is_service_link(name), "{name}");
        }
    }
}
