//! How many backups would go with a volume: they live on it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ask::{LookUp, NotFound};

/// Instances that one request asks for.
const INSTANCES_PER_REQUEST: usize = 20;

/// One backup.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Backup {
    pub(crate) id: String,
    pub(crate) created_at: String,
}

/// The backups that were listed during one resolution, by instance: targets and variants speak of the
/// same instances, and the provider limits how often it may be asked.
#[derive(Debug, Default)]
pub(crate) struct Listed(Mutex<HashMap<String, Vec<Backup>>>);

impl Listed {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Backup>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The backups of these volume instances.
pub(crate) async fn backups_of(
    look_up: LookUp<'_>,
    instance_ids: &[&str],
) -> Result<Vec<Backup>, NotFound> {
    let missing: Vec<&str> = {
        let listed = look_up.listed.lock();
        instance_ids
            .iter()
            .copied()
            .filter(|id| !listed.contains_key(*id))
            .collect()
    };
    for chunk in missing.chunks(INSTANCES_PER_REQUEST) {
        let (query, variables) = request(chunk);
        let mut lists: BTreeMap<String, Vec<Backup>> = look_up.ask(&query, variables).await?;
        for (index, id) in chunk.iter().enumerate() {
            let list = lists.remove(&format!("b{index}"));
            let list =
                list.ok_or_else(|| NotFound::NotUnderstood("a list is missing".to_owned()))?;
            look_up.listed.lock().insert((*id).to_owned(), list);
        }
    }
    let listed = look_up.listed.lock();
    Ok(instance_ids
        .iter()
        .filter_map(|id| listed.get(*id))
        .flatten()
        .cloned()
        .collect())
}

/// One aliased list for each instance.
fn request(instance_ids: &[&str]) -> (String, Value) {
    let (mut parameters, mut fields, mut variables) = (String::new(), String::new(), Map::new());
    for (index, id) in instance_ids.iter().enumerate() {
        // Writing to a string can't fail.
        let _ = write!(parameters, "$i{index}: String! ");
        let _ = write!(
            fields,
            "b{index}: volumeInstanceBackupList(volumeInstanceId: $i{index}) {{ id createdAt }} "
        );
        variables.insert(format!("i{index}"), Value::from(*id));
    }
    (
        format!("query tagoutBackups({parameters}) {{ {fields} }}"),
        Value::Object(variables),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_for_several_instances() {
        let (query, variables) = request(&["x", "y"]);
        assert_eq!(
            query,
            "query tagoutBackups($i0: String! $i1: String! ) { b0: volumeInstanceBackupList(volumeInstanceId: $i0) { id createdAt } b1: volumeInstanceBackupList(volumeInstanceId: $i1) { id createdAt }  }"
        );
        assert_eq!(variables, serde_json::json!({"i0": "x", "i1": "y"}));
    }
}
