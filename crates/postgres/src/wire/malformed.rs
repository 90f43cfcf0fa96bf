//! Why a message can't be read.

/// A message that is not of the documented shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Something is missing at its end.
    #[error("the message ends too early")]
    Short,
    /// Something follows where it should end.
    #[error("the message is longer than what it says")]
    Long,
    /// A text has no zero at its end.
    #[error("a text in the message has no end")]
    Unended,
    /// A text is not UTF-8, which is the only encoding spoken here.
    #[error("a text in the message is not UTF-8")]
    NotUtf8,
    /// A length that can't be one.
    #[error("`{0}` is not a length")]
    Length(i32),
    /// A format code other than text and binary, or as many codes as fit no count.
    #[error("the message's format codes are not understood")]
    Format,
    /// What is to be described or closed is neither a statement nor a portal.
    #[error("a message asks for something of kind `{0}`; there are `S` and `P`")]
    Target(u8),
    /// No message begins so.
    #[error("there is no message of type `{0}`")]
    Tag(u8),
    /// Protocol 2 or something else.
    #[error("protocol {0}.{1} is not spoken here; use 3.0 or 3.2")]
    Protocol(u16, u16),
    /// Something that may stand there once stands there twice.
    #[error("the message says one thing twice")]
    Twice,
}

impl Malformed {
    /// The SQLSTATE to answer with: `protocol_violation`, or `character_not_in_repertoire`.
    #[must_use]
    pub const fn sqlstate(self) -> &'static str {
        match self {
            Self::NotUtf8 => "22021",
            Self::Protocol(..) => "0A000",
            _ => "08P01",
        }
    }
}
