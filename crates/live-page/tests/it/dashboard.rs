//! The output `web-dashboard`.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use live_page::{Config, WebDashboard};
use load_engine::log::{Level, Logger};
use load_outputs::{Output, RunEnd};

use crate::fed::{samples, setup};

fn warnings() -> (Logger, Arc<Mutex<Vec<String>>>) {
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let into = Arc::clone(&said);
    let logger = Logger::new(move |line| {
        if line.level >= Level::Warn {
            into.lock()
                .expect("not poisoned")
                .push(line.message.to_owned());
        }
    });
    (logger, said)
}

#[test]
fn a_port_that_is_taken_is_said_and_the_run_goes_on_to_its_report() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.html");
    let config = Config {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        export: Some(path.clone()),
        ..Config::default()
    };
    let mut output = WebDashboard::new(config, "script.js");
    assert_eq!(output.description(), "web-dashboard (not served)");
    let (logger, said) = warnings();
    output.start(&setup(logger)).expect("the run goes on");
    let said = said.lock().expect("not poisoned").join("\n");
    assert_eq!(
        said,
        format!(
            "the web dashboard is not served: 127.0.0.1:{port} is already in use by another process; the run \
             continues without it"
        )
    );
    output.consume(&samples()).expect("consumed");
    output.finish(&RunEnd::default()).expect("written");
    let html = std::fs::read_to_string(path).expect("a report");
    assert!(html.contains("<figcaption>Throughput <span>"), "{html}");
    assert!(html.contains("<h1>script.js</h1>"), "{html}");
    assert!(!html.contains("<script"), "{html}");
}

#[test]
fn a_page_is_there_from_the_description_of_the_run_until_its_end() {
    let config = Config {
        port: Some(0),
        ..Config::default()
    };
    let mut output = WebDashboard::new(config, "script.js");
    let url = output.url().expect("it is served").to_owned();
    assert_eq!(output.description(), format!("web-dashboard ({url})"));
    output.start(&setup(Logger::silent())).expect("started");
    let address = url.strip_prefix("http://").expect("a URL").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    output.consume(&samples()).expect("consumed");
    output.finish(&RunEnd::default()).expect("ended");
    assert!(
        std::net::TcpStream::connect(&address).is_err(),
        "the page ends with the run"
    );
}

#[test]
fn without_a_port_there_is_only_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("no/report.html");
    let config = Config {
        port: None,
        export: Some(path),
        ..Config::default()
    };
    let mut output = WebDashboard::new(config, "script.js");
    assert_eq!(output.url(), None);
    output.start(&setup(Logger::silent())).expect("started");
    let error = output
        .finish(&RunEnd::default())
        .expect_err("there is no such folder");
    assert!(error.to_string().contains("report.html"), "{error}");
}
