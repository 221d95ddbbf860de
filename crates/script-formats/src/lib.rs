//! The formats that scripts use: HTML pages, JSON paths, CSV tables, TypeScript, source maps, and the
//! rewriting of scripts before they are compiled.
//!
//! Text in, values out: nothing here uses a script engine, a clock or a network.

pub mod csv;
pub mod functions;
pub mod gjson;
pub mod go_json;
pub mod html;
pub mod imports;
pub mod literals;
pub mod many;
mod parsed;
pub mod shifts;
pub mod source_map;
pub mod twice;
pub mod typescript;

/// The number of cases of tests with random input: few, unless `FUZZ_CASES` sets more.
#[cfg(test)]
fn fuzz_cases() -> u32 {
    let wanted = std::env::var("FUZZ_CASES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(256)
}
