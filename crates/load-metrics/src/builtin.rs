//! The metrics that exist in every run; their ids are constants.

use crate::metric::{Contains, Kind, MetricId};

macro_rules! builtin {
    ($($id:ident = $index:literal, $name:literal, $kind:ident, $contains:ident;)*) => {
        $(#[doc = concat!("`", $name, "`")] pub const $id: MetricId = MetricId($index);)*
        pub(crate) const ALL: &[(MetricId, &str, Kind, Contains)] =
            &[$(($id, $name, Kind::$kind, Contains::$contains)),*];
    };
}

builtin! {
    VUS = 0, "vus", Gauge, Default;
    VUS_MAX = 1, "vus_max", Gauge, Default;
    ITERATIONS = 2, "iterations", Counter, Default;
    ITERATION_DURATION = 3, "iteration_duration", Trend, Time;
    DROPPED_ITERATIONS = 4, "dropped_iterations", Counter, Default;
    CHECKS = 5, "checks", Rate, Default;
    GROUP_DURATION = 6, "group_duration", Trend, Time;
    HTTP_REQS = 7, "http_reqs", Counter, Default;
    HTTP_REQ_FAILED = 8, "http_req_failed", Rate, Default;
    HTTP_REQ_DURATION = 9, "http_req_duration", Trend, Time;
    HTTP_REQ_BLOCKED = 10, "http_req_blocked", Trend, Time;
    HTTP_REQ_CONNECTING = 11, "http_req_connecting", Trend, Time;
    HTTP_REQ_TLS_HANDSHAKING = 12, "http_req_tls_handshaking", Trend, Time;
    HTTP_REQ_SENDING = 13, "http_req_sending", Trend, Time;
    HTTP_REQ_WAITING = 14, "http_req_waiting", Trend, Time;
    HTTP_REQ_RECEIVING = 15, "http_req_receiving", Trend, Time;
    WS_SESSIONS = 16, "ws_sessions", Counter, Default;
    WS_MSGS_SENT = 17, "ws_msgs_sent", Counter, Default;
    WS_MSGS_RECEIVED = 18, "ws_msgs_received", Counter, Default;
    WS_PING = 19, "ws_ping", Trend, Time;
    WS_SESSION_DURATION = 20, "ws_session_duration", Trend, Time;
    WS_CONNECTING = 21, "ws_connecting", Trend, Time;
    GRPC_REQ_DURATION = 22, "grpc_req_duration", Trend, Time;
    DATA_SENT = 23, "data_sent", Counter, Data;
    DATA_RECEIVED = 24, "data_received", Counter, Data;
    HTTP_REQ_INTENDED_DURATION = 25, "http_req_intended_duration", Trend, Time;
    GRPC_STREAMS = 26, "grpc_streams", Counter, Default;
    GRPC_STREAMS_MSGS_SENT = 27, "grpc_streams_msgs_sent", Counter, Default;
    GRPC_STREAMS_MSGS_RECEIVED = 28, "grpc_streams_msgs_received", Counter, Default;
    HTTP_REQ_CONTENT_BYTES = 29, "http_req_content_bytes", Counter, Data;
}
