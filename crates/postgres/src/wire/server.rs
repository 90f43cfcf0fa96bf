//! What a server sends, as far as a gateway has to know.

use super::fields::{Fields, Formats, Oids, Values};
use super::frame::Frame;
use super::malformed::Malformed;
use super::report::Report;

/// A server's message. Everything in it is borrowed from its frame.
#[derive(Clone, Copy, Debug)]
pub enum ServerMessage<'a> {
    /// A step of signing in.
    Authentication(Authentication<'a>),
    /// What may be asked to stop, and how.
    BackendKeyData {
        /// The process.
        process: u32,
        /// The secret: 4 bytes in protocol 3.0, up to 256 in 3.2.
        secret: &'a [u8],
    },
    /// A setting that the server reports, and its value from now on.
    ParameterStatus {
        /// Which.
        name: &'a str,
        /// What it is.
        value: &'a str,
    },
    /// The server speaks an older minor version, or does not know some options.
    NegotiateProtocolVersion {
        /// The newest minor version that it speaks.
        newest_minor: u16,
        /// How many options it does not know.
        unknown: u32,
    },
    /// It waits for the next query.
    ReadyForQuery(Status),
    /// A command is done: `INSERT 0 1`.
    CommandComplete {
        /// What was done.
        tag: &'a str,
    },
    /// Something failed.
    ErrorResponse(Report<'a>),
    /// Something is said.
    NoticeResponse(Report<'a>),
    /// Somebody said `NOTIFY`.
    NotificationResponse,
    /// The types of a statement's parameters.
    ParameterDescription(Oids<'a>),
    /// The columns that follow.
    RowDescription(Columns<'a>),
    /// One row.
    DataRow(Values<'a>),
    /// It waits for the client's data.
    CopyIn(CopyFormat<'a>),
    /// Its data follow.
    CopyOut(CopyFormat<'a>),
    /// Both, for replication only.
    CopyBoth,
    /// Data of a COPY.
    CopyData(&'a [u8]),
    /// All of it.
    CopyDone,
    /// A statement is kept.
    ParseComplete,
    /// A portal is made.
    BindComplete,
    /// It is forgotten.
    CloseComplete,
    /// It gives no rows.
    NoData,
    /// There are more rows in the portal.
    PortalSuspended,
    /// There was no statement.
    EmptyQueryResponse,
    /// The fast path's answer.
    FunctionCallResponse,
}

/// A step of signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// Done.
    Ok,
    /// The password itself.
    Cleartext,
    /// Its hash with this salt.
    Md5([u8; 4]),
    /// SASL by one of these mechanisms, each with a zero at its end.
    Sasl(&'a [u8]),
    /// The server's answer in SASL.
    SaslContinue(&'a [u8]),
    /// The server's proof in SASL.
    SaslFinal(&'a [u8]),
    /// Kerberos, GSSAPI, SSPI and what else there may be.
    Other(u32),
}

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In no transaction.
    Idle,
    /// In a transaction.
    Transaction,
    /// In a transaction that failed.
    Failed,
}

impl Status {
    /// The letter on the wire.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Transaction => b'T',
            Self::Failed => b'E',
        }
    }

    fn read(letter: u8) -> Result<Self, Malformed> {
        match letter {
            b'I' => Ok(Self::Idle),
            b'T' => Ok(Self::Transaction),
            b'E' => Ok(Self::Failed),
            other => Err(Malformed::Target(other)),
        }
    }
}

/// How data of a COPY look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyFormat<'a> {
    /// Whether as a whole they are binary.
    pub binary: bool,
    /// Each column.
    pub columns: Formats<'a>,
}

impl<'a> ServerMessage<'a> {
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
            b'D' => Self::DataRow(fields.values()?),
            b'd' => return Ok(Self::CopyData(body)),
            b'C' => Self::CommandComplete {
                tag: fields.text()?,
            },
            b'Z' => Self::ReadyForQuery(Status::read(fields.u8()?)?),
            b'E' => return Report::read(fields).map(Self::ErrorResponse),
            b'N' => return Report::read(fields).map(Self::NoticeResponse),
            b'T' => return Columns::read(fields).map(Self::RowDescription),
            b't' => Self::ParameterDescription(fields.oids()?),
            b'S' => Self::ParameterStatus {
                name: fields.text()?,
                value: fields.text()?,
            },
            b'R' => return Authentication::read(fields).map(Self::Authentication),
            b'K' => return read_key(fields),
            b'v' => return read_negotiation(fields),
            b'G' => Self::CopyIn(CopyFormat::read(&mut fields)?),
            b'H' => Self::CopyOut(CopyFormat::read(&mut fields)?),
            b'W' => return Ok(Self::CopyBoth),
            b'A' => return Ok(Self::NotificationResponse),
            b'V' => return Ok(Self::FunctionCallResponse),
            b'c' => Self::CopyDone,
            b'1' => Self::ParseComplete,
            b'2' => Self::BindComplete,
            b'3' => Self::CloseComplete,
            b'n' => Self::NoData,
            b's' => Self::PortalSuspended,
            b'I' => Self::EmptyQueryResponse,
            other => return Err(Malformed::Tag(other)),
        };
        fields.end().map(|()| message)
    }
}

/// The longest key that protocol 3.2 allows, in bytes.
const LONGEST_KEY: usize = 256;

fn read_key(mut fields: Fields<'_>) -> Result<ServerMessage<'_>, Malformed> {
    let process = fields.u32()?;
    let secret = fields.rest();
    match secret.len() {
        0..4 => Err(Malformed::Short),
        4..=LONGEST_KEY => Ok(ServerMessage::BackendKeyData { process, secret }),
        _ => Err(Malformed::Long),
    }
}

/// The version is documented as the minor one and sent as the whole one.
fn read_negotiation(mut fields: Fields<'_>) -> Result<ServerMessage<'_>, Malformed> {
    let (_major, newest_minor) = (fields.u16()?, fields.u16()?);
    let unknown = fields.u32()?;
    for _ in 0..unknown {
        fields.zero_ended()?;
    }
    fields.end()?;
    Ok(ServerMessage::NegotiateProtocolVersion {
        newest_minor,
        unknown,
    })
}

impl<'a> Authentication<'a> {
    fn read(mut fields: Fields<'a>) -> Result<Self, Malformed> {
        let read = match fields.u32()? {
            0 => Self::Ok,
            3 => Self::Cleartext,
            5 => {
                let salt = fields.take(4)?;
                Self::Md5(salt.try_into().map_err(|_| Malformed::Short)?)
            }
            10 => return Ok(Self::Sasl(fields.rest())),
            11 => return Ok(Self::SaslContinue(fields.rest())),
            12 => return Ok(Self::SaslFinal(fields.rest())),
            other => return Ok(Self::Other(other)),
        };
        fields.end().map(|()| read)
    }

    /// The mechanisms that are offered.
    ///
    /// # Errors
    /// [`Malformed`] when their list has no end.
    pub fn mechanisms(list: &'a [u8]) -> Result<Vec<&'a str>, Malformed> {
        let mut fields = Fields::of(list);
        let mut found = Vec::new();
        loop {
            match fields.text()? {
                "" => return fields.end().map(|()| found),
                name => found.push(name),
            }
        }
    }
}

impl<'a> CopyFormat<'a> {
    fn read(fields: &mut Fields<'a>) -> Result<Self, Malformed> {
        let binary = match fields.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed::Format),
        };
        let columns = fields.formats()?;
        Ok(Self { binary, columns })
    }
}

/// The columns of the rows that follow.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    count: u16,
    fields: Fields<'a>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// Its name. In a database without an encoding (`SQL_ASCII`) it need not be UTF-8.
    pub name: &'a [u8],
    /// The relation it comes from; 0 where it comes from none.
    pub relation: u32,
    /// Its number there.
    pub number: i16,
    /// Its type.
    pub type_id: u32,
    /// Bytes of a value, below 0 where that varies.
    pub size: i16,
    /// What the type takes besides.
    pub modifier: i32,
    /// Whether it comes in binary.
    pub binary: bool,
}

impl<'a> Columns<'a> {
    fn read(mut fields: Fields<'a>) -> Result<Self, Malformed> {
        let count = fields.u16()?;
        let all = fields;
        for _ in 0..count {
            Column::read(&mut fields)?;
        }
        fields.end()?;
        Ok(Self { count, fields: all })
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Each in turn.
    pub fn iter(&self) -> impl Iterator<Item = Column<'a>> + use<'a> {
        let mut fields = self.fields;
        (0..self.count).map_while(move |_| Column::read(&mut fields).ok())
    }
}

impl<'a> Column<'a> {
    fn read(fields: &mut Fields<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            name: fields.zero_ended()?,
            relation: fields.u32()?,
            number: fields.i16()?,
            type_id: fields.u32()?,
            size: fields.i16()?,
            modifier: fields.i32()?,
            binary: match fields.i16()? {
                0 => false,
                1 => true,
                _ => return Err(Malformed::Format),
            },
        })
    }
}
