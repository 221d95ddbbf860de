//! `k6 new`: a script to start from.

use std::io::ErrorKind;
use std::path::Path;

use clap::Args as ClapArgs;
use load_engine::Exit;

use crate::args::{Args, ProcessFlags};
use crate::failure::Failure;
use crate::report;
use crate::surroundings::Surroundings;

/// Write a script to start from.
#[derive(Debug, ClapArgs)]
pub struct NewArgs {
    /// The file to write
    #[arg(value_name = "FILE", default_value = "script.js")]
    file: String,
    /// Overwrite an existing file
    #[arg(short, long)]
    force: bool,
    /// The template: minimal, protocol, or the path of a script to start from
    #[arg(long, value_name = "TEMPLATE", default_value = "minimal")]
    template: String,
    /// Accepted for compatibility: put into the script's cloud options
    #[arg(long, value_name = "ID")]
    project_id: Option<String>,
    #[command(flatten)]
    process: ProcessFlags,
}

const MINIMAL: &str = "\
import http from 'k6/http';
import { check, sleep } from 'k6';

export const options = {
  vus: 10,
  duration: '30s',@CLOUD@
};

export default function () {
  const response = http.get('http://localhost:8000/health');
  check(response, { 'status is 200': (r) => r.status === 200 });
  sleep(1);
}
";

const PROTOCOL: &str = "\
import http from 'k6/http';
import exec from 'k6/execution';
import { check, fail } from 'k6';

const BASE_URL = __ENV.BASE_URL || 'http://localhost:8000';

export const options = {
  scenarios: {
    steady: { executor: 'constant-arrival-rate', rate: 20, duration: '1m', preAllocatedVUs: 10, maxVUs: 50 },
  },
  thresholds: {
    http_req_failed: ['rate<0.01'],
    http_req_duration: ['p(95)<500', 'p(99)<1000'],
  },@CLOUD@
};

// Runs once, before the test.
export function setup() {
  const response = http.get(`${BASE_URL}/health`);
  if (response.status !== 200) {
    exec.test.abort(`the service is not healthy: ${response.status}`);
  }
}

export default function () {
  const response = http.get(BASE_URL);
  check(response, { 'status is 200': (r) => r.status === 200 }) || fail('unexpected answer');
}

// Runs once, after the test.
export function teardown() {}
";

/// Writes the script. Returns the exit code.
pub fn new_script(arguments: &NewArgs, around: &Surroundings) -> Exit {
    match write(arguments, around) {
        Ok(()) => Exit::Success,
        Err(failure) => {
            let args = Args {
                process: arguments.process.clone(),
                ..Args::default()
            };
            report::failure(&args, around, &failure);
            failure.exit
        }
    }
}

fn write(arguments: &NewArgs, around: &Surroundings) -> Result<(), Failure> {
    let (file, template) = (&arguments.file, arguments.template.as_str());
    let text = match template {
        "minimal" => MINIMAL.to_owned(),
        "protocol" => PROTOCOL.to_owned(),
        "browser" => {
            return Err(Failure::other(
                "the browser module is not supported, so there is no template for it; use minimal or \
                 protocol",
            ));
        }
        path => std::fs::read_to_string(path).map_err(|error| {
            let why = match error.kind() {
                ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
                _ => error.to_string(),
            };
            Failure::other(format!("the template '{path}': {why}"))
        })?,
    };
    if Path::new(file).exists() && !arguments.force {
        return Err(Failure::other(format!(
            "{file} already exists. Use the `--force` flag to overwrite it"
        )));
    }
    let cloud = arguments.project_id.as_ref();
    let cloud = cloud.map_or_else(String::new, |id| {
        format!("\n  cloud: {{ projectID: {id} }},")
    });
    std::fs::write(file, text.replace("@CLOUD@", &cloud))
        .map_err(|error| Failure::other(format!("{file} cannot be written: {error}")))?;
    around.stdout.print(format!(
        "New script created: {file} ({template} template).\n"
    ));
    Ok(())
}
