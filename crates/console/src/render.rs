//! How values become markup. Text that came from outside has this one way onto a page.

use maud::{Markup, html};
use tagout_core::environment::Environment;
use tagout_core::resolved::Provenance;
use tagout_core::time::UnixMs;
use tagout_core::untrusted::Untrusted;

/// Text from outside, in one line: what can't be seen is written out and marked, markup is only text,
/// and its direction can't touch what stands beside it.
pub(crate) fn text(untrusted: &Untrusted) -> Markup {
    html! { bdi { (runs(&untrusted.to_string())) } }
}

/// A sentence of the gateway's own, which may quote an agent or an upstream.
pub(crate) fn line(sentence: &str) -> Markup {
    text(&Untrusted::from(sentence))
}

/// Text from outside, whole, line by line, with numbers so that none can hide. Characters that are not
/// ASCII are marked: some look like others.
pub(crate) fn block(untrusted: &Untrusted) -> Markup {
    let lines = untrusted.raw().split('\n');
    html! {
        ol.code {
            @for line in lines {
                li { code { (runs(&Untrusted::from(line).to_string())) } }
            }
        }
    }
}

/// Escaped text with its escapes marked. The backslash is itself escaped, so each one begins an escape.
fn runs(escaped: &str) -> Markup {
    let mut parts = escaped.split('\\');
    let first = parts.next().unwrap_or_default();
    html! {
        (visible(first))
        @for part in parts {
            @let (escape, rest) = part.split_once('}').unwrap_or((part, ""));
            span.escape { "\\" (escape) "}" }
            (visible(rest))
        }
    }
}

/// Plain text with the letters that are not ASCII marked.
fn visible(plain: &str) -> Markup {
    let ends = plain.split_inclusive(|c: char| !c.is_ascii());
    html! {
        @for piece in ends {
            @match piece.char_indices().next_back() {
                Some((at, last)) if !last.is_ascii() => {
                    (piece.get(..at).unwrap_or_default()) span.foreign { (last) }
                }
                _ => (piece),
            }
        }
    }
}

/// How we know something, in a word.
pub(crate) fn mark(provenance: Provenance) -> Markup {
    let word = provenance_word(provenance);
    html! { span class={ "mark " (word) } { (word) } }
}

const fn provenance_word(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Measured => "measured",
        Provenance::Resolved => "resolved",
        Provenance::Declared => "declared",
        Provenance::Claimed => "claimed",
    }
}

/// What the marks mean, for the foot of a card.
pub(crate) fn marks_legend() -> Markup {
    let meanings = [
        (Provenance::Measured, "counted by Tagout"),
        (Provenance::Resolved, "looked up in the live resource"),
        (Provenance::Declared, "said by a policy, a pack or a person"),
        (Provenance::Claimed, "said by the agent; not checked"),
    ];
    html! {
        p.legend {
            @for (provenance, meaning) in meanings { (mark(provenance)) " " (meaning) " " }
        }
    }
}

/// An environment by colour, word and shape.
pub(crate) fn environment(environment: Environment) -> Markup {
    let word = match environment {
        Environment::Unknown => "unknown, counts as production",
        known => known.word(),
    };
    html! {
        span class={ "environment " (environment.word()) } {
            svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true" {
                path d=(shape(environment)) fill="currentColor" {}
            }
            (word)
        }
    }
}

/// Octagon, triangle, square, circle.
const fn shape(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "M6 0h8l6 6v8l-6 6H6l-6-6V6z",
        Environment::Unknown => "M10 0l10 19H0z",
        Environment::Staging => "M2 2h16v16H2z",
        Environment::Development => "M10 1a9 9 0 1 1 0 18a9 9 0 1 1 0-18z",
    }
}

/// A moment: `2026-04-24 15:02:11 UTC`.
pub(crate) fn moment(at: UnixMs) -> Markup {
    let stamp = at.to_string();
    let plain = stamp.replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(stamp) { (plain) } }
}

