//! What can go wrong in this crate.

/// Every error of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The bytes are not one HTTP/1.1 message of known length.
    #[error("not one HTTP/1.1 request of known length")]
    NotAMessage,
    /// An upstream's address can't be used.
    #[error("`{url}` can't be the address of upstream `{name}`: {reason}")]
    Address {
        /// The upstream.
        name: String,
        /// The address, as configured.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two upstreams claim one host.
    #[error("upstreams `{first}` and `{second}` both answer for `{host}`; remove one alias")]
    HostTaken {
        /// The host.
        host: String,
        /// Who had it.
        first: String,
        /// Who wants it.
        second: String,
    },
    /// The header that carries an upstream's credential is not a header.
    #[error("`{header}` is not a header for upstream `{name}`; write `name: text before it`")]
    CredentialHeader {
        /// The upstream.
        name: String,
        /// The header, as configured.
        header: String,
    },
    /// No pack of that name.
    #[error("no pack `{pack}` for upstream `{name}`; there are: {known}")]
    Pack {
        /// The upstream.
        name: String,
        /// The pack, as configured.
        pack: String,
        /// The packs that there are.
        known: String,
    },
    /// The packs don't go together.
    #[error("the packs can't be used: {0}")]
    Understanding(String),
    /// A file with certificates or keys could not be used.
    #[error("certificates in `{file}`: {reason}")]
    Certificates {
        /// The file, or what the certificates are for.
        file: String,
        /// What is wrong with them.
        reason: String,
    },
}
