//! The order in which headers are sent: Go's. Some services, and tests that compare recordings, depend on it.

/// Sets a header, which replaces one of the same name. `User-Agent` comes first, the others follow in the order of their
/// names.
pub fn set(headers: &mut Vec<(String, String)>, name: String, value: String) {
    let place = headers.binary_search_by(|(known, _)| rank(known).cmp(&rank(&name)));
    match place {
        Ok(at) => headers[at].1 = value,
        Err(at) => headers.insert(at, (name, value)),
    }
}

/// The number of headers that are sent before one with this name. The headers are in order.
pub(crate) fn place_of(headers: &[(String, String)], name: &str) -> usize {
    headers.partition_point(|(known, _)| rank(known) < rank(name))
}

fn rank(name: &str) -> (bool, &str) {
    (name != "User-Agent", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_comes_first_and_the_others_by_name() {
        let mut headers = Vec::new();
        for (name, value) in [
            ("X-B", "1"),
            ("User-Agent", "2"),
            ("Accept", "3"),
            ("X-A", "4"),
            ("Accept", "5"),
        ] {
            set(&mut headers, name.to_owned(), value.to_owned());
        }
        let lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(lines, ["User-Agent: 2", "Accept: 5", "X-A: 4", "X-B: 1"]);
        assert_eq!(place_of(&headers, "Authorization"), 2);
        assert_eq!(place_of(&headers, "User-Agent"), 0);
    }
}
