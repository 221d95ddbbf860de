//! The official OpenAI client against the real binary. Without Python or the package this is
//! skipped with a message, unless `REQUIRE_OPENAI` is set, as in CI.

use std::process::Command;

#[test]
fn the_openai_client_parses_answers_and_raises_its_own_errors() {
    let python = std::env::var_os("OPENAI_PYTHON").unwrap_or_else(|| "python3".into());
    let there = Command::new(&python)
        .args(["-c", "import openai"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        let how = "install the client: python3 -m pip install openai";
        eprintln!("skipped; {how}");
        assert!(std::env::var_os("REQUIRE_OPENAI").is_none(), "{how}");
        return;
    }
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/sdk/openai_moderations.py"
    );
    let output = Command::new(&python)
        .args([script, env!("CARGO_BIN_EXE_sparring")])
        .output()
        .expect("it just ran");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}
