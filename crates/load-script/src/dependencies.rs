//! The dependencies of a script: everything that it and its modules import, found without running it.

use std::collections::{BTreeMap, BTreeSet};

use load_engine::log::Logger;
use script_formats::imports::{self, Imports};
use script_formats::typescript::strip_types;

use crate::remote;
use crate::script::{Script, Source};
use crate::source::{self, Kind};

/// A constraint that any version meets.
const ANY: &str = "*";

/// The extensions of k6 whose modules are built in here, in every version.
const BUILT_IN: [&str; 1] = ["k6/x/redis"];

/// The dependencies of a script. As in k6, modules that are loaded by `require` are not among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// The requirements for a binary, with the accepted versions: extensions, and `k6` if a directive names it.
    pub extensions: BTreeMap<String, String>,
    /// The full names of all imported modules: those of k6, files and addresses.
    pub imports: BTreeSet<String>,
}

impl Dependencies {
    /// Reads a script and all its modules.
    ///
    /// # Errors
    /// A module that cannot be found or read, a directive that cannot be read, or two that disagree.
    pub async fn of(source: Source, logger: &Logger) -> Result<Self, String> {
        let script = Script::new(source);
        let mut found = Self::default();
        let mut unread = vec![script.entry().to_owned()];
        while let Some(name) = unread.pop() {
            let imports = read(&script, &name, logger).await?;
            for directive in &imports.directives {
                found
                    .take(directive)
                    .map_err(|why| format!("{name}: {why}"))?;
            }
            for specifier in &imports.specifiers {
                let resolved = script.resolve(&name, specifier);
                let resolved = resolved.map_err(|error| error.to_string())?;
                if is_extension(&resolved) {
                    found.require(&resolved, ANY)?;
                }
                let is_new = found.imports.insert(resolved.clone());
                if is_new && !is_of_k6(&resolved) && resolved != script.entry() {
                    unread.push(resolved);
                }
            }
        }
        Ok(found)
    }

    /// Whether the requirement with this name is a module of this binary.
    pub fn is_built_in(extension: &str) -> bool {
        BUILT_IN.contains(&extension)
    }

    /// Applies the versions of a manifest to dependencies that the script leaves open.
    pub fn complete(&mut self, manifest: &BTreeMap<String, String>) {
        for (name, versions) in &mut self.extensions {
            if let Some(given) = manifest.get(name).filter(|_| versions == ANY) {
                given.clone_into(versions);
            }
        }
    }

    /// Reads `use k6 >= 1.0` or `use k6 with k6/x/faker >= 0.4`; other directives are ignored.
    fn take(&mut self, directive: &str) -> Result<(), String> {
        let Some(rest) = directive.strip_prefix("use k6") else {
            return Ok(());
        };
        let is_word = |text: &str| text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if is_word(rest) {
            return Ok(());
        }
        let rest = rest.trim();
        let with = rest.strip_prefix("with").filter(|rest| !is_word(rest));
        let Some(rest) = with.map(str::trim) else {
            return self.require("k6", if rest.is_empty() { ANY } else { rest });
        };
        let is_of_name = |c: char| c.is_alphanumeric() || "/-_.".contains(c);
        let end = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
        let (name, versions) = rest.split_at(end);
        if name.is_empty() {
            return Err(format!("the directive {directive:?} names no extension"));
        }
        let versions = versions.trim();
        self.require(name, if versions.is_empty() { ANY } else { versions })
    }

    fn require(&mut self, name: &str, versions: &str) -> Result<(), String> {
        let known = self.extensions.entry(name.to_owned());
        let known = known.or_insert_with(|| versions.to_owned());
        if known == ANY {
            versions.clone_into(known);
        }
        if versions != ANY && known != versions {
            return Err(format!(
                "{name} is required as {known:?} and as {versions:?}"
            ));
        }
        Ok(())
    }
}

fn is_of_k6(name: &str) -> bool {
    name == "k6" || name.starts_with("k6/")
}

fn is_extension(name: &str) -> bool {
    name.starts_with("k6/x/")
}

