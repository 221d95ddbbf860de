//! The types that servers put into the details of errors: `google.rpc`'s error details.

use std::sync::{Arc, OnceLock};

use prost_reflect::DescriptorPool;

use crate::schema::Schema;

/// Their definitions.
const FILE: &str = r#"
    syntax = "proto3";
    package google.rpc;
    import "google/protobuf/duration.proto";
    message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
    message RetryInfo { google.protobuf.Duration retry_delay = 1; }
    message DebugInfo { repeated string stack_entries = 1; string detail = 2; }
    message QuotaFailure {
        message Violation { string subject = 1; string description = 2; }
        repeated Violation violations = 1;
    }
    message PreconditionFailure {
        message Violation { string type = 1; string subject = 2; string description = 3; }
        repeated Violation violations = 1;
    }
    message BadRequest {
        message FieldViolation { string field = 1; string description = 2; }
        repeated FieldViolation field_violations = 1;
    }
    message RequestInfo { string request_id = 1; string serving_data = 2; }
    message ResourceInfo {
        string resource_type = 1; string resource_name = 2; string owner = 3; string description = 4;
    }
    message Help {
        message Link { string description = 1; string url = 2; }
        repeated Link links = 1;
    }
    message LocalizedMessage { string locale = 1; string message = 2; }
"#;

/// Their descriptors.
pub(super) fn pool() -> &'static DescriptorPool {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let open = |_: &str| Ok(FILE.to_owned());
        let compiled = Schema::compile(
            Arc::new(open),
            &["google/rpc/error_details.proto".to_owned()],
        );
        compiled.expect("the interface of error details compiles")
    });
    schema.pool()
}
