//! `SSLKEYLOGFILE`: the driver writes the secrets that the server has.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustls::KeyLog;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::find_k6;
use super::keys::{Keys, Wishes};
use crate::binary::sparring;

/// The lines that the server would write.
#[derive(Debug, Default)]
struct Lines(Mutex<BTreeSet<String>>);

impl KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let line = format!("{label} {} {}", hex(client_random), hex(secret));
        self.0.lock().expect("no panics").insert(line);
    }
}

#[test]
fn the_secrets_of_connections_are_written_down_where_asked_for() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let keys = Keys::new();
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("script.js");
    let text = "import http from 'k6/http'; export const options = { iterations: 1, vus: 1 };
        export default () => { for (const at of __ENV.AT.split(' ')) http.get(at); }";
    std::fs::write(&script, text).expect("written");
    let mut labels = Vec::new();
    let mut drivers = vec![(sparring(), "ours")];
    drivers.extend(find_k6().map(|k6| (Command::new(k6), "k6")));
    for (command, name) in drivers {
        let seen = Arc::new(Lines::default());
        let mut addresses = Vec::new();
        for only_tls12 in [false, true] {
            let wishes = Wishes {
                only_tls12,
                log: Some(Arc::clone(&seen) as Arc<dyn KeyLog>),
                ..Wishes::default()
            };
            let acceptor = TlsAcceptor::from(keys.server(keys.trusted(), &wishes));
            addresses.push(runtime.block_on(serve(acceptor)));
        }
        let written = folder.path().join(name);
        run(command, &script, (&addresses.join(" "), &written, &keys));
        let text = std::fs::read_to_string(&written).expect("the file was written");
        let lines: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        let known = seen.0.lock().expect("no panics");
        assert!(
            !lines.is_empty() && lines.is_subset(&known),
            "{name}: {lines:?} {known:?}"
        );
        let label = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
        let of_use = [
            "CLIENT_RANDOM",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
        ];
        let all: BTreeSet<String> = lines.iter().map(label).collect();
        for needed in of_use {
            assert!(all.contains(needed), "{name}: {all:?}");
        }
        labels.push(all);
    }
    // k6 omits secrets that only exporters need; all of its lines are also in the driver's file.
    assert!(
        labels.last().is_some_and(|k6| k6.is_subset(&labels[0])),
        "{labels:?}"
    );
}

fn run(mut command: Command, script: &Path, target: (&str, &Path, &Keys)) {
    let (addresses, log, keys) = target;
    command.args(["run", "--quiet", "--log-output=none", "-e"]);
    command.arg(format!("AT={addresses}")).arg(script);
    command.env("SSLKEYLOGFILE", log);
    command.env("SSL_CERT_FILE", keys.root_file());
    command.env("K6_ADDRESS", "127.0.0.1:0");
    let output = command.output().expect("the driver can be started");
    assert!(output.status.success(), "{output:?}");
}

/// An endpoint that answers every request with an empty response. Returns its address.
async fn serve(acceptor: TlsAcceptor) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(tcp).await.ok()?;
                let mut space = [0; 4096];
                if stream.read(&mut space).await.ok()? == 0 {
                    return None;
                }
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(answer).await.ok()?;
                stream.shutdown().await.ok()
            });
        }
    });
    format!("https://localhost:{port}/")
}
