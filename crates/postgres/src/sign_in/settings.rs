//! What a client may set, in its first packet and in `options` there.
//!
//! By a list of what is allowed: a setting can change what statements mean, whose they are, or what becomes
//! of them, so one that nobody thought about is refused.

use std::collections::BTreeMap;

/// A setting to be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, as PostgreSQL writes it.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// Why a parameter is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// Not on the list.
    #[error("the startup parameter `{0}` is not one that agents may set; leave it out")]
    Name(String),
    /// On the list, with other values.
    #[error("`{name}` can't be `{value}` here; {hint}")]
    Value {
        /// Its name.
        name: &'static str,
        /// The value, escaped.
        value: String,
        /// What it can be.
        hint: &'static str,
    },
    /// Not of the form `-c name=value`.
    #[error("only `-c name=value` is understood in `options`")]
    Options,
    /// Replication sees everything and is judged by nobody.
    #[error("replication does not go through tagout")]
    Replication,
    /// No name of a user.
    #[error("the first packet names no user")]
    NoUser,
}

/// How long what may take at most, in milliseconds: an agent can only ask for less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ceilings(pub BTreeMap<&'static str, u64>);

/// What may be done with a setting.
#[derive(Clone, Copy)]
enum Rule {
    /// Any value.
    Free,
    /// UTF-8, and so nothing to pass on: it is what we ask for anyway. Any other encoding could hide
    /// statements in what is one text to us.
    Utf8,
    /// Only on.
    On,
    /// Less than the ceiling.
    Tighten,
}

const ALLOWED: &[(&str, Rule)] = &[
    ("application_name", Rule::Free),
    ("bytea_output", Rule::Free),
    ("client_encoding", Rule::Utf8),
    ("DateStyle", Rule::Free),
    ("default_transaction_isolation", Rule::Free),
    ("default_transaction_read_only", Rule::On),
    ("extra_float_digits", Rule::Free),
    ("idle_in_transaction_session_timeout", Rule::Tighten),
    ("idle_session_timeout", Rule::Tighten),
    ("IntervalStyle", Rule::Free),
    ("jit", Rule::Free),
    ("lock_timeout", Rule::Tighten),
    ("search_path", Rule::Free),
    ("standard_conforming_strings", Rule::On),
    ("statement_timeout", Rule::Tighten),
    ("TimeZone", Rule::Free),
];

impl Setting {
    /// What is passed on for a client's wish; nothing where we ask for it anyway.
    ///
    /// # Errors
    /// [`NotAllowed`] when the name is not on the list, or the value is not one of those that may be.
    pub fn allowed(
        name: &str,
        value: &str,
        ceilings: &Ceilings,
    ) -> Result<Option<Self>, NotAllowed> {
        let known = ALLOWED
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        let Some((name, rule)) = known else {
            return Err(NotAllowed::Name(name.escape_debug().to_string()));
        };
        let refused = |hint| NotAllowed::Value {
            name,
            value: value.escape_debug().to_string(),
            hint,
        };
        let value = match rule {
            Rule::Free => value.to_owned(),
            Rule::Utf8 if is_utf8(value) => return Ok(None),
            Rule::Utf8 => return Err(refused("use `UTF8`")),
            Rule::On if is_on(value) => "on".to_owned(),
            Rule::On => return Err(refused("use `on`, or leave it out")),
            Rule::Tighten => {
                let wanted = milliseconds(value);
                let wanted =
                    wanted.ok_or_else(|| refused("use a number of milliseconds, or a unit"))?;
                tightened(wanted, ceilings.0.get(name).copied()).to_string()
            }
        };
        Ok(Some(Self { name, value }))
    }
}

/// `SQL_ASCII` asks for no conversion at all: the same to us, who read nothing but UTF-8. `psql` asks for it in
/// the locale `C`.
fn is_utf8(value: &str) -> bool {
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    ["utf8", "unicode", "sqlascii"]
        .iter()
        .any(|name| plain.eq_ignore_ascii_case(name))
}

fn is_on(value: &str) -> bool {
    ["on", "true", "yes", "1"]
        .iter()
        .any(|name| value.eq_ignore_ascii_case(name))
}

