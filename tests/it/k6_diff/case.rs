//! One script of the suite, with the directives of its first lines.

use std::path::{Path, PathBuf};

/// A script, with its leading comment lines:
///
/// ```text
/// // flags: -u 3 --quiet            flags for both drivers
/// // env: K6_VUS=3 NAME={BASE}/x    variables for both drivers; `{…}` are the server's addresses
/// // stdin                          the script is given over the standard input
/// // https                          the script is given by its https address
/// // redis                          it needs a Redis server: `{REDIS}`
/// // alone                          time matters: nothing runs beside it
/// // differs: reason                it may differ in everything, and must in something
/// // differs in exit code, log: reason    the same for these fields
/// ```
pub struct Case {
    pub name: String,
    pub path: PathBuf,
    pub flags: Vec<String>,
    pub env: Vec<(String, String)>,
    pub stdin: bool,
    pub https: bool,
    pub alone: bool,
    pub redis: bool,
    pub differs: Option<Differs>,
}

/// A known difference.
pub struct Differs {
    /// Names of fields; none means all.
    fields: Vec<String>,
}

impl Case {
    /// All scripts, in order of their names.
    pub fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/k6-diff");
        let entries = std::fs::read_dir(&folder).expect("tests/k6-diff is part of the repository");
        let paths = entries.map(|entry| entry.expect("readable").path());
        let is_script = |path: &PathBuf| {
            let extension = path.extension().unwrap_or_default();
            extension == "js" || extension == "ts"
        };
        let mut paths: Vec<PathBuf> = paths.filter(is_script).collect();
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    pub fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).expect("scripts can be read");
        let stem = path.file_stem().expect("scripts are files");
        let mut case = Self {
            name: stem.to_string_lossy().into_owned(),
            path: path.clone(),
            flags: Vec::new(),
            env: Vec::new(),
            stdin: false,
            https: false,
            alone: false,
            redis: false,
            differs: None,
        };
        for line in text.lines().map_while(|line| line.strip_prefix("// ")) {
            case.read_line(line.trim());
        }
        case
    }

    fn read_line(&mut self, line: &str) {
        if let Some(flags) = line.strip_prefix("flags: ") {
            self.flags = flags.split_whitespace().map(str::to_owned).collect();
        } else if let Some(variables) = line.strip_prefix("env: ") {
            let pairs = variables
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='));
            self.env = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        } else if line == "stdin" {
            self.stdin = true;
        } else if line == "https" {
            self.https = true;
        } else if line == "redis" {
            self.redis = true;
        } else if line == "alone" {
            self.alone = true;
        } else if let Some(rest) = line.strip_prefix("differs") {
            let (fields, reason) = rest.split_once(": ").unwrap_or_default();
            let name = &self.name;
            assert!(!reason.is_empty(), "{name}: `// differs` needs a reason");
            let fields = fields.trim().strip_prefix("in ").unwrap_or_default();
            let fields = fields.split(',').map(|field| field.trim().to_owned());
            let fields = fields.filter(|field| !field.is_empty()).collect();
            self.differs = Some(Differs { fields });
        }
    }

    /// Whether this field is known to differ. `K6_DIFF_KNOWN` makes such differences visible.
    pub fn may_differ_in(&self, field: &str) -> bool {
        let Some(Differs { fields }) = &self.differs else {
            return false;
        };
        if std::env::var_os("K6_DIFF_KNOWN").is_some() {
            return false;
        }
        fields.is_empty() || fields.iter().any(|known| known == field)
    }
}
