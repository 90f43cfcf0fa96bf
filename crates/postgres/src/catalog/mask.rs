//! Masking values of a sample: enough to recognise a row, not enough to misuse it.

/// Parts of the names of columns whose values are not shown at all.
const SECRET: &[&str] = &[
    "apikey",
    "api_key",
    "auth",
    "card",
    "credential",
    "cvc",
    "cvv",
    "hash",
    "iban",
    "key",
    "otp",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "private",
    "pwd",
    "salt",
    "secret",
    "seed",
    "session",
    "signature",
    "ssn",
    "tax_id",
    "token",
];

/// Characters of a text that are shown.
const SHOWN: usize = 3;

/// A value as it is shown. `category` is the type's (`typcategory`): numbers, dates and truth values are shown,
/// everything else is cut.
pub(super) fn masked(column: &str, category: char, value: Option<&str>) -> String {
    let Some(value) = value else {
        return "NULL".to_owned();
    };
    if is_secret(column) {
        return "***".to_owned();
    }
    match category {
        'N' | 'B' | 'D' | 'T' => value.to_owned(),
        _ => cut(value),
    }
}

fn is_secret(column: &str) -> bool {
    let column = column.to_lowercase();
    SECRET.iter().any(|part| column.contains(part))
}

fn cut(value: &str) -> String {
    let characters = value.chars().count();
    if characters <= SHOWN {
        return value.to_owned();
    }
    let start: String = value.chars().take(SHOWN).collect();
    format!("{start}…({characters})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_of_a_value_is_shown() {
        for (column, category, value, shown) in [
            ("id", 'N', Some("42"), "42"),
            ("created", 'D', Some("2026-01-01"), "2026-01-01"),
            ("email", 'S', Some("ada@example.com"), "ada…(15)"),
            ("state", 'S', Some("new"), "new"),
            ("Password_Hash", 'S', Some("x"), "***"),
            ("pin", 'N', Some("1234"), "***"),
            ("body", 'U', Some("{\"a\": 1}"), "{\"a…(8)"),
            ("name", 'S', None, "NULL"),
        ] {
            assert_eq!(masked(column, category, value), shown, "{column}");
        }
    }
}
