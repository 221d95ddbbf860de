//! The trust in a detector.

/// The origin of a detector's registration. Clients of the API are trusted less than the author of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationSource {
    File,
    Api,
}
