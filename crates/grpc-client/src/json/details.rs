//! The details of a status.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::Any;

use super::encode::{Unset, Writer};
use super::well_known;

/// `google.rpc.Status`, of which only the details are needed.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// The details in an encoded `google.rpc.Status`, each as JSON. One of an unknown type has its bytes as
/// `value`.
pub fn details(status: &[u8], pool: &DescriptorPool) -> Vec<String> {
    let status = RpcStatus::decode(status).unwrap_or_default();
    let details = status.details.iter();
    details
        .map(|any| {
            let mut writer = Writer::new(Unset::Written);
            let written = well_known::write_packed(&mut writer, pool, &any.type_url, &any.value);
            written.map_or_else(|_| unknown(any), |()| writer.into_text())
        })
        .collect()
}

fn unknown(any: &Any) -> String {
    let mut writer = Writer::new(Unset::Omitted);
    let written = writer.typed_value(&any.type_url, |writer| {
        writer.string(&STANDARD.encode(&any.value));
        Ok(())
    });
    written.map(|()| writer.into_text()).unwrap_or_default()
}
