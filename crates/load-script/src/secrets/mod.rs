//! Sources of secrets: `--secret-source`.

mod remote;

use std::collections::BTreeMap;
use std::fs;

use remote::Remote;

/// Errors of secrets and their sources; the texts are k6's.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("couldn't parse secret source configuration {0:?}")]
    Configuration(String),
    #[error("no secret source for type {kind:?} for configuration {configuration:?}")]
    Kind { kind: String, configuration: String },
    #[error("can't have two secret sources that are default ones, second one was {0:?}")]
    TwoDefaults(String),
    #[error(
        "secret source for name {kind:?} already registered before configuration {configuration:?}"
    )]
    SameName { kind: String, configuration: String },
    #[error("parsing {0:?}, needs =")]
    Pair(String),
    #[error("open {path}: {reason}")]
    File { path: String, reason: String },
    #[error("the url secret source: {0}")]
    Url(String),
    #[error("failed to get the secret {key:?}: {reason}")]
    Remote { key: String, reason: String },
    #[error("no secret sources are configured")]
    NoSources,
    #[error("no secret source with name {0:?} is configured")]
    UnknownSource(String),
    #[error("no value")]
    NoValue,
}

/// The name of the default source.
const DEFAULT: &str = "default";

/// All sources by name.
#[derive(Debug, Default)]
pub struct Secrets {
    sources: BTreeMap<String, Source>,
    /// The name of the source for scripts that name none.
    default: Option<String>,
}

/// One source of secrets.
#[derive(Debug)]
enum Source {
    Here(BTreeMap<String, String>),
    There(Box<Remote>),
}

impl Secrets {
    /// Reads the sources that `--secret-source` names, each `file=…`, `mock=…` or `url=…`, with `name=…` and
    /// `default` among its settings. A single source is the default. The variables `K6_SECRET_SOURCE_URL_…` of
    /// the environment are settings of `url`.
    ///
    /// # Errors
    /// An unknown setting, a file that cannot be read, two sources of one name.
    pub fn read(
        configurations: &[String],
        environment: &[(String, String)],
    ) -> Result<Self, SecretError> {
        let mut secrets = Self::default();
        for configuration in configurations {
            secrets.add(configuration, environment)?;
        }
        if secrets.default.is_none() && secrets.sources.len() == 1 {
            secrets.default = secrets.sources.keys().next().cloned();
        }
        Ok(secrets)
    }

    fn add(
        &mut self,
        configuration: &str,
        environment: &[(String, String)],
    ) -> Result<(), SecretError> {
        let (kind, rest) = match configuration.split_once('=') {
            Some(parts) => parts,
            None if configuration == "url" => (configuration, ""),
            None => return Err(SecretError::Configuration(configuration.to_owned())),
        };
        let (kind_owned, whole) = (kind.to_owned(), configuration.to_owned());
        if !matches!(kind, "file" | "mock" | "url") {
            return Err(SecretError::Kind {
                kind: kind_owned,
                configuration: whole,
            });
        }
        let mut name = kind;
        let mut is_default = false;
        let mut settings = Vec::new();
        for setting in rest.split(',') {
            match setting.split_once('=') {
                Some(("name", given)) => name = given,
                None if setting == DEFAULT => is_default = true,
                _ => settings.push(setting),
            }
        }
        if self.sources.contains_key(name) {
            return Err(SecretError::SameName {
                kind: kind_owned,
                configuration: whole,
            });
        }
        if is_default && self.default.is_some() {
            return Err(SecretError::TwoDefaults(settings.join(",")));
        }
        let source = match kind {
            "file" => {
                let path = settings.iter().rev().find_map(|setting| {
                    let (key, path) = setting.split_once('=').unwrap_or(("filename", setting));
                    (key == "filename").then_some(path)
                });
                Source::Here(file(path.unwrap_or_default())?)
            }
            "url" => Source::There(Box::new(Remote::new(&settings, environment)?)),
            _ => Source::Here(
                settings
                    .iter()
                    .map(|setting| pair(setting))
                    .collect::<Result<_, _>>()?,
            ),
        };
        if is_default {
            self.default = Some(name.to_owned());
        }
        self.sources.insert(name.to_owned(), source);
        Ok(())
    }

