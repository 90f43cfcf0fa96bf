//! Routes of a pack: method and path template.

use crate::understand::encoding;
use crate::understand::pack::format::{Methods, RouteFile};
use crate::understand::pack::rule::Rule;

/// One route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    methods: Methods,
    segments: Vec<Segment>,
    pub(crate) upload: bool,
    /// Secret members of the answer, as names from its top.
    pub(crate) secrets: Vec<Vec<String>>,
    pub(crate) rule: Rule,
    /// The template as the pack writes it.
    pub(crate) path: String,
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(String),
    Parameter(String),
    Any,
    Rest,
}

impl Route {
    /// Checks a route as it is written.
    pub(crate) fn new(file: RouteFile) -> Result<Self, String> {
        let path = file
            .path
            .strip_prefix('/')
            .ok_or_else(|| format!("path `{}` must begin with `/`", file.path))?;
        let segments: Vec<Segment> = path.split('/').map(segment).collect::<Result<_, _>>()?;
        let rests = segments
            .iter()
            .filter(|segment| matches!(segment, Segment::Rest))
            .count();
        if rests > 1 {
            return Err(format!("path `{}` may hold `**` once", file.path));
        }
        Ok(Self {
            methods: file.method,
            segments,
            upload: file.upload,
            secrets: file
                .secrets
                .iter()
                .map(|path| path.split('.').map(str::to_owned).collect())
                .collect(),
            rule: file.rule,
            path: file.path,
        })
    }

    /// Whether this route is for that method at all.
    pub(crate) fn has_method(&self, method: &str) -> bool {
        self.methods.contains(method) || (method == "HEAD" && self.methods.contains("GET"))
    }

    /// The path's parameters, if the route matches.
    pub(crate) fn matches(&self, method: &str, path: &[String]) -> Option<Vec<(String, String)>> {
        if !self.has_method(method) {
            return None;
        }
        matched(&self.segments, path)
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    let inner = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    match (text, inner) {
        ("*", _) => Ok(Segment::Any),
        ("**", _) => Ok(Segment::Rest),
        (_, Some(name)) if !name.is_empty() => Ok(Segment::Parameter(name.to_owned())),
        _ if text.contains(['{', '}', '*']) => Err(format!(
            "`{text}` is not a segment; write a name, `{{parameter}}`, `*` or `**`"
        )),
        _ => Ok(Segment::Literal(text.to_owned())),
    }
}

fn matched(segments: &[Segment], path: &[String]) -> Option<Vec<(String, String)>> {
    match (segments, path) {
        ([], []) => Some(Vec::new()),
        ([Segment::Rest, rest @ ..], _) => {
            (0..=path.len()).find_map(|skip| matched(rest, path.get(skip..)?))
        }
        ([Segment::Any, rest @ ..], [_, tail @ ..]) => matched(rest, tail),
        ([Segment::Literal(name), rest @ ..], [head, tail @ ..]) if name == head => {
            matched(rest, tail)
        }
        ([Segment::Parameter(name), rest @ ..], [head, tail @ ..]) if !head.is_empty() => {
            let mut parameters = matched(rest, tail)?;
            parameters.insert(0, (name.clone(), head.clone()));
            Some(parameters)
        }
        _ => None,
    }
}

/// A path's segments, decoded; a slash at the end makes no difference.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/')
        .map(|segment| encoding::decoded(segment, false))
        .collect()
}

/// What servers would read differently in a path, if anything.
pub(crate) fn doubtful(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    let tricks = [
        ("%2f", "an encoded slash"),
        ("%5c", "an encoded backslash"),
        ("\\", "a backslash"),
        ("%25", "a doubly encoded character"),
        ("%2e", "an encoded dot"),
        ("%00", "an encoded NUL"),
        ("%3f", "an encoded question mark"),
        ("%23", "an encoded hash"),
        ("//", "an empty segment"),
        (";", "a path parameter"),
    ];
    let trick = tricks.iter().find(|(text, _)| lower.contains(text));
    trick.map(|(_, name)| *name).or_else(|| {
        let bad = segments(path).is_none();
        bad.then_some("broken percent encoding")
    })
}

/// The paths that servers could make of a doubtful one: its segments decoded one by one, and the whole
/// decoded once and twice, empty segments and path parameters dropped.
pub(crate) fn readings(path: &str) -> Vec<Vec<String>> {
    let once = lenient(path);
    let twice = lenient(&once);
    let whole = [once, twice].map(|path| plain_segments(&path));
    segments(path).into_iter().chain(whole).collect()
}

/// Percent decoding that leaves broken escapes as they are.
fn lenient(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let decoded = after
            .get(..2)
            .and_then(|digits| encoding::decoded(&format!("%{digits}"), false));
        match decoded {
            Some(decoded) => {
                out.push_str(&decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out + rest
}

fn plain_segments(path: &str) -> Vec<String> {
    let unified = path.replace('\\', "/");
    let whole = unified.split('?').next().unwrap_or_default();
    let named = whole
        .split('/')
        .filter_map(|segment| segment.split(';').next());
    let kept = named.filter(|segment| !segment.is_empty() && *segment != ".");
    kept.fold(Vec::new(), |mut path, segment| {
        if segment == ".." {
            path.pop();
        } else {
            path.push(segment.to_owned());
        }
        path
    })
}

/// Whether a path walks up or stays in place by dots.
pub(crate) fn has_dots(path: &str) -> bool {
    path.split('/')
        .any(|segment| segment == "." || segment == "..")
}
