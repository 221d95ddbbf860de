//! The sections of k6's end-of-test summary, by the names of the metrics of its modules.

use load_engine::summary::{Layout, Section};

pub const LAYOUT: Layout = Layout {
    sections: &[
        Section {
            title: "HTTP",
            prefixes: &["http_req"],
        },
        Section {
            title: "EXECUTION",
            prefixes: &["vus", "iteration", "dropped_iterations"],
        },
        Section {
            title: "NETWORK",
            prefixes: &["data_sent", "data_received"],
        },
        Section {
            title: "BROWSER",
            prefixes: &["browser_http_req", "browser_data"],
        },
        Section {
            title: "WEB_VITALS",
            prefixes: &["browser_web_vital"],
        },
        Section {
            title: "GRPC",
            prefixes: &["grpc_"],
        },
        Section {
            title: "WEBSOCKET",
            prefixes: &["ws_"],
        },
    ],
    only_in_full: &[
        "http_req_blocked",
        "http_req_connecting",
        "http_req_receiving",
        "http_req_sending",
        "http_req_tls_handshaking",
        "http_req_waiting",
    ],
};
