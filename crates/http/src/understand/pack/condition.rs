//! Conditions on argument values: `input.kinds is empty`, `state in ["DELETED", "DELETING"]`.
//!
//! A condition asks whether *some* value at its path passes its test. `*` in a path stands for any
//! member of an object or list, `**` for any number of steps down, `.` for the value itself.

use serde::Deserialize;
use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    /// Members whose name is like this: `*_CMD|NODE_OPTIONS`.
    Like(String),
    Any,
    Deep,
}

/// A path into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Path(Vec<Step>);

/// A value found at a path, with the names that its wildcards stand for.
pub(crate) struct Found<'a> {
    pub(crate) value: &'a Value,
    pub(crate) wildcards: Vec<String>,
}

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "." {
            return Ok(Self(Vec::new()));
        }
        let step = |part: &str| match part {
            "" => Err(format!(
                "`{text}` is not a path; write names with single dots between"
            )),
            "*" => Ok(Step::Any),
            "**" => Ok(Step::Deep),
            like if like.contains(['*', '|']) => Ok(Step::Like(like.to_owned())),
            name => Ok(Step::Member(name.to_owned())),
        };
        text.split('.')
            .map(step)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Path {
    /// Every value at this path.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Vec<Found<'a>> {
        let mut out = Vec::new();
        descend(&self.0, root, &mut Vec::new(), &mut out);
        out
    }

    /// The only value at a path without wildcards.
    pub(crate) fn one<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.find(root).first().map(|found| found.value)
    }

    /// Whether a place in a value, given by its member names, lies on this path. A place that ends
    /// early (an empty or null value) lies on it as far as it goes.
    pub(crate) fn admits(&self, place: &[String], ends_early: bool) -> bool {
        admits(&self.0, place, ends_early)
    }

    /// The member names up to the first wildcard.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map_while(|step| match step {
            Step::Member(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

fn admits(steps: &[Step], place: &[String], ends_early: bool) -> bool {
    match (steps, place) {
        ([Step::Deep], _) => true,
        ([], []) => true,
        (_, []) => ends_early,
        ([Step::Member(name), rest @ ..], [head, tail @ ..]) => {
            name == head && admits(rest, tail, ends_early)
        }
        ([Step::Any, rest @ ..], [_, tail @ ..]) => admits(rest, tail, ends_early),
        ([Step::Like(like), rest @ ..], [head, tail @ ..]) => {
            is_like(head, like) && admits(rest, tail, ends_early)
        }
        ([Step::Deep, rest @ ..], [_, tail @ ..]) => {
            admits(rest, place, ends_early) || admits(steps, tail, ends_early)
        }
        ([], _) => false,
    }
}

fn descend<'a>(
    steps: &[Step],
    value: &'a Value,
    wildcards: &mut Vec<String>,
    out: &mut Vec<Found<'a>>,
) {
    match steps {
        [] => out.push(Found {
            value,
            wildcards: wildcards.clone(),
        }),
        [Step::Member(name), rest @ ..] => {
            if let Some(inner) = value.get(name) {
                descend(rest, inner, wildcards, out);
            }
        }
        [Step::Any, rest @ ..] => each_member(value, wildcards, |inner, wildcards| {
            descend(rest, inner, wildcards, out);
        }),
        [Step::Like(like), rest @ ..] => each_member(value, wildcards, |inner, wildcards| {
            if wildcards.last().is_some_and(|name| is_like(name, like)) {
                descend(rest, inner, wildcards, out);
            }
        }),
        [Step::Deep, rest @ ..] => {
            descend(rest, value, wildcards, out);
            each_member(value, &mut Vec::new(), |inner, _| {
                descend(steps, inner, wildcards, out)
            });
        }
    }
}

fn each_member<'a>(
    value: &'a Value,
    wildcards: &mut Vec<String>,
    mut visit: impl FnMut(&'a Value, &mut Vec<String>),
) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered
                .map(|(index, item)| (index.to_string(), item))
                .collect()
        }
        _ => Vec::new(),
    };
    for (name, inner) in members {
        wildcards.push(name);
        visit(inner, wildcards);
        wildcards.pop();
    }
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    Present,
    Absent,
    Given,
    Null,
    Empty,
    NotEmpty,
    Equals(Value),
    Differs(Value),
    OneOf(Vec<Value>),
    /// A list without this element.
    Lacks(Value),
    /// Text like this, `*` standing for anything and `|` for *or*; upper and lower case are one.
    Like(String),
}

/// A condition: a path and a test.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Condition {
    path: Path,
    test: Test,
}

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (path, rest) = text.split_once(' ').ok_or_else(|| not_a_condition(&text))?;
        Ok(Self {
            path: Path::try_from(path.to_owned())?,
            test: test(rest.trim()).ok_or_else(|| not_a_condition(&text))?,
        })
    }
}

fn not_a_condition(text: &str) -> String {
    format!(
        "`{text}` is not a condition; write `path is present|absent|given|null|empty|not empty`, \
         `path == value`, `path != value`, `path in [values]`, `path lacks value` or \
         `path like \"text with *\"`"
    )
}

