//! What a GraphQL string literal means (October 2021, sections 2.9.4 and its appendix).

/// The value of a string literal as it stands in the source, quotes included; `None` if the literal
/// is not one that every parser reads alike.
pub(crate) fn decode(literal: &str) -> Option<String> {
    match literal.strip_prefix("\"\"\"") {
        Some(rest) => block(rest.strip_suffix("\"\"\"")?),
        None => plain(literal.strip_prefix('"')?.strip_suffix('"')?),
    }
}

fn plain(inner: &str) -> Option<String> {
    let mut units = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => units.push(escape(&mut chars)?),
            '"' | '\n' | '\r' => return None,
            _ if is_forbidden(c) => return None,
            _ => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        }
    }
    String::from_utf16(&units).ok()
}

fn escape(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let c = match chars.next()? {
        'u' => return four_digits(chars),
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        same @ ('"' | '\\' | '/') => same,
        _ => return None,
    };
    u16::try_from(u32::from(c)).ok()
}

fn four_digits(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit * 16 + u16::try_from(chars.next()?.to_digit(16)?).ok()?;
    }
    Some(unit)
}

/// Source characters are U+0009, U+000A, U+000D and U+0020 upwards.
fn is_forbidden(c: char) -> bool {
    c < ' ' && !matches!(c, '\t' | '\n' | '\r')
}

fn block(inner: &str) -> Option<String> {
    if inner.chars().any(is_forbidden) {
        return None;
    }
    let raw = inner.replace("\\\"\"\"", "\"\"\"");
    let unified = raw.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = unified.split('\n').collect();
    let indent = lines
        .iter()
        .skip(1)
        .filter_map(|line| indent_of(line))
        .min();
    let cut: Vec<&str> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| match indent {
            Some(indent) if index > 0 => line.get(indent..).unwrap_or_default(),
            _ => line,
        })
        .collect();
    let first = cut.iter().position(|line| indent_of(line).is_some());
    let last = cut.iter().rposition(|line| indent_of(line).is_some());
    match (first, last) {
        (Some(first), Some(last)) => Some(cut.get(first..=last)?.join("\n")),
        _ => Some(String::new()),
    }
}

/// Blanks before the first character of a line, or `None` if there is none.
fn indent_of(line: &str) -> Option<usize> {
    line.find(|c| c != ' ' && c != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_mean_what_the_specification_says() {
        for (literal, value) in [
            (r#""""#, Some("")),
            (r#""a\u0062\n\/""#, Some("ab\n/")),
            (r#""\ud83d\ude00""#, Some("😀")),
            (r#""\ud83d""#, None),
            (r#""\u{62}""#, None),
            (r#""\x41""#, None),
            ("\"a\nb\"", None),
            ("\"\"\"\n    a\n      b\n  \n\"\"\"", Some("a\n  b")),
            ("\"\"\"a\\\"\"\"b\"\"\"", Some("a\"\"\"b")),
            ("\"\"\"\\u0062\"\"\"", Some("\\u0062")),
            ("\"\"\"  a\n  b\"\"\"", Some("  a\nb")),
            ("\"\"\"\r\n\ta\r\tb\"\"\"", Some("a\nb")),
            ("\"\"\"   \"\"\"", Some("")),
        ] {
            assert_eq!(decode(literal).as_deref(), value, "{literal}");
        }
    }
}
