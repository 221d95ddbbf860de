//! Scopes that clients name: unlimited, of which only some are kept.

use super::*;

#[tokio::test]
async fn too_many_scopes_reset_the_marks_and_restore_nothing() {
    let Some(server) = Server::start() else {
        return;
    };
    let one = Replica::start(&server).await;
    let about = About {
        tenant: "t",
        policy: "default",
        detectors: &[],
    };
    let before = asked(&one, about).await.marks;
    one.cache.put(&[7; 32], &before, b"entry").await;
    assert!(body(&one, about).await.is_some());
    let fill = "for i = 1, 10001 do redis.call('HSET', KEYS[1], i, 1) end return 1";
    let filled = server.command(&format!("EVAL \"{fill}\" 1 sparring:marks"));
    assert_eq!(filled, ":1");
    assert!(body(&one, about).await.is_some(), "others' scopes");
    let other = Scope {
        tenant: Some("somebody else"),
        ..Scope::default()
    };
    one.cache.invalidate(other).await;
    let kept = server.command("HLEN sparring:marks");
    assert_eq!(kept, ":3", "born, changes, and the scope");
    assert_eq!(body(&one, about).await, None, "its mark was forgotten");
    one.cache.put(&[7; 32], &before, b"late").await;
    assert_eq!(body(&one, about).await, None);
}
