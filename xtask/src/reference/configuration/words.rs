//! Descriptions of types for the authors of files.

use syn::Type;

use super::limits::Limit;
use super::types::{Shape, shape};

/// A duration, which has its own description.
const SPAN: &str = "Span";
/// Fields that change other fields.
const PATCHES: [&str; 3] = ["set", "patch", "off"];

/// Whether a type with its own deserialization has a description here.
pub fn is_known(name: &str) -> bool {
    name == SPAN
}

/// The accepted values of a field, with limit and unit: `number above 0, ms`. `link` names a separate type.
pub fn kind(
    name: &str,
    of: &Type,
    limit: Option<&Limit>,
    link: &dyn Fn(&Type) -> Option<String>,
) -> String {
    let what = what(name, of, link);
    let what = match limit {
        Some(limit) if what.starts_with("whole number") => limit.told("whole number"),
        Some(limit) if what == "number" => limit.told("number"),
        _ => what,
    };
    match unit(name).filter(|_| what.contains("number")) {
        Some(unit) => format!("{what}, {unit}"),
        None => what,
    }
}

fn what(name: &str, of: &Type, link: &dyn Fn(&Type) -> Option<String>) -> String {
    if let Some(link) = link(of) {
        return link;
    }
    let inner = |of: &Type| what("", of, link);
    match shape(of) {
        Shape::Option(of) => what(name, of, link),
        Shape::Box(of) => what(name, of, link),
        Shape::List(of) => format!("list: {}", inner(of)),
        Shape::Map(of) => format!("map of names: {}", inner(of)),
        Shape::Plain(of) => plain(name, &of),
    }
}

fn plain(name: &str, of: &str) -> String {
    let is_port = name == "port" || name.ends_with("_port");
    let text = match of {
        "bool" => "`true` or `false`",
        "u16" if is_port => "whole number from 0 to 65535",
        "u8" | "u16" | "u32" | "u64" | "usize" => "whole number, 0 or more",
        "i32" | "i64" => "whole number",
        "f64" | "f32" => "number",
        "String" | "StoreKeys" | "SpelledName" => "text",
        "SecretUrl" => "URL",
        "PathBuf" => "path",
        "IpAddr" => "IP address",
        SPAN => "duration such as `30s` or `1h30m`",
        "Place" => "place in the request such as `body.user.name`",
        "Value" if PATCHES.contains(&name) => "map: fields and their new values",
        "Value" => "any value",
        other => return format!("`{other}`"),
    };
    text.to_owned()
}

/// The unit that a name ends with.
fn unit(name: &str) -> Option<&'static str> {
    let units = [
        ("_mbit_per_s", "Mbit/s"),
        ("_mb_per_s", "MB/s"),
        ("kb_per_s", "kB/s"),
        ("_per_s", "per second"),
        ("_rps", "per second"),
        ("kb_per_request", "kB"),
        ("_ms_per_kb", "ms"),
        ("_kb", "kB"),
        ("_mb", "MB"),
        ("_per_char_us", "µs"),
        ("_us", "µs"),
        ("_ms", "ms"),
        ("_s", "s"),
        ("_bytes", "bytes"),
        ("_percent", "%"),
    ];
    if ["ms", "bytes"].contains(&name) {
        return Some(if name == "ms" { "ms" } else { "bytes" });
    }
    let found = units.iter().find(|(end, _)| name.ends_with(end));
    found.map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_in_plain_words() {
        let check = |name: &str, of: &str, expected: &str| {
            let of: Type = syn::parse_str(of).expect("a type");
            assert_eq!(kind(name, &of, None, &|_| None), expected, "{name}");
        };
        check("ttl_ms", "u64", "whole number, 0 or more, ms");
        check("port", "u16", "whole number from 0 to 65535");
        check("rate_per_s", "Option<f64>", "number, per second");
        check("aliases", "Vec<String>", "list: text");
        check("tenants", "IndexMap<String, f64>", "map of names: number");
        check("enabled", "bool", "`true` or `false`");
        check("wait_s", "[f64; 2]", "list: number, s");
    }

    #[test]
    fn limits_take_the_place_of_what_the_type_allows() {
        let check = |of: &str, limit: Limit, expected: &str| {
            let of: Type = syn::parse_str(of).expect("a type");
            assert_eq!(kind("a_ms", &of, Some(&limit), &|_| None), expected);
        };
        let at_least = || Limit::AtLeast("1".to_owned());
        check("Option<u64>", at_least(), "whole number, 1 or more, ms");
        check("f64", Limit::Above("0".to_owned()), "number above 0, ms");
        check("bool", at_least(), "`true` or `false`");
    }
}
