//~ compiles
// What a protocol crate does do: take a clearance, look whether it admits the bytes, use the vault.
use tagout_core::ids::UpstreamName;
use tagout_core::operation::Exact;
use tagout_core::permit::Clearance;
use tagout_core::pipeline::{AuthorizedHeaders, Vault, VaultError};
use tagout_core::untrusted::Untrusted;

async fn send(
    vault: &dyn Vault,
    clearance: Clearance,
    exact: &Exact,
    upstream: &UpstreamName,
) -> Result<AuthorizedHeaders, VaultError> {
    if !clearance.admits(upstream, exact) {
        return Err(VaultError::OtherBytes);
    }
    vault.authorize(&clearance, exact, upstream, "localhost").await
}

fn shown(text: &Untrusted) -> String {
    text.to_string()
}

fn main() {
    let _ = (send, shown);
}
