//! The memory of each virtual user of a thread, with and without sharing.

use std::sync::Arc;

use load_engine::log::Logger;
use load_engine::options::Options;
use load_engine::{Interrupt, RunState, VuContext, VuIds};
use load_metrics::{Recorder, RecorderConfig, Registry};

use super::ScriptVu;
use crate::script::{Script, Source};

fn script(text: &str) -> Arc<Script> {
    script_with(text, true)
}

fn script_with(text: &str, shares_builtins: bool) -> Arc<Script> {
    Arc::new(Script::new(Source {
        keeps_builtins_apart: !shares_builtins,
        path: "/scripts/test.js".into(),
        text: Some(text.to_owned()),
        ..Source::default()
    }))
}

async fn vu(script: &Arc<Script>, number: u64) -> ScriptVu {
    let registry = Arc::new(Registry::new());
    let context = VuContext {
        ids: VuIds {
            in_test: number,
            in_instance: number,
        },
        recorder: Recorder::new(registry, RecorderConfig::default()),
        run: Arc::new(RunState::new(Arc::new(Options::default()))),
        logger: Logger::silent(),
        interrupt: Interrupt::new(),
    };
    let made = ScriptVu::new(context, Arc::clone(script)).await;
    made.unwrap_or_else(|error| panic!("the script must load: {error}"))
}

/// About 200 KB of data, and code that uses it.
fn large() -> String {
    let row = |n| {
        format!(
            "{{ id: {n}, name: 'user {n}', note: '{}' }},\n",
            "x".repeat(150)
        )
    };
    let rows: String = (0..1000).map(row).collect();
    let code: String = (0..200)
        .map(|n| format!("function f{n}(a) {{ return a + rows.length + 'text {n}'; }}\n"))
        .collect();
    format!(
        "import http from 'k6/http';\nimport * as k6 from 'k6';\nconst rows = [\n{rows}];\n{code}
         if (__VU > 90) {{ rows[7].name = 'other'; }}
         export const options = {{ name: rows[7].name, seen: String([].owner), sum: f7('') + rows.length }};
         Array.prototype.owner = __VU;
         export default function () {{}}"
    )
}

#[tokio::test]
async fn data_and_code_of_a_script_take_memory_once() {
    let script = script(&large());
    let mut vus = vec![vu(&script, 1).await, vu(&script, 2).await];
    let two = vus[0].isolate.runtime_bytes();
    for number in 3..=10 {
        vus.push(vu(&script, number).await);
    }
    let ten = vus[0].isolate.runtime_bytes();
    let each = (ten - two) / 8;
    assert!(two > 200_000, "{two} bytes for two");
    // Functions are objects of each VU; their code and the data are not.
    assert!(each < 60_000, "{each} bytes for each VU more");
}

async fn look(of: &mut ScriptVu) -> (String, String, String) {
    let described = of.describe().await;
    let (options, _) = described.unwrap_or_else(|error| panic!("{error}"));
    let text = |key: &str| options[key].as_str().unwrap_or_default().to_owned();
    (text("name"), text("seen"), text("sum"))
}

#[tokio::test]
async fn virtual_users_that_cannot_share_have_realms_of_their_own() {
    for is_shared in [true, false] {
        let script = script_with(&large(), is_shared);
        let mut vus = Vec::new();
        for number in [1, 2, 91, 3] {
            vus.push(vu(&script, number).await);
        }
        for (index, name) in ["user 7", "user 7", "other", "user 7"].iter().enumerate() {
            assert_eq!(vus[index].isolate.has_common_realm(), is_shared);
            let seen = look(&mut vus[index]).await;
            let expected = (*name).to_owned();
            assert_eq!(
                seen,
                (
                    expected,
                    "undefined".to_owned(),
                    "1000text 71000".to_owned()
                )
            );
        }
    }
}
