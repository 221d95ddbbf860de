//! Scripts and drills of a suite, as files for the driver.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The built-in scripts and drills, relative to the parent of the suites' folder.
const EMBEDDED: [(&str, &str); 20] = [
    ("k6/acis.js", include_str!("../../../../tests/k6/acis.js")),
    ("k6/acso.js", include_str!("../../../../tests/k6/acso.js")),
    (
        "k6/agent360.js",
        include_str!("../../../../tests/k6/agent360.js"),
    ),
    ("k6/aiaas.js", include_str!("../../../../tests/k6/aiaas.js")),
    (
        "k6/aiaas_components.js",
        include_str!("../../../../tests/k6/aiaas_components.js"),
    ),
    (
        "k6/aiaas_socket.js",
        include_str!("../../../../tests/k6/aiaas_socket.js"),
    ),
    (
        "k6/content.js",
        include_str!("../../../../tests/k6/content.js"),
    ),
    (
        "k6/lib/client.js",
        include_str!("../../../../tests/k6/lib/client.js"),
    ),
    (
        "k6/lib/plan.js",
        include_str!("../../../../tests/k6/lib/plan.js"),
    ),
    (
        "k6/lib/reply.js",
        include_str!("../../../../tests/k6/lib/reply.js"),
    ),
    (
        "k6/orchestration_load.js",
        include_str!("../../../../tests/k6/orchestration_load.js"),
    ),
    (
        "locust/acis.py",
        include_str!("../../../../tests/locust/acis.py"),
    ),
    (
        "locust/acso.py",
        include_str!("../../../../tests/locust/acso.py"),
    ),
    (
        "locust/agent360.py",
        include_str!("../../../../tests/locust/agent360.py"),
    ),
    (
        "locust/aiaas.py",
        include_str!("../../../../tests/locust/aiaas.py"),
    ),
    (
        "locust/locustfile_orchestration.py",
        include_str!("../../../../tests/locust/locustfile_orchestration.py"),
    ),
    (
        "locust/plan_shape.py",
        include_str!("../../../../tests/locust/plan_shape.py"),
    ),
    (
        "suites/drill-all-slow.yaml",
        include_str!("../../../../tests/suites/drill-all-slow.yaml"),
    ),
    (
        "suites/drill-detector-dies.yaml",
        include_str!("../../../../tests/suites/drill-detector-dies.yaml"),
    ),
    (
        "suites/drill-flapping.yaml",
        include_str!("../../../../tests/suites/drill-flapping.yaml"),
    ),
];

/// The location of a suite's files; temporary files of built-in ones exist as long as this value.
#[derive(Debug)]
pub struct Files {
    suites: PathBuf,
    _temporary: Option<TempDir>,
}

impl Files {
    /// The files of a suite in `folder`, or of a built-in one: those of the repository in the working
    /// directory if they exist, otherwise the built-in ones.
    ///
    /// # Errors
    /// They cannot be written to a temporary folder.
    pub fn of(folder: Option<&Path>) -> io::Result<Self> {
        if let Some(folder) = folder {
            return Ok(Self::in_folder(folder));
        }
        let here = Path::new("tests/suites");
        let is_ours = |(name, _): &(&str, &str)| here.join("..").join(name).is_file();
        if EMBEDDED.iter().all(is_ours) {
            return Ok(Self::in_folder(here));
        }
        let temporary = tempfile::Builder::new()
            .prefix("sparring-suite-")
            .tempdir()?;
        for (name, text) in EMBEDDED {
            let path = temporary.path().join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, text)?;
        }
        Ok(Self {
            suites: temporary.path().join("suites"),
            _temporary: Some(temporary),
        })
    }

    fn in_folder(folder: &Path) -> Self {
        Self {
            suites: folder.to_owned(),
            _temporary: None,
        }
    }

    /// A file by its path relative to the suite file.
    pub fn path(&self, relative: &Path) -> PathBuf {
        self.suites.join(relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::{BUILT_IN, built_in};

    #[test]
    fn every_file_of_the_built_in_suites_is_embedded() {
        let files = Files::of(None).expect("a temporary folder");
        for (name, _) in BUILT_IN {
            let file = built_in(name).expect("built in").expect("sound");
            for class in file.classes.values() {
                let path = files.path(&class.script);
                assert!(path.is_file(), "{name}: {}", path.display());
            }
            let locust = file.locust.as_ref().map(|locust| &locust.file);
            let locust = locust.unwrap_or_else(|| panic!("{name} names no locustfile"));
            let path = files.path(locust);
            assert!(path.is_file(), "{name}: {}", path.display());
            let drills = file.tests.values().flat_map(|test| {
                let own = test.drills.iter().flatten();
                own.chain(
                    test.parts
                        .values()
                        .flat_map(|part| part.drills.iter().flatten()),
                )
            });
            for drill in drills {
                let path = files.path(drill);
                assert!(path.is_file(), "{name}: {}", path.display());
            }
        }
    }
}
