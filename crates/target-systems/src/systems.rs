//! The systems that come with the crate.

/// Names and files of the embedded systems.
pub const ALL: [(&str, &str); 5] = [
    ("acso", include_str!("systems/acso.yaml")),
    ("aiaas", include_str!("systems/aiaas.yaml")),
    ("acis", include_str!("systems/acis.yaml")),
    ("agent360", include_str!("systems/agent360.yaml")),
    ("lab", include_str!("systems/lab.yaml")),
];

/// The file of an embedded system.
pub fn text(name: &str) -> Option<&'static str> {
    ALL.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}
