//! What is known of the functions that come with the server. The list itself is understanding's; what is
//! asked of it here is narrow: a function of `pg_catalog`, found inside a view, a policy or a body.

/// What a function of `pg_catalog` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Computes, or looks.
    Observes,
    /// Changes something; a rollback takes it back, or it is as harmless as drawing from a sequence.
    Changes,
    /// Does what no rollback takes back; why, for a person.
    Persists(&'static str),
    /// Nobody vetted it.
    Unvetted,
}

/// Knows the functions of `pg_catalog` by name.
pub trait Vetting: Send + Sync {
    /// What the function of that name does.
    fn standing(&self, name: &str) -> Standing;
}
