//! The samples of calls and streams.

use std::sync::Arc;

use load_metrics::{MetricId, Recorder, SystemTag, TagSet, Tags, builtin};
use tokio::time::Instant;

use super::super::tags;
use super::client::Method;
use crate::vu::state::{VuState, now};

/// The recorder of the samples of a call, with their tags.
pub(super) struct Samples {
    recorder: Recorder,
    metadata: Option<Arc<Tags>>,
    tags: TagSet,
    begin: Instant,
}

impl Samples {
    /// The samples of a call that begins now. The script's own tags take precedence over the name and all
    /// tags of the VU, but not over those of the call.
    pub(super) fn begin(
        vu: &VuState,
        method: &Method,
        address: &str,
        own: &[(String, String)],
    ) -> Self {
        let url = format!("{address}{}", method.path);
        let known = [
            (SystemTag::Url, url.as_str()),
            (SystemTag::Method, method.descriptor.name()),
            (SystemTag::Service, method.service.as_str()),
        ];
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        if vu.recorder.wants(SystemTag::Name) {
            pairs.push((SystemTag::Name.name(), &method.path));
        }
        pairs.extend(tags::borrowed(own));
        let wanted = known.iter().filter(|(tag, _)| vu.recorder.wants(*tag));
        pairs.extend(wanted.map(|(tag, value)| (tag.name(), *value)));
        Self {
            tags: vu.recorder.extend(&vu.tags(), &pairs),
            recorder: vu.recorder.clone(),
            metadata: vu.tagging.metadata.borrow().clone(),
            begin: Instant::now(),
        }
    }

    /// Counts an opened stream.
    pub(super) fn opened(&self) {
        self.count(builtin::GRPC_STREAMS, &self.tags, 1.0);
    }

    /// Counts a message sent on a stream.
    pub(super) fn sent(&self) {
        self.count(builtin::GRPC_STREAMS_MSGS_SENT, &self.tags, 1.0);
    }

    /// Counts a message received on a stream.
    pub(super) fn received(&self) {
        self.count(builtin::GRPC_STREAMS_MSGS_RECEIVED, &self.tags, 1.0);
    }

    /// Records the end of the call.
    pub(super) fn ended(&self, status: u32) {
        let duration = self.begin.elapsed();
        let tags = match self.recorder.wants(SystemTag::Status) {
            true => {
                let status = status.to_string();
                let pair = (SystemTag::Status.name(), status.as_str());
                self.recorder.extend(&self.tags, &[pair])
            }
            false => self.tags.clone(),
        };
        let milliseconds = duration.as_secs_f64() * 1000.0;
        self.count(builtin::GRPC_REQ_DURATION, &tags, milliseconds);
    }

    fn count(&self, metric: MetricId, tags: &TagSet, value: f64) {
        let metadata = self.metadata.as_ref();
        self.recorder
            .record_with(metric, tags, metadata, now(), value);
    }
}
