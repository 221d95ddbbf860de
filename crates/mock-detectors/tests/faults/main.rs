//! One file per kind of failure: its effect on a raw socket, byte by byte.

mod probe;
mod secure;

mod bad_certificate;
mod close;
mod content_length;
mod drip;
mod garbage;
mod goaway;
mod handshake;
mod hang;
mod http2;
mod long_list;
mod malformed_chunk;
mod malformed_json;
mod nan_score;
mod other_answer;
mod over_tls;
mod refused;
mod reordered_list;
mod reset;
mod rst_stream;
mod score_out_of_range;
mod short_list;
mod slow_accept;
mod span_out_of_range;
mod stale_answer;
mod status;
mod timeout;
mod truncate;
mod wrong_content_type;
mod wrong_id;
