//! The valid names of the option `tlsCipherSuites`: those that Go knows.

use super::OptionError;

const KNOWN: [&str; 26] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_RC4_128_SHA",
];

/// The names, if all of them are known.
///
/// # Errors
/// The first unknown name.
pub(super) fn checked(names: Vec<String>) -> Result<Vec<String>, OptionError> {
    match names.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        Some(unknown) => Err(OptionError::Plain(format!(
            "unknown cipher suite '{unknown}'"
        ))),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn only_names_that_go_knows_are_accepted() {
        let names = |text: &str| vec![text.to_owned()];
        assert!(checked(names("TLS_RSA_WITH_RC4_128_SHA")).is_ok());
        let error = checked(names("TLS_FOO")).expect_err("unknown");
        assert_eq!(error.to_string(), "unknown cipher suite 'TLS_FOO'");
    }
}