fn test(text: &str) -> Option<Test> {
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    Some(match text {
        "is present" => Test::Present,
        "is absent" => Test::Absent,
        "is given" => Test::Given,
        "is null" => Test::Null,
        "is empty" => Test::Empty,
        "is not empty" => Test::NotEmpty,
        _ => match text.split_once(' ')? {
            ("==", value) => Test::Equals(json(value)?),
            ("!=", value) => Test::Differs(json(value)?),
            ("lacks", value) => Test::Lacks(json(value)?),
            ("like", value) => Test::Like(json(value)?.as_str()?.to_owned()),
            ("in", values) => Test::OneOf(json(values)?.as_array()?.clone()),
            _ => return None,
        },
    })
}

impl Condition {
    /// Whether some value at the path passes; for `is absent`, whether none is there but null.
    pub(crate) fn holds(&self, root: &Value) -> bool {
        let found = self.path.find(root);
        if self.test == Test::Absent {
            return found.iter().all(|found| found.value.is_null());
        }
        found.iter().any(|found| self.passes(found.value))
    }

    fn passes(&self, value: &Value) -> bool {
        match &self.test {
            Test::Present => !value.is_null(),
            Test::Absent => false,
            Test::Given => true,
            Test::Null => value.is_null(),
            Test::Empty => is_empty(value),
            Test::NotEmpty => !value.is_null() && !is_empty(value),
            Test::Equals(wanted) => same(value, wanted),
            Test::Differs(wanted) => !same(value, wanted),
            Test::OneOf(wanted) => wanted.iter().any(|wanted| same(value, wanted)),
            Test::Lacks(wanted) => value
                .as_array()
                .is_some_and(|items| !items.iter().any(|item| same(item, wanted))),
            Test::Like(like) => value.as_str().is_some_and(|text| is_like(text, like)),
        }
    }

    /// Where this condition looks.
    pub(crate) const fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether two values are one to a server: a number is, however it is written.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// Whether a text is like a pattern with `*` for anything, or like one of several with `|` between. Upper
/// and lower case are one.
fn is_like(text: &str, like: &str) -> bool {
    let (text, like) = (text.to_ascii_lowercase(), like.to_ascii_lowercase());
    like.split('|').any(|like| is_like_one(&text, like))
}

fn is_like_one(text: &str, like: &str) -> bool {
    let mut parts = like.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn condition(text: &str) -> Condition {
        Condition::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn conditions_hold_for_some_value_at_the_path() {
        let args = json!({
            "kinds": [], "state": "DELETED", "n": 0, "float": 0.0, "list": [0.0], "none": null,
            "patch": {"volumes": {"v1": {"isDeleted": true}, "v2": {"isDeleted": false}}},
        });
        for (text, holds) in [
            ("kinds is empty", true),
            ("kinds is present", true),
            ("kinds is not empty", false),
            ("missing is empty", false),
            ("missing is absent", true),
            ("none is absent", true),
            ("none is given", true),
            ("none is null", true),
            ("missing is null", false),
            ("state in [\"DELETED\", \"DELETING\"]", true),
            ("state != \"DELETED\"", false),
            ("n == 0", true),
            ("float == 0", true),
            ("float in [1, 0]", true),
            ("float != 0", false),
            ("list lacks 0", false),
            ("patch.volumes.*.isDeleted == true", true),
            ("patch.**.isDeleted == true", true),
            ("**.isDeleted == \"true\"", false),
            ("patch.volumes.v2.isDeleted == true", false),
            ("kinds lacks \"DAILY\"", true),
            ("state lacks \"DAILY\"", false),
            ("state like \"*let*\"", true),
            ("state like \"DEL*x\"", false),
            ("state like \"x|del*ed|y\"", true),
            ("state like \"x|DELETE|y\"", false),
            ("patch.x|volumes.*.isDeleted == true", true),
            ("patch.x|volume.*.isDeleted == true", false),
            ("patch.vol*.v1.isDeleted == true", true),
            ("patch.*x.v1.isDeleted == true", false),
        ] {
            assert_eq!(condition(text).holds(&args), holds, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "x",
            "x is",
            "x is there",
            "x == ",
            "x in 3",
            "a..b is null",
        ] {
            assert!(Condition::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn wildcards_are_remembered() {
        let value = json!({"a": {"x": {"p": 1}, "y": {"p": 2}}});
        let path = Path::try_from("a.*.p".to_owned()).unwrap();
        let names: Vec<_> = path
            .find(&value)
            .into_iter()
            .map(|found| found.wildcards)
            .collect();
        assert_eq!(names, [["x"], ["y"]]);
    }

    #[test]
    fn shapes_admit_what_they_list() {
        let path = |text: &str| Path::try_from(text.to_owned()).unwrap();
        let place = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        for (pattern, at, early, admitted) in [
            ("a.*.b", "a.x.b", false, true),
            ("a.*.b", "a.x.c", false, false),
            ("a.*.b", "a.x", false, false),
            ("a.*.b", "a.x", true, true),
            ("a.**", "a.x.y.z", false, true),
            ("a.b", "a.b.c", false, false),
        ] {
            assert_eq!(
                path(pattern).admits(&place(at), early),
                admitted,
                "{pattern} {at}"
            );
        }
    }
}
