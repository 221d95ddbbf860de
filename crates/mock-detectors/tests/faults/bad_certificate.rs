use rustls::{CertificateError, Error};
use serde_json::json;

use crate::probe::Probe;
use crate::secure::{connect, detect};

#[tokio::test]
async fn clients_refuse_each_bad_certificate_for_its_own_reason() {
    let probe = Probe::secure(json!({}), false).await;
    let (bytes, _) = detect(&probe).await;
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
    for certificate in ["expired", "wrong_host", "self_signed"] {
        probe.patch(json!({"connection": {"certificate": certificate}}));
        let error = connect(&probe, &[])
            .await
            .expect_err("the certificate is bad");
        let error = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>());
        let Some(Error::InvalidCertificate(reason)) = error else {
            panic!("{certificate}: {error:?}");
        };
        let expected = match certificate {
            "expired" => matches!(
                reason,
                CertificateError::Expired | CertificateError::ExpiredContext { .. }
            ),
            "wrong_host" => matches!(
                reason,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            ),
            _ => matches!(reason, CertificateError::UnknownIssuer),
        };
        assert!(expected, "{certificate}: {reason:?}");
    }
    probe.patch(json!({"connection": {"certificate": "valid"}}));
    assert!(connect(&probe, &[]).await.is_ok());
    probe.stop().await;
}
