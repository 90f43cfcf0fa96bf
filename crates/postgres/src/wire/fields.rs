//! Reading a message's fields, one after the other.

use super::malformed::Malformed;

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

type Read<T> = Result<T, Malformed>;

impl<'a> Fields<'a> {
    pub(crate) const fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    pub(crate) fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Read<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Read<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Read<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Bytes up to the next zero, which is read as well.
    pub(crate) fn zero_ended(&mut self) -> Read<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.take(end.ok_or(Malformed::Unended)?)?;
        self.take(1)?;
        Ok(text)
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        std::str::from_utf8(self.zero_ended()?).map_err(|_| Malformed::NotUtf8)
    }

    /// A value with its length before it; -1 is null.
    pub(crate) fn value(&mut self) -> Read<Option<&'a [u8]>> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| Malformed::Length(length))?;
                self.take(length).map(Some)
            }
        }
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) const fn end(self) -> Read<()> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Long)
        }
    }

    pub(crate) fn oids(&mut self) -> Read<Oids<'a>> {
        let count = usize::from(self.u16()?);
        self.take(count * 4).map(Oids)
    }

    pub(crate) fn formats(&mut self) -> Read<Formats<'a>> {
        let count = usize::from(self.u16()?);
        let codes = Formats(self.take(count * 2)?);
        let known = codes
            .0
            .chunks_exact(2)
            .all(|code| matches!(code, [0, 0 | 1]));
        if known {
            Ok(codes)
        } else {
            Err(Malformed::Format)
        }
    }

    pub(crate) fn values(&mut self) -> Read<Values<'a>> {
        let count = self.u16()?;
        let all = self.0;
        for _ in 0..count {
            self.value()?;
        }
        let length = all.len() - self.0.len();
        let fields = Fields(all.get(..length).ok_or(Malformed::Short)?);
        Ok(Values { count, fields })
    }
}

/// Ids of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oids<'a>(&'a [u8]);

impl Oids<'_> {
    /// Each in turn.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> {
        let chunks = self.0.chunks_exact(4);
        chunks.map(|chunk| chunk.try_into().map_or(0, u32::from_be_bytes))
    }
}

/// Whether values are text or binary: one code for all, one for each, or none, which means text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats<'a>(&'a [u8]);

impl Formats<'_> {
    /// How many codes there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len() / 2
    }

    /// Whether the value at this place is binary.
    #[must_use]
    pub fn is_binary(&self, place: usize) -> bool {
        let place = if self.count() == 1 { 0 } else { place };
        self.0.get(place * 2 + 1) == Some(&1)
    }

    pub(crate) const fn fit(self, values: u16) -> bool {
        self.count() <= 1 || self.count() == values as usize
    }
}

/// Values in their order: a statement's parameters, or a row's columns. Checked when read, so that going
/// through them can't fail.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    count: u16,
    fields: Fields<'a>,
}

impl<'a> Values<'a> {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Each in turn; `None` is null.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let mut fields = self.fields;
        (0..self.count).map_while(move |_| fields.value().ok())
    }
}