async fn read(script: &Script, name: &str, logger: &Logger) -> Result<Imports, String> {
    let text = match script.given(name).map_err(|error| error.to_string())? {
        Some(text) => text,
        None if name.starts_with("https://") => remote::fetch(name, script.system(), logger)
            .await
            .map_err(|error| error.to_string())?,
        None => {
            let read = source::read(name, &script.specifier(name));
            read.map_err(|error| error.to_string())?
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let Kind::Code { has_types, .. } = source::kind(name, text) else {
        return Ok(Imports::default());
    };
    if let Some(imports) = imports::read(text) {
        return Ok(imports);
    }
    let stripped = has_types.then(|| strip_types(text));
    let stripped = stripped
        .transpose()
        .map_err(|error| format!("{name}: {error}"))?;
    let imports = stripped.as_deref().and_then(imports::read);
    imports.ok_or_else(|| format!("{name}: it cannot be parsed; `k6 inspect` says why"))
}

#[cfg(test)]
mod tests {
    use load_engine::log::Logger;

    use super::*;

    async fn of(files: &[(&str, &str)]) -> Result<Dependencies, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("it can be written");
        }
        let source = Source {
            path: folder.path().join(files[0].0),
            ..Source::default()
        };
        let mut found = Dependencies::of(source, &Logger::silent()).await;
        let prefix = format!("{}/", source::url_of(folder.path()));
        if let Ok(found) = &mut found {
            let short = |name: &String| name.replace(&prefix, "");
            found.imports = found.imports.iter().map(short).collect();
        }
        found.map_err(|why| why.replace(&prefix, ""))
    }

    fn extensions(found: &Dependencies) -> Vec<(&str, &str)> {
        let all = found.extensions.iter();
        all.map(|(name, versions)| (name.as_str(), versions.as_str()))
            .collect()
    }

    #[tokio::test]
    async fn modules_are_followed() {
        let found = of(&[
            (
                "main.js",
                "import http from 'k6/http'; import './a.js'; import x from './data.json';",
            ),
            (
                "a.js",
                "export * from './b.ts'; import './main.js'; require('./lost.js');",
            ),
            (
                "b.ts",
                "import faker from 'k6/x/faker'; export const b: number = faker.x;",
            ),
            ("data.json", "{}"),
        ])
        .await
        .expect("all is there");
        let imports: Vec<&str> = found.imports.iter().map(String::as_str).collect();
        assert_eq!(
            imports,
            [
                "a.js",
                "b.ts",
                "data.json",
                "k6/http",
                "k6/x/faker",
                "main.js"
            ]
        );
        assert_eq!(extensions(&found), [("k6/x/faker", "*")]);
    }

    #[tokio::test]
    async fn directives_name_versions() {
        let text = "'use strict'; 'use k6 >= 1.2'; 'use k6 with k6/x/faker>=0.4'; 'use k6 with k6/x/sql'; 'use k6er';\n\
            import 'k6/x/faker'; import 'k6/x/toml';";
        let mut found = of(&[("main.js", text)]).await.expect("all is there");
        let manifest = [
            ("k6/x/sql", "v1.0.1"),
            ("k6/x/faker", "v9"),
            ("k6/x/other", "v1"),
        ];
        let manifest = manifest.map(|(name, versions)| (name.to_owned(), versions.to_owned()));
        found.complete(&BTreeMap::from(manifest));
        let expected = [
            ("k6", ">= 1.2"),
            ("k6/x/faker", ">=0.4"),
            ("k6/x/sql", "v1.0.1"),
            ("k6/x/toml", "*"),
        ];
        assert_eq!(extensions(&found), expected);
    }

    #[tokio::test]
    async fn what_is_wrong_is_told() {
        for (text, expected) in [
            (
                "import './lost.js'",
                "The moduleSpecifier \"./lost.js\" couldn't be found on local disk",
            ),
            (
                "import 'lodash'",
                "The moduleSpecifier \"lodash\" couldn't be recognised",
            ),
            ("import {", "main.js: it cannot be parsed"),
            (
                "'use k6 with >= 1'",
                "main.js: the directive \"use k6 with >= 1\" names no extension",
            ),
            (
                "'use k6 >= 1'; 'use k6 >= 2'",
                "main.js: k6 is required as \">= 1\" and as \">= 2\"",
            ),
        ] {
            let why = of(&[("main.js", text)]).await.expect_err(text);
            assert!(why.starts_with(expected), "{why}");
        }
    }
}
