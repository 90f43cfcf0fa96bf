//! What an error or a notice says.

use std::borrow::Cow;

use super::fields::Fields;
use super::malformed::Malformed;

/// The fields of an `ErrorResponse` or a `NoticeResponse`. Any of them may be missing, whatever the
/// documentation says; texts from before the encoding is agreed need not be UTF-8.
/// <https://www.postgresql.org/docs/18/protocol-error-fields.html>
#[derive(Clone, Copy, Debug)]
pub struct Report<'a>(Fields<'a>);

impl<'a> Report<'a> {
    pub(crate) fn read(mut fields: Fields<'a>) -> Result<Self, Malformed> {
        let all = fields;
        while fields.u8()? != 0 {
            fields.zero_ended()?;
        }
        fields.end().map(|()| Self(all))
    }

    /// Each field with its letter.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut fields = self.0;
        std::iter::from_fn(move || match fields.u8() {
            Ok(0) | Err(_) => None,
            Ok(letter) => Some((letter, fields.zero_ended().ok()?)),
        })
    }

    /// The field with this letter.
    #[must_use]
    pub fn field(&self, wanted: u8) -> Option<Cow<'a, str>> {
        let found = self.iter().find(|(letter, _)| *letter == wanted);
        found.map(|(_, text)| String::from_utf8_lossy(text))
    }

    /// `ERROR`, `FATAL`, `NOTICE` …, not translated where the server says so.
    #[must_use]
    pub fn severity(&self) -> Cow<'a, str> {
        let found = self.field(b'V').or_else(|| self.field(b'S'));
        found.unwrap_or(Cow::Borrowed("ERROR"))
    }

    /// The SQLSTATE; `XX000`, internal error, where there is none.
    #[must_use]
    pub fn sqlstate(&self) -> Cow<'a, str> {
        self.field(b'C').unwrap_or(Cow::Borrowed("XX000"))
    }

    /// What it says, first of all.
    #[must_use]
    pub fn message(&self) -> Cow<'a, str> {
        self.field(b'M').unwrap_or_default()
    }
}
