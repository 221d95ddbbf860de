//! Change points found earlier in a history, which remain when runs are appended.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use analysis::change_point::{ChangePoint, History, Options};
use serde::{Deserialize, Serialize};

use crate::run_folder;

/// The file of `--known`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    series: BTreeMap<String, Series>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    /// The number of rows that were examined, and a hash of their values.
    rows: usize,
    hash: String,
    window: usize,
    max_p_value: f64,
    /// Points of Hunter's first pass.
    weak: Vec<usize>,
}

type Failure = Box<dyn Error + Send + Sync>;

impl Known {
    /// Empty if the file does not exist.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let cannot = |error: &dyn Error| format!("{} cannot be used: {error}", path.display());
        let text = live_config::read::file(path).map_err(|error| cannot(&error))?;
        Ok(serde_json::from_str(&text).map_err(|error| cannot(&error))?)
    }

    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        run_folder::write(path, text.as_bytes())
    }

    /// The change points of a series, of which only new rows are examined.
    pub fn change_points(
        &mut self,
        name: &str,
        numbers: &[f64],
        options: Options,
    ) -> Result<Vec<ChangePoint>, Failure> {
        let mut history = match self.series.get(name) {
            None => History::new(options)?,
            Some(known) => {
                let (old, _) = numbers.split_at(known.rows.min(numbers.len()));
                if old.len() < known.rows || hash(old) != known.hash {
                    return Err(format!(
                        "the first {} rows of {name} differ from those with known change points; start with \
                         another file",
                        known.rows
                    )
                    .into());
                }
                if (known.window, known.max_p_value) != (options.window, options.max_p_value) {
                    return Err(format!(
                        "change points of {name} are known for --window {} and --max-p-value {}",
                        known.window, known.max_p_value
                    )
                    .into());
                }
                History::with_known(old.to_vec(), known.weak.clone(), options)?
            }
        };
        // One by one, in their order, so that the result does not depend on how often the command is run.
        for number in &numbers[history.series().len()..] {
            history.append(&[*number])?;
        }
        let series = Series {
            rows: numbers.len(),
            hash: hash(numbers),
            window: options.window,
            max_p_value: options.max_p_value,
            weak: history.weak().to_vec(),
        };
        self.series.insert(name.to_owned(), series);
        Ok(history.change_points())
    }
}

/// FNV-1a of the bits.
fn hash(numbers: &[f64]) -> String {
    let bytes = numbers
        .iter()
        .flat_map(|number| number.to_bits().to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