    /// The secret `key` of the named source, or of the default one.
    ///
    /// # Errors
    /// There is no such source or no such secret.
    pub async fn get(&self, source: Option<&str>, key: &str) -> Result<String, SecretError> {
        if self.sources.is_empty() {
            return Err(SecretError::NoSources);
        }
        let asked = source.unwrap_or(DEFAULT);
        let name = match &self.default {
            Some(default) if asked == DEFAULT => default,
            _ => asked,
        };
        match self.sources.get(name) {
            Some(Source::Here(values)) => values.get(key).cloned().ok_or(SecretError::NoValue),
            Some(Source::There(remote)) => remote.get(key).await,
            None => Err(SecretError::UnknownSource(asked.to_owned())),
        }
    }
}

/// One `key=value` per line.
fn file(path: &str) -> Result<BTreeMap<String, String>, SecretError> {
    let text = fs::read_to_string(path).map_err(|error| SecretError::File {
        path: path.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            _ => error.to_string(),
        },
    })?;
    text.lines().map(pair).collect()
}

fn pair(text: &str) -> Result<(String, String), SecretError> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| SecretError::Pair(text.to_owned()))?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[track_caller]
    fn check(sources: &[&str], source: Option<&str>, key: &str, expected: &str) {
        let sources: Vec<String> = sources.iter().map(|&source| source.to_owned()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let found = Secrets::read(&sources, &[]).and_then(|secrets| {
            let runtime = runtime.expect("a runtime");
            runtime.block_on(secrets.get(source, key))
        });
        let found = found.unwrap_or_else(|error| format!("error: {error}"));
        assert_eq!(found, expected, "{sources:?} {key}");
    }

    #[test]
    fn a_single_source_is_the_default_one() {
        check(&["mock=a=1,b=2=3"], None, "b", "2=3");
        check(&["mock=name=own,a=1"], None, "a", "1");
        check(&["mock=name=own,a=1"], Some("own"), "a", "1");
        check(&["mock=a=1"], None, "c", "error: no value");
        check(&[], None, "a", "error: no secret sources are configured");
    }

    #[test]
    fn one_of_several_sources_is_marked_as_the_default() {
        let two = ["mock=name=x,a=1", "mock=name=y,default,a=2"];
        check(&two, None, "a", "2");
        check(&two, Some("default"), "a", "2");
        check(&two, Some("x"), "a", "1");
        let unknown = "error: no secret source with name \"z\" is configured";
        check(&two, Some("z"), "a", unknown);
        let unknown = "error: no secret source with name \"default\" is configured";
        check(&["mock=name=x,a=1", "mock=name=y,a=2"], None, "a", unknown);
    }

    #[test]
    fn a_file_has_a_secret_per_line() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "a=1\nempty=\nb=x=y\n").expect("written");
        let path = file.path().display();
        check(&[&format!("file={path}")], None, "b", "x=y");
        check(&[&format!("file={path}")], None, "empty", "");
        check(
            &[&format!("file=filename={path},name=f")],
            Some("f"),
            "a",
            "1",
        );
        std::fs::write(file.path(), "a=1\n# no pair\n").expect("written");
        let error = "error: parsing \"# no pair\", needs =";
        check(&[&format!("file={path}")], None, "a", error);
    }

    #[test]
    fn an_invalid_source_is_named_in_the_error() {
        for (sources, error) in [
            (
                &["file"][..],
                "couldn't parse secret source configuration \"file\"",
            ),
            (
                &["bogus=1"],
                "no secret source for type \"bogus\" for configuration \"bogus=1\"",
            ),
            (
                &["file=/no/such"],
                "open /no/such: no such file or directory",
            ),
            (&["mock=a"], "parsing \"a\", needs ="),
            (&["url"], "the url secret source: it needs urlTemplate"),
            (
                &["mock=name=a,k=1", "mock=name=a,k=2"],
                "secret source for name \"mock\" already registered before configuration \"mock=name=a,k=2\"",
            ),
            (
                &["mock=name=a,default,k=1", "mock=name=b,default,k=2"],
                "can't have two secret sources that are default ones, second one was \"k=2\"",
            ),
        ] {
            check(sources, None, "k", &format!("error: {error}"));
        }
    }
}
