//! The first packet of a client, which has no tag.

use super::fields::Fields;
use super::malformed::Malformed;

/// What a client begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstPacket {
    /// It would like TLS.
    Tls,
    /// It would like GSSAPI encryption.
    Gss,
    /// Somebody's statement should stop.
    Cancel {
        /// The process that the key came with.
        process: u32,
        /// The secret: 4 bytes in protocol 3.0, up to 256 in 3.2.
        secret: Vec<u8>,
    },
    /// It would like a session.
    Startup(Startup),
}

/// Who would like a session, and how it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    /// The minor version that the client wants; the major one is 3.
    pub minor: u16,
    /// Names and values in the order in which they were sent, `user` and `database` among them.
    pub parameters: Vec<(String, String)>,
}

/// Special codes in the place of a version.
const CANCEL: (u16, u16) = (1234, 5678);
const TLS: (u16, u16) = (1234, 5679);
const GSS: (u16, u16) = (1234, 5680);

impl FirstPacket {
    /// Reads what follows the length.
    ///
    /// # Errors
    /// [`Malformed`] for every shape but the documented one, and for protocol 2.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::of(body);
        let packet = match (fields.u16()?, fields.u16()?) {
            TLS => Self::Tls,
            GSS => Self::Gss,
            CANCEL => return read_cancel(fields),
            (3, minor) => return Startup::read(minor, fields).map(Self::Startup),
            (major, minor) => return Err(Malformed::Protocol(major, minor)),
        };
        fields.end().map(|()| packet)
    }
}

fn read_cancel(mut fields: Fields<'_>) -> Result<FirstPacket, Malformed> {
    let process = fields.u32()?;
    let secret = fields.rest().to_vec();
    match secret.len() {
        0..4 => Err(Malformed::Short),
        4..=256 => Ok(FirstPacket::Cancel { process, secret }),
        _ => Err(Malformed::Long),
    }
}

impl Startup {
    fn read(minor: u16, mut fields: Fields<'_>) -> Result<Self, Malformed> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        loop {
            let name = fields.text()?;
            if name.is_empty() {
                fields.end()?;
                return Ok(Self { minor, parameters });
            }
            // Servers take the last, others the first: so none.
            if parameters
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                return Err(Malformed::Twice);
            }
            parameters.push((name.to_owned(), fields.text()?.to_owned()));
        }
    }

    /// The value of a parameter.
    #[must_use]
    pub fn parameter(&self, wanted: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    }
}
