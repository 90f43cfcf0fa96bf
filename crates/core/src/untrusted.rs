//! Text that came from an agent or an upstream, and the one way it reaches a person.
//!
//! Terminals obey control characters, browsers obey markup, and readers obey what looks like our own
//! words: direction overrides and invisible characters can make one command look like another.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// Text from outside. `Display` escapes everything that is not plainly visible, so that it is safe for
/// terminals, logs and (through a renderer that also escapes markup) for pages. The raw text is for
/// machines only: comparing, hashing, forwarding.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Takes text as it came.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it came: for comparing, hashing and forwarding, never for showing.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The escaped text, cut after `limit` visible characters with the number of those left out.
    /// For lists and one-line messages; what a person approves is shown whole.
    #[must_use]
    pub fn cut(&self, limit: usize) -> String {
        let whole = self.to_string();
        let Some((end, _)) = whole.char_indices().nth(limit) else {
            return whole;
        };
        let left = whole.chars().count() - limit;
        format!("{}… (+{left})", whole.get(..end).unwrap_or_default())
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_plain(c) {
                f.write_char(c)?;
            } else {
                write!(f, "\\u{{{:x}}}", u32::from(c))?;
            }
        }
        Ok(())
    }
}

/// Whether `c` is shown as itself. Refused: C0 and C1 controls, the backslash (so that escapes cannot
/// be imitated), every kind of white space but the plain blank, direction overrides and isolates,
/// zero-width and other invisible characters, variation selectors, tags, surrogates' neighbours and
/// private use.
fn is_plain(c: char) -> bool {
    let invisible = matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}' | '\u{e000}'..='\u{f8ff}');
    !(c.is_control() || c == '\\' || (c.is_whitespace() && c != ' ') || invisible)
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_is_escaped() {
        for (text, shown) in [
            ("DROP TABLE t", "DROP TABLE t"),
            ("Straße 東京 é", "Straße 東京 é"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\nb\tc", "a\\u{a}b\\u{9}c"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("x\u{200b}y", "x\\u{200b}y"),
            ("\\u{a}", "\\u{5c}u{a}"),
            ("a\u{a0}b", "a\\u{a0}b"),
            ("\u{9b}31m", "\\u{9b}31m"),
        ] {
            assert_eq!(Untrusted::from(text).to_string(), shown);
        }
    }

    #[test]
    fn cutting_says_how_much_is_missing() {
        assert_eq!(Untrusted::from("abcdef").cut(6), "abcdef");
        assert_eq!(Untrusted::from("abcdef").cut(4), "abcd… (+2)");
    }
}