/// A span of time in its largest whole unit: `72 h`, `59 min`, `12 s`.
pub(crate) fn span_ms(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// How many of something: `5 backups`; bytes in the unit that people know, with the exact number.
pub(crate) fn amount(count: u64, of: &str) -> Markup {
    html! {
        @match large_bytes(count).filter(|_| of == "bytes") {
            Some(short) => { strong { (short) } " (" (count) " bytes)" }
            None => { strong { (count) } " " (line(of)) }
        }
    }
}

/// `4.4 GB` for 4,481,000,000; nothing below a thousand. Cut, never rounded up.
pub(crate) fn large_bytes(count: u64) -> Option<String> {
    let units = [
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1000),
    ];
    let (unit, size) = units.into_iter().find(|(_, size)| count >= *size)?;
    let tenths = count / (size / 10) % 10;
    Some(format!("{}.{tenths} {unit}", count / size))
}

/// `1 hold`, `2 holds`.
pub(crate) fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup_or_hides() {
        for (given, shown) in [
            ("plain", "<bdi>plain</bdi>"),
            (
                "<script>alert(1)</script>",
                "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>",
            ),
            ("\" onload=\"x", "<bdi>&quot; onload=&quot;x</bdi>"),
            ("&lt;", "<bdi>&amp;lt;</bdi>"),
            (
                "a\u{202e}b",
                "<bdi>a<span class=\"escape\">\\u{202e}</span>b</bdi>",
            ),
            (
                "\u{200b}",
                "<bdi><span class=\"escape\">\\u{200b}</span></bdi>",
            ),
            (
                "\\u{41}",
                "<bdi><span class=\"escape\">\\u{5c}</span>u{41}</bdi>",
            ),
            ("a\nb", "<bdi>a<span class=\"escape\">\\u{a}</span>b</bdi>"),
            (
                "p\u{430}y",
                "<bdi>p<span class=\"foreign\">\u{430}</span>y</bdi>",
            ),
            ("", "<bdi></bdi>"),
        ] {
            assert_eq!(text(&given.into()).into_string(), shown, "{given:?}");
        }
    }

    /// The markup without the tags that this file writes.
    fn without_our_tags(markup: &str) -> String {
        let ours = [
            "<bdi>",
            "</bdi>",
            "<span class=\"escape\">",
            "<span class=\"foreign\">",
            "</span>",
            "<ol class=\"code\">",
            "</ol>",
            "<li>",
            "</li>",
            "<code>",
            "</code>",
        ];
        let mut rest = markup.to_owned();
        for tag in ours {
            rest = rest.replace(tag, "");
        }
        rest
    }

    proptest::proptest! {
        #[test]
        fn any_text_stays_text(given in "\\PC*|(?s).{0,40}|[<>&\"'\\\\{}u/ a-b]{0,40}") {
            let untrusted = Untrusted::from(given.as_str());
            for markup in [text(&untrusted), block(&untrusted)] {
                let rest = without_our_tags(&markup.into_string());
                proptest::prop_assert!(!rest.contains(['<', '>', '"']), "{rest}");
                proptest::prop_assert!(!rest.chars().any(char::is_control), "{rest:?}");
            }
            let lines = block(&untrusted).into_string().matches("<li>").count();
            proptest::prop_assert_eq!(lines, given.split('\n').count());
        }
    }

    #[test]
    fn blocks_keep_every_line() {
        assert_eq!(
            block(&"a\n\n<b>\r".into()).into_string(),
            "<ol class=\"code\"><li><code>a</code></li><li><code></code></li>\
             <li><code>&lt;b&gt;<span class=\"escape\">\\u{d}</span></code></li></ol>"
        );
    }

    #[test]
    fn amounts_of_bytes_are_said_in_known_units() {
        for (count, said) in [
            (999, None),
            (1000, Some("1.0 kB")),
            (4_481_000_000, Some("4.4 GB")),
            (1_999_999, Some("1.9 MB")),
            (u64::MAX, Some("18446744.0 TB")),
        ] {
            assert_eq!(large_bytes(count).as_deref(), said);
        }
        let bytes = amount(4_481_000_000, "bytes").into_string();
        assert_eq!(bytes, "<strong>4.4 GB</strong> (4481000000 bytes)");
        let rows = amount(4_481_000_000, "rows").into_string();
        assert_eq!(rows, "<strong>4481000000</strong> <bdi>rows</bdi>");
    }

    #[test]
    fn spans_are_said_in_whole_units() {
        for (ms, said) in [
            (999, "0 s"),
            (119_999, "119 s"),
            (120_000, "2 min"),
            (3_600_000, "60 min"),
            (259_200_000, "72 h"),
        ] {
            assert_eq!(span_ms(ms), said);
        }
    }
}
