//! What the catalog's closure asks of the list of vetted functions.

use tagout_core::effect::Effect;

use crate::catalog::vetting::{Standing, Vetting};
use crate::understand::functions::escapes;
use crate::understand::statement::Name;
use crate::understand::{Vetted, vetted};

/// What this crate's own list says.
pub(crate) struct Listed;

impl Vetting for Listed {
    fn standing(&self, name: &str) -> Standing {
        let name = Name::within("pg_catalog", name);
        match vetted(&name) {
            Vetted::Dangerous(_, why) if escapes(&name) => Standing::Persists(why),
            Vetted::Safe => Standing::Observes,
            Vetted::Dangerous(Effect::Write, _) => Standing::Changes,
            Vetted::Dangerous(_, why) => Standing::Persists(why),
            Vetted::Unknown => Standing::Unvetted,
        }
    }
}
