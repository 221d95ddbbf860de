//! The system under test: fans one request out to many detectors and answers in time.
