//! What a client sends after its first packet.

use super::fields::{Fields, Formats, Oids, Values};
use super::frame::Frame;
use super::malformed::Malformed;

/// A client's message. Everything in it is borrowed from its frame.
#[derive(Clone, Copy, Debug)]
pub enum ClientMessage<'a> {
    /// Statements as text, to be run at once.
    Query {
        /// The statements.
        sql: &'a str,
    },
    /// One statement, to be kept under a name.
    Parse {
        /// The name; empty for the one that has none.
        name: &'a str,
        /// The statement.
        sql: &'a str,
        /// Types of its parameters, as far as the client says; 0 where it does not.
        types: Oids<'a>,
    },
    /// A statement's parameters.
    Bind(Bind<'a>),
    /// What does it take and give?
    Describe(Target<'a>),
    /// Forget it.
    Close(Target<'a>),
    /// Run a portal.
    Execute {
        /// Its name.
        portal: &'a str,
        /// At most so many rows; all of them if not above 0.
        max_rows: i32,
    },
    /// Send what you have.
    Flush,
    /// The end of a series.
    Sync,
    /// Data of a COPY.
    CopyData(&'a [u8]),
    /// All of it.
    CopyDone,
    /// No more of it.
    CopyFail {
        /// Why.
        reason: &'a str,
    },
    /// The fast path: a function by its id, without any SQL.
    FunctionCall {
        /// Which.
        function: u32,
    },
    /// A password, or a step of SASL: which of them the message does not say.
    Secret(Secret<'a>),
    /// Good bye.
    Terminate,
}

/// Bytes that may hold a token; not printed.
#[derive(Clone, Copy)]
pub struct Secret<'a>(pub &'a [u8]);

impl std::fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A statement's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Bind<'a> {
    /// The portal to make.
    pub portal: &'a str,
    /// The statement to make it from.
    pub statement: &'a str,
    /// Whether the parameters are text or binary.
    pub formats: Formats<'a>,
    /// The parameters.
    pub parameters: Values<'a>,
    /// How the client wants its results.
    pub results: Formats<'a>,
}

/// A statement or a portal by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A prepared statement.
    Statement(&'a str),
    /// A portal.
    Portal(&'a str),
}

impl<'a> ClientMessage<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`Malformed`] for every shape but the documented one.
    pub fn read(frame: &'a Frame) -> Result<Self, Malformed> {
        Self::read_body(frame.tag, frame.body())
    }

    /// Reads what follows tag and length.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_body(tag: u8, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::of(body);
        let message = match tag {
            b'd' => return Ok(Self::CopyData(body)),
            b'p' => return Ok(Self::Secret(Secret(body))),
            // Refused whatever it says, so the rest of it is not looked at.
            b'F' => return fields.u32().map(|function| Self::FunctionCall { function }),
            b'Q' => Self::Query {
                sql: fields.text()?,
            },
            b'P' => Self::Parse {
                name: fields.text()?,
                sql: fields.text()?,
                types: fields.oids()?,
            },
            b'B' => Self::Bind(Bind::read(&mut fields)?),
            b'D' => Self::Describe(Target::read(&mut fields)?),
            b'C' => Self::Close(Target::read(&mut fields)?),
            b'E' => Self::Execute {
                portal: fields.text()?,
                max_rows: fields.i32()?,
            },
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'c' => Self::CopyDone,
            b'f' => Self::CopyFail {
                reason: fields.text()?,
            },
            b'X' => Self::Terminate,
            other => return Err(Malformed::Tag(other)),
        };
        fields.end().map(|()| message)
    }
}

impl<'a> Bind<'a> {
    fn read(fields: &mut Fields<'a>) -> Result<Self, Malformed> {
        let bind = Self {
            portal: fields.text()?,
            statement: fields.text()?,
            formats: fields.formats()?,
            parameters: fields.values()?,
            results: fields.formats()?,
        };
        if bind.formats.fit(bind.parameters.count()) {
            Ok(bind)
        } else {
            Err(Malformed::Format)
        }
    }
}

impl<'a> Target<'a> {
    fn read(fields: &mut Fields<'a>) -> Result<Self, Malformed> {
        match fields.u8()? {
            b'S' => fields.text().map(Self::Statement),
            b'P' => fields.text().map(Self::Portal),
            other => Err(Malformed::Target(other)),
        }
    }
}
