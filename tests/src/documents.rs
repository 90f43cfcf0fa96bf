//! GraphQL documents about what the stand-in for Railway starts with.

use standin_railway::seed;

/// The published incident: one volume, in every environment.
#[must_use]
pub fn volume_delete() -> String {
    volume_delete_of(seed::POSTGRES_VOLUME)
}

/// The same for another volume.
#[must_use]
pub fn volume_delete_of(volume: &str) -> String {
    format!("mutation {{ volumeDelete(volumeId: \"{volume}\") }}")
}

/// Sets a variable of the service `api`.
#[must_use]
pub fn variable_upsert(environment: &str, name: &str, value: &str) -> String {
    format!(
        "mutation {{ variableUpsert(input: {{projectId: \"{}\", environmentId: \"{environment}\", serviceId: \"{}\", name: \"{name}\", value: \"{value}\"}}) }}",
        seed::PROJECT,
        seed::API_SERVICE
    )
}
