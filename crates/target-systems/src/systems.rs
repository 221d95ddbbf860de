//! The built-in systems.

/// Names and files of the built-in systems.
pub const ALL: [(&str, &str); 5] = [
    ("acso", include_str!("systems/acso.yaml")),
    ("aiaas", include_str!("systems/aiaas.yaml")),
    ("acis", include_str!("systems/acis.yaml")),
    ("agent360", include_str!("systems/agent360.yaml")),
    ("lab", include_str!("systems/lab.yaml")),
];

/// The file of a built-in system.
pub fn text(name: &str) -> Option<&'static str> {
    ALL.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}
