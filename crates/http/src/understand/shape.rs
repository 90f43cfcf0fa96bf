//! Values of free form: every path in them must be one that the pack knows.

use serde_json::Value;

use super::pack::Pack;
use super::pack::condition::Path;
use super::pack::rule::ShapeAt;

/// The first place in the value that its shape does not know, written with dots; `None` if all is known
/// or the value is not there.
pub(crate) fn stranger(pack: &Pack, shape: &ShapeAt, args: &Value) -> Option<String> {
    let known = pack.shapes.get(&shape.is)?;
    let value = shape.at.one(args).filter(|value| !value.is_null())?;
    if !value.is_object() {
        return Some("a value that is not an object".to_owned());
    }
    look(known, value, &mut Vec::new())
}

fn look(known: &[Path], value: &Value, place: &mut Vec<String>) -> Option<String> {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    if members.is_empty() {
        let ends_early = value.is_null() || value.is_object() || value.is_array();
        let is_known = known.iter().any(|path| path.admits(place, ends_early));
        return (!is_known).then(|| place.join("."));
    }
    for (name, inner) in members {
        place.push(name);
        let stranger = look(known, inner, place);
        place.pop();
        if stranger.is_some() {
            return stranger;
        }
    }
    None
}
