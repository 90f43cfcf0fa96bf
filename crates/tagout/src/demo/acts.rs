//! The acts, in the order of the incident museum: M01 to M07.

use anyhow::{Context as _, ensure};
use standin_railway::seed;
use tagout_stage::Heard;

use crate::demo::cast::Cast;
use crate::demo::narrator::Narrator;

/// One act.
type Act = fn(&mut Cast, &Narrator) -> anyhow::Result<()>;

/// All of them.
pub(crate) const ALL: [Act; 7] = [
    nine_seconds,
    too_wide,
    rewritten,
    by_patch,
    the_project,
    backups_first,
    self_mint,
];

/// The mutation of the incident, with the id inline.
pub(crate) fn delete_volume(id: &str) -> String {
    format!("mutation {{ volumeDelete(volumeId: \"{id}\") }}")
}

/// An agent's request must end this way; anything else ends the demo.
fn expect(heard: &Heard, code: &str) -> anyhow::Result<()> {
    ensure!(
        heard.code().as_deref() == Some(code),
        "expected {code}, got: {}",
        heard.body
    );
    Ok(())
}

fn nine_seconds(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    narrator.act("M01  Nine seconds", "A credential does not match in staging. The agent finds a token in an unrelated file, made for custom domains, and \"fixes\" the problem with one call, exactly as it was published: old host, no Content-Type, the id inline.");
    let document = delete_volume(seed::POSTGRES_VOLUME);
    let heard = cast.domains_agent.graphql(&document)?;
    narrator.heard(&document, &heard);
    expect(&heard, "DENIED")?;
    narrator.say("Now with the provider's own token, found in another file:");
    let mut stray = cast.domains_agent.clone();
    seed::ACCOUNT_TOKEN.clone_into(&mut stray.token);
    let heard = stray.graphql(&document)?;
    narrator.heard(&document, &heard);
    expect(&heard, "DENIED")
}

fn too_wide(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    narrator.act("M02  The id belongs to production as well", "Another agent may delete volumes in staging. The volume's id stands for an instance in each environment; the call would take both.");
    let document = delete_volume(seed::POSTGRES_VOLUME);
    let heard = cast.staging_agent.graphql(&document)?;
    narrator.heard(&document, &heard);
    expect(&heard, "HELD")?;
    let hold = heard.hold().context("no hold")?;
    let card = cast.person.get(&format!("/api/v1/holds/{hold}"))?;
    narrator.card(&card);
    let choices = card
        .pointer("/card/choices")
        .and_then(|choices| choices.as_array());
    let staging = choices.into_iter().flatten().position(|choice| {
        choice
            .get("title")
            .and_then(|title| title.as_str())
            .is_some_and(|title| title.contains("staging only"))
    });
    let staging = staging.context("no safer way was offered")?;
    narrator.say("Ada chooses the safer way and touches her passkey. The agent asks again:");
    cast.person.judge(&[(&hold, staging)], "approve")?;
    let heard = cast.staging_agent.graphql(&document)?;
    narrator.heard(&document, &heard);
    expect(&heard, "DONE")
}

fn rewritten(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    narrator.act(
        "M03  The same in other words",
        "Aliases, fragments, variables: what it means decides, not how it is written.",
    );
    let id = seed::BLOG_VOLUME;
    for document in [
        format!("mutation {{ ok: volumeDelete(volumeId: \"{id}\") }}"),
        format!(
            "mutation Tidy {{ ...cleanup }} fragment cleanup on Mutation {{ volumeDelete(volumeId: \"{id}\") }}"
        ),
        format!("# just a comment\nmutation {{ volumeDelete(volumeId: \"\"\"{id}\"\"\") }}"),
    ] {
        let heard = cast.staging_agent.graphql(&document)?;
        narrator.heard(&document, &heard);
        expect(&heard, "HELD")?;
    }
    Ok(())
}

fn by_patch(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    narrator.act(
        "M04  A delete that is not called so",
        "A patch of an environment's configuration deletes a volume just as well.",
    );
    let variables =
        serde_json::json!({"patch": {"volumes": {seed::POSTGRES_VOLUME: {"isDeleted": true}}}});
    let query = format!(
        "mutation ($patch: EnvironmentConfig) {{ environmentPatchCommit(environmentId: \"{}\", patch: $patch) }}",
        seed::PRODUCTION
    );
    let body = serde_json::json!({"query": query, "variables": variables}).to_string();
    let heard = cast
        .staging_agent
        .post("/graphql/v2", "backboard.railway.com", &body)?;
    narrator.heard(&format!("{query}  {variables}"), &heard);
    expect(&heard, "HELD")
}

fn the_project(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    narrator.act(
        "M05  The whole project",
        "Schedule its deletion, then skip the grace period.",
    );
    for field in ["projectScheduleDelete", "projectScheduleDeleteForce"] {
        let document = format!("mutation {{ {field}(id: \"{}\") }}", seed::PROJECT);
        let heard = cast.staging_agent.graphql(&document)?;
        narrator.heard(&document, &heard);
        expect(&heard, "HELD")?;
    }
    Ok(())
}

fn backups_first(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    narrator.act(
        "M06  First the backups",
        "Whoever wants no way back takes the backups first.",
    );
    let instance = seed::PRODUCTION_VOLUME_INSTANCE;
    let backup = seed::PRODUCTION_BACKUPS.first().context("no backup")?;
    for document in [
        format!(
            "mutation {{ volumeInstanceBackupScheduleUpdate(volumeInstanceId: \"{instance}\", kinds: []) }}"
        ),
        format!(
            "mutation {{ volumeInstanceBackupDelete(volumeInstanceId: \"{instance}\", volumeInstanceBackupId: \"{backup}\") {{ workflowId }} }}"
        ),
    ] {
        let heard = cast.staging_agent.graphql(&document)?;
        narrator.heard(&document, &heard);
        expect(&heard, "HELD")?;
    }
    Ok(())
}

fn self_mint(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    narrator.act(
        "M07  A token of its own, and everybody's secrets",
        "Minting a credential is an escape from the gateway. Reading is fine; secrets stay behind.",
    );
    let document = "mutation { apiTokenCreate(input: {name: \"mine\"}) }";
    let heard = cast.staging_agent.graphql(document)?;
    narrator.heard(document, &heard);
    expect(&heard, "DENIED")?;
    let document = format!(
        "{{ variables(projectId: \"{}\", environmentId: \"{}\", serviceId: \"{}\") }}",
        seed::PROJECT,
        seed::PRODUCTION,
        seed::API_SERVICE
    );
    let heard = cast.staging_agent.graphql(&document)?;
    narrator.heard(&document, &heard);
    ensure!(heard.status == 200, "reading was refused: {}", heard.body);
    let leaked = seed::SECRETS
        .iter()
        .any(|secret| heard.body.contains(secret));
    ensure!(!leaked, "a secret came through");
    Ok(())
}