/// The shorter of both; 0 means for ever.
fn tightened(wanted: u64, ceiling: Option<u64>) -> u64 {
    match (wanted, ceiling.unwrap_or(0)) {
        (0, ceiling) => ceiling,
        (wanted, 0) => wanted,
        (wanted, ceiling) => wanted.min(ceiling),
    }
}

/// `1500`, `2s`, `1min`, `1h`, `1d`, as PostgreSQL reads times; whole numbers only.
fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at_checked(digits)?;
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let all = number.parse::<u64>().ok()?.checked_mul(factor)?;
    // PostgreSQL keeps them in 31 bits.
    i32::try_from(all).ok().map(|_| all)
}

/// The settings in `options`, as PostgreSQL parts them: by white space, where `\` takes the next character
/// as it is.
///
/// # Errors
/// [`NotAllowed::Options`] for anything but settings.
pub(crate) fn from_options(options: &str) -> Result<Vec<(String, String)>, NotAllowed> {
    let mut words = words_of(options).into_iter();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(long), _) => long.to_owned(),
            (None, Some("")) => words.next().ok_or(NotAllowed::Options)?,
            (None, Some(joined)) => joined.to_owned(),
            (None, None) => return Err(NotAllowed::Options),
        };
        let (name, value) = setting.split_once('=').ok_or(NotAllowed::Options)?;
        found.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(found)
}

fn words_of(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            space if space.is_ascii_whitespace() || space == '\x0b' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(characters.next()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_pass_by_the_list() {
        let ceilings = Ceilings(BTreeMap::from([("statement_timeout", 5_000)]));
        let passed = |name, value| {
            let setting = Setting::allowed(name, value, &ceilings);
            setting
                .map(|setting| setting.map(|setting| format!("{}={}", setting.name, setting.value)))
        };
        for (name, value, expected) in [
            ("datestyle", "ISO, MDY", Some("DateStyle=ISO, MDY")),
            ("TIMEZONE", "UTC", Some("TimeZone=UTC")),
            ("client_encoding", "'utf-8'", None),
            ("client_encoding", "UNICODE", None),
            ("client_encoding", "SQL_ASCII", None),
            ("statement_timeout", "0", Some("statement_timeout=5000")),
            ("statement_timeout", "2s", Some("statement_timeout=2000")),
            ("statement_timeout", "1h", Some("statement_timeout=5000")),
            ("lock_timeout", "1min", Some("lock_timeout=60000")),
            ("lock_timeout", "0", Some("lock_timeout=0")),
            (
                "standard_conforming_strings",
                "ON",
                Some("standard_conforming_strings=on"),
            ),
        ] {
            assert_eq!(
                passed(name, value),
                Ok(expected.map(str::to_owned)),
                "{name} {value}"
            );
        }
        for (name, value) in [
            ("client_encoding", "SJIS"),
            ("client_encoding", "LATIN1"),
            ("standard_conforming_strings", "off"),
            ("default_transaction_read_only", "off"),
            ("statement_timeout", "-1"),
            ("statement_timeout", "1.5s"),
            ("statement_timeout", "99999999999"),
            ("statement_timeout", "1é"),
            ("session_replication_role", "replica"),
            ("role", "postgres"),
            ("session_authorization", "postgres"),
            ("row_security", "off"),
            ("local_preload_libraries", "x"),
            ("backslash_quote", "on"),
            ("", ""),
        ] {
            assert!(passed(name, value).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn options_are_parted_as_postgresql_does() {
        let pairs = |text: &str| {
            let found = from_options(text)?;
            let joined = found.iter().map(|(name, value)| format!("{name}={value}"));
            Ok(joined.collect::<Vec<_>>().join(";"))
        };
        for (text, expected) in [
            ("", ""),
            ("  ", ""),
            ("-c a=b", "a=b"),
            ("-ca=b --c-d=e", "a=b;c_d=e"),
            ("-c search_path=a\\ b,\\\\c", "search_path=a b,\\c"),
            ("-c a=b=c", "a=b=c"),
            ("-c a=", "a="),
        ] {
            assert_eq!(pairs(text), Ok(expected.to_owned()), "{text}");
        }
        for text in ["-c", "-c a", "a=b", "-d 5", "-f s", "--", "-", "-W 1"] {
            assert_eq!(pairs(text), Err(NotAllowed::Options), "{text}");
        }
    }
}
