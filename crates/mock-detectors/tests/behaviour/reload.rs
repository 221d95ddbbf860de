use std::time::Duration;

use live_config::Change;
use mock_detectors::{Config, Fleet};
use serde_json::json;
use service_runtime::Shutdown;

const FILE: &str = "
detectors:
  one: { endpoint: 'http://127.0.0.1:1/detect', mock: { success_rate: ONE } }
  two: { endpoint: 'http://127.0.0.1:2/detect', mock: { success_rate: TWO } }
";

fn text(one: &str, two: &str) -> String {
    FILE.replace("ONE", one).replace("TWO", two)
}

fn rates(fleet: &Fleet) -> [f64; 2] {
    ["one", "two"].map(|name| fleet.profile(name).expect("started").success_rate)
}

async fn wait_for(fleet: &Fleet, expected: [f64; 2]) {
    for _ in 0..500 {
        if rates(fleet) == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?} never became {expected:?}", rates(fleet));
}

#[tokio::test]
async fn a_change_for_a_time_outlasts_a_reload_and_then_gives_way_to_the_new_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("detectors.yaml");
    std::fs::write(&path, text("1.0", "1.0")).expect("written");
    let load = || fleet::load(Some(&path), &[]).expect("a sound file");
    let file = load();
    let configs = file.detectors.iter();
    let running = Fleet::start(configs.map(|(name, detector)| Config::of(name, detector)))
        .await
        .expect("free ports");
    let soon = Change {
        ttl: Some(Duration::from_millis(1_500)),
        ..Change::default()
    };
    let failing = json!({"success_rate": 0.0});
    running.change("one", &failing, &soon).expect("valid");
    let half = json!({"success_rate": 0.75});
    running.patch("two", &half).expect("valid");
    std::fs::write(&path, text("0.25", "0.5")).expect("written");
    let reloaded = running.reload(&load()).expect("sound profiles");
    assert_eq!(reloaded.changed, ["one", "two"]);
    assert_eq!(
        rates(&running),
        [0.0, 0.5],
        "what is for good gives way at once"
    );
    wait_for(&running, [0.25, 0.5]).await;
    running.stop().await;
}

#[tokio::test]
async fn a_changed_file_is_followed_and_an_invalid_one_is_refused_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("detectors.yaml");
    std::fs::write(&path, text("1.0", "1.0")).expect("written");
    let file = fleet::load(Some(&path), &[]).expect("a sound file");
    let configs = file
        .detectors
        .iter()
        .map(|(name, detector)| Config::of(name, detector));
    let running = Fleet::start(configs).await.expect("free ports");
    let shutdown = Shutdown::new();
    let follow = running.follow(&path, shutdown.clone());
    let story = async {
        // A different length each time, since file system clocks are coarse.
        tokio::time::sleep(Duration::from_millis(50)).await;
        std::fs::write(&path, text("0.25", "0.5")).expect("written");
        wait_for(&running, [0.25, 0.5]).await;
        std::fs::write(&path, text("0.125", "7.0")).expect("written");
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(
            rates(&running),
            [0.25, 0.5],
            "no half of a bad file is taken"
        );
        std::fs::write(&path, text("0.0625", "0.03125")).expect("written");
        wait_for(&running, [0.0625, 0.03125]).await;
        shutdown.cancel();
    };
    tokio::join!(follow, story);
    running.stop().await;
}
