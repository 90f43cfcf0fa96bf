//! JSON that every parser reads alike: a member name twice in one object is refused, and so is what is
//! not UTF-8, begins with a byte order mark or is nested deeper than honest requests are.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::ambiguous::Ambiguous;

/// Nesting that no honest request needs.
const MAX_DEPTH: usize = 64;

/// Marks our own error, so that it can be told from syntax errors.
const TWICE: &str = "tagout: member twice: ";

/// Why bytes are not JSON for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotJson {
    /// Not JSON, or too deep: simply not understood.
    Syntax,
    /// To be refused outright.
    Ambiguous(Ambiguous),
}

/// Reads exactly one JSON value.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, NotJson> {
    let text = text(bytes).map_err(NotJson::Ambiguous)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: MAX_DEPTH }
        .deserialize(&mut deserializer)
        .map_err(|error| cause(&error))?;
    deserializer.end().map_err(|_| NotJson::Syntax)?;
    Ok(value)
}

/// Bytes as text, without tricks.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Ambiguous> {
    if bytes.starts_with(b"\xef\xbb\xbf")
        || bytes.starts_with(b"\xfe\xff")
        || bytes.starts_with(b"\xff\xfe")
    {
        return Err(Ambiguous::ByteOrderMark);
    }
    if bytes.contains(&0) {
        return Err(Ambiguous::Nul("body"));
    }
    std::str::from_utf8(bytes).map_err(|_| Ambiguous::NotUtf8)
}

fn cause(error: &serde_json::Error) -> NotJson {
    let text = error.to_string();
    let name = text.strip_prefix(TWICE).map(|rest| {
        let end = rest.rfind(" at line ").unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().to_owned()
    });
    name.map_or(NotJson::Syntax, |name| {
        NotJson::Ambiguous(Ambiguous::MemberTwice(name))
    })
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1);
        depth
            .map(|depth| Self { depth })
            .ok_or_else(|| E::custom("nested too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).map(Value::Number);
        number.ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(seed)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut out = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(seed)?;
            if out.contains_key(&name) {
                return Err(de::Error::custom(format!("{TWICE}{name}")));
            }
            out.insert(name, value);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_everyone_reads_alike() {
        assert_eq!(
            parse(br#" {"a":[1,-2,0.5,true,null,"\u0062\ud83d\ude00"],"b":{}} "#),
            Ok(json!({"a": [1, -2, 0.5, true, null, "b😀"], "b": {}}))
        );
    }

    #[test]
    fn refuses_the_rest() {
        let twice = |name: &str| NotJson::Ambiguous(Ambiguous::MemberTwice(name.to_owned()));
        for (bytes, why) in [
            (&br#"{"query":"a","query":"b"}"#[..], twice("query")),
            (
                br#"[{"x":{"a at line 1":1,"a at line 1":2}}]"#,
                twice("a at line 1"),
            ),
            (br#"{"query":1,"\u0071uery":2}"#, twice("query")),
            (
                b"\xef\xbb\xbf{}",
                NotJson::Ambiguous(Ambiguous::ByteOrderMark),
            ),
            (b"\"\xff\"", NotJson::Ambiguous(Ambiguous::NotUtf8)),
            (b"\"\0\"", NotJson::Ambiguous(Ambiguous::Nul("body"))),
            (b"{} {}", NotJson::Syntax),
            (b"{'a':1}", NotJson::Syntax),
            (b"[1,]", NotJson::Syntax),
            (b"NaN", NotJson::Syntax),
            (b"1e999", NotJson::Syntax),
            (br#""\ud83d""#, NotJson::Syntax),
            (b"", NotJson::Syntax),
        ] {
            assert_eq!(parse(bytes), Err(why), "{}", String::from_utf8_lossy(bytes));
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(parse(deep.as_bytes()), Err(NotJson::Syntax));
    }
}
