//! The packs that come with the binary.

use std::collections::BTreeMap;

use super::PackText;

macro_rules! pack {
    ($name:literal: $($file:literal),+ $(,)?) => {
        PackText {
            name: $name.to_owned(),
            files: BTreeMap::from([$((
                $file.to_owned(),
                include_str!(concat!("../../../../../packs/", $name, "/", $file)).to_owned(),
            )),+]),
        }
    };
}

/// Their texts.
pub(crate) fn texts() -> Vec<PackText> {
    vec![
        pack!("railway": "pack.toml", "schema.graphql", "queries.toml", "mutations.toml",
              "subscriptions.toml", "routes.toml", "cases.toml"),
        pack!("rest-default": "pack.toml", "routes.toml", "cases.toml"),
    ]
}
