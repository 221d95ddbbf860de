//! Users whose login expires log in again and repeat the request, as clients do.

use crate::binary::{Ended, sparring};
use crate::served_target::Target;

/// AIA-24: with tokens that hold for a second, users of six seconds log in several times, and nothing fails.
#[test]
fn users_whose_token_has_expired_log_in_again() {
    let target = Target::start("aiaas", &["--set", "edge.auth.token_ttl_s=1"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/k6/aiaas.js");
    let run = sparring()
        .args(["run", "--quiet", "-u", "5", "-d", "6s", "-e"])
        .arg(format!("PERF_BASE_URL={}", target.url()))
        .arg(script)
        .output();
    let ended = Ended::from(run.expect("the binary was built for this test"));
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("login: status 200"), "{said}");
    let failed = said.lines().find(|line| line.contains("checks_failed"));
    assert!(
        failed.is_some_and(|line| line.contains(" 0 out of")),
        "{said}"
    );
    let rate = said
        .lines()
        .find(|line| line.contains("http_req_failed") && line.contains("out of"));
    assert!(
        rate.is_some_and(|line| line.contains(" 0 out of")),
        "{said}"
    );
    let journal = ureq::get(format!("{}/__admin/journal?limit=1000", target.url()));
    let journal = journal.call().expect("it answers").into_body();
    let journal: serde_json::Value = serde_json::from_reader(journal.into_reader()).expect("JSON");
    let entries = journal["entries"].as_array().expect("entries");
    let expired = entries.iter().filter(|entry| entry["status"] == 401);
    assert!(expired.count() > 0, "no token has expired: {said}");
}
