//! The kind of a file, determined by its top-level fields.

use serde_json::Value;

/// A kind of file that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Fleet,
    Suite,
    Drill,
    System,
}

impl Kind {
    /// `None`: it could be anything, or lacks what it needs.
    pub fn of(file: &Value) -> Option<Self> {
        let signs = [
            ("detectors", Self::Fleet),
            ("tests", Self::Suite),
            ("steady_state", Self::Drill),
            ("endpoints", Self::System),
            ("components", Self::System),
            // Of unfinished files; a suite names its system, too.
            ("suite", Self::Suite),
            ("faults", Self::Drill),
            ("recover", Self::Drill),
            ("detect", Self::Drill),
            ("during", Self::Drill),
            ("probe", Self::Drill),
            ("load", Self::Drill),
            ("title", Self::Drill),
            ("classes", Self::Suite),
            ("grades", Self::Suite),
            ("views", Self::Suite),
            ("hosts", Self::System),
            ("mixes", Self::System),
            ("pools", Self::System),
            ("stores", Self::System),
            ("toggles", Self::System),
            ("timeline", Self::System),
            ("system", Self::System),
        ];
        let found = signs.iter().find(|(field, _)| file.get(field).is_some());
        found.map(|(_, kind)| *kind)
    }

    /// The hint of a command that expects another kind.
    pub fn instead(self, file: &str) -> String {
        match self {
            Self::Fleet => format!("{file} is a fleet file; `--config {file}` takes it"),
            Self::Suite => format!("{file} is a suite; `sparring test {file}` runs it"),
            Self::Drill => format!("{file} is a drill; `sparring drill {file}` runs it"),
            Self::System => {
                format!("{file} is a simulated system; `sparring target {file}` serves it")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Kind;

    #[test]
    fn a_file_is_recognised_by_its_top_level_fields() {
        for (file, kind) in [
            (json!({"detectors": {}, "service": {}}), Some(Kind::Fleet)),
            (
                json!({"suite": "x", "system": "acis", "tests": {}}),
                Some(Kind::Suite),
            ),
            (json!({"title": "t", "steady_state": {}}), Some(Kind::Drill)),
            (json!({"system": "x", "endpoints": {}}), Some(Kind::System)),
            (json!({"suite": "x", "system": "acis"}), Some(Kind::Suite)),
            (json!({"system": "x"}), Some(Kind::System)),
            (json!({"title": "t"}), Some(Kind::Drill)),
            (json!({"faults": [], "recover": {}}), Some(Kind::Drill)),
            (json!({"load": {"script": "x.js"}}), Some(Kind::Drill)),
            (json!({"classes": {}}), Some(Kind::Suite)),
            (json!({"pools": {}}), Some(Kind::System)),
            (json!({"service": {}}), None),
            (json!([1]), None),
        ] {
            assert_eq!(Kind::of(&file), kind, "{file}");
        }
    }
}
