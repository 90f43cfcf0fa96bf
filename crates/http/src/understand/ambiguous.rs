//! Why a request is refused outright: two parsers could read it in two ways, so that no judgement of
//! ours would be about what the upstream does.

/// The way in which a request is ambiguous.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguous {
    /// Not one whole HTTP/1.1 message.
    #[error("this is not one whole HTTP/1.1 request: {0}")]
    NotHttp(String),
    /// A header that may stand there once stands there again.
    #[error("header `{0}` stands there twice; send it once")]
    HeaderTwice(&'static str),
    /// Two ways to say where the body ends.
    #[error("both `content-length` and `transfer-encoding` are given; send one")]
    TwoLengths,
    /// A body that is longer or shorter than said, or framed in a way that is not plain `chunked`.
    #[error("the body does not end where its headers say")]
    Length,
    /// A header value continued on the next line.
    #[error("a header is folded over several lines; write it on one")]
    Folded,
    /// The request line and the `host` header name two hosts.
    #[error("the request line and `host` name different hosts")]
    TwoHosts,
    /// The method is overridden by a header or parameter.
    #[error("`{0}` overrides the method; send the method you mean")]
    MethodOverride(String),
    /// A path that servers normalise differently.
    #[error("the path has {0}, which servers read differently; write it plainly")]
    Path(&'static str),
    /// A body in a character set that is not UTF-8.
    #[error("the body's character set is `{0}`; send UTF-8")]
    Charset(String),
    /// Bytes that are not UTF-8 where text is expected.
    #[error("the body is not valid UTF-8")]
    NotUtf8,
    /// A byte order mark.
    #[error("the body begins with a byte order mark; leave it out")]
    ByteOrderMark,
    /// A NUL character.
    #[error("there is a NUL character in the {0}")]
    Nul(&'static str),
    /// One object with two members of one name.
    #[error("member `{0}` stands twice in one JSON object; send it once")]
    MemberTwice(String),
    /// A parameter that is given twice, or in the URL and in the body.
    #[error("parameter `{0}` is given twice; send it once")]
    ParameterTwice(String),
}
