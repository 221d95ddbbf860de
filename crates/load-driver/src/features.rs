//! Features that a run opts in to, as in k6 2.2.

use clap::Args as ClapArgs;
use load_engine::log::Logger;
use load_engine::options::{Options, environment};
use serde_json::{Value, json};

use crate::args::Args;
use crate::failure::Failure;
use crate::layers;
use crate::surroundings::Surroundings;

/// Behaviour that is not yet the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Trends are stored in narrow buckets.
    NativeHistograms,
    /// The tags of a run are merged over its layers, not replaced.
    MergeRunTags,
    /// `__ENV` is frozen.
    FreezeEnv,
}

const ALL: [Feature; 3] = [
    Feature::NativeHistograms,
    Feature::MergeRunTags,
    Feature::FreezeEnv,
];

impl Feature {
    fn name(self) -> &'static str {
        match self {
            Self::NativeHistograms => "native-histograms",
            Self::MergeRunTags => "merge-run-tags",
            Self::FreezeEnv => "freeze-env",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::NativeHistograms => "Keep trends in histograms of constant memory",
            Self::MergeRunTags => {
                "Merge the tags of all layers of options instead of replacing them"
            }
            Self::FreezeEnv => "Freeze __ENV, so that a script cannot change it",
        }
    }
}

/// All names, for messages.
fn names() -> String {
    ALL.map(Feature::name).join(", ")
}

/// Features that are on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features(Vec<Feature>);

impl Features {
    /// The features named by the flags, otherwise by the variable, otherwise by the configuration file; and the
    /// unknown names.
    fn read(args: &Args, around: &Surroundings, file: &Options) -> (Self, Vec<String>) {
        let flags = &args.script_flags.features;
        let variables = || environment::read(|name| around.variable(name)).ok();
        let named = match flags.is_empty() {
            false => Some(flags.clone()),
            true => variables().and_then(|options| options.features),
        };
        let named = named.or_else(|| file.features.clone()).unwrap_or_default();
        let names = named.iter().flat_map(|text| text.split(',')).map(str::trim);
        let (mut features, mut unknown) = (Vec::new(), Vec::new());
        for name in names.filter(|name| !name.is_empty()) {
            match ALL.iter().find(|feature| feature.name() == name) {
                Some(feature) if features.contains(feature) => {}
                Some(feature) => features.push(*feature),
                None => unknown.push(name.to_owned()),
            }
        }
        (Self(features), unknown)
    }

    /// The same features. An unknown name in a variable or a file is logged as an error, and the run continues
    /// without it, as in k6, since it may be meant for another version.
    pub fn read_and_tell(
        args: &Args,
        around: &Surroundings,
        file: &Options,
        logger: &Logger,
    ) -> Self {
        let (features, unknown) = Self::read(args, around, file);
        for name in unknown {
            logger.error(&format!(
                "unknown feature '{name}' is not applied; known: {}",
                names()
            ));
        }
        features
    }

    /// Rejects unknown names on the command line, which k6 only logs: the run would not be the requested one.
    ///
    /// # Errors
    /// A name is unknown.
    pub fn refuse_unknown(args: &Args) -> Result<(), Failure> {
        let flags = args.script_flags.features.iter();
        let mut flags = flags.flat_map(|text| text.split(',')).map(str::trim);
        let unknown = flags
            .find(|name| !name.is_empty() && !ALL.iter().any(|feature| feature.name() == *name));
        match unknown {
            Some(name) => Err(Failure::config(format!(
                "unknown feature '{name}' in --features; known: {}",
                names()
            ))),
            None => Ok(()),
        }
    }

    /// The same features, for a caller that has not read the configuration file.
    pub fn of(args: &Args, around: &Surroundings) -> Self {
        let file = layers::config_file(args, around).unwrap_or_default();
        Self::read(args, around, &file.options).0
    }

    pub fn has(&self, feature: Feature) -> bool {
        self.0.contains(&feature)
    }

    /// The tags of all samples that state which features were on.
    pub fn tags(&self) -> impl Iterator<Item = (String, String)> {
        let names = self
            .0
            .iter()
            .map(|feature| feature.name().replace('-', "_"));
        names.map(|name| (format!("k6_feature_{name}"), "true".to_owned()))
    }
}

/// List the features that `--features` turns on
#[derive(Debug, ClapArgs)]
pub struct FeaturesArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Prints all features.
pub fn list(args: &FeaturesArgs, around: &Surroundings) {
    around.stdout.print(match args.json {
        true => as_json(),
        false => as_table(),
    });
}

fn as_json() -> String {
    let all = ALL.iter().map(|feature| {
        json!({
            "feature": feature.name(),
            "lifecycle": "Experimental",
            "description": feature.description(),
        })
    });
    let text = serde_json::to_string_pretty(&Value::Array(all.collect()));
    text.expect("JSON values can be written") + "\n"
}

fn as_table() -> String {
    let row = |name: &str, lifecycle: &str, description: &str| {
        format!("{name:<20}{lifecycle:<15}{description}\n")
    };
    let rows = ALL
        .iter()
        .map(|feature| row(feature.name(), "Experimental", feature.description()));
    row("FEATURE", "LIFECYCLE", "DESCRIPTION") + &rows.collect::<String>()
}
