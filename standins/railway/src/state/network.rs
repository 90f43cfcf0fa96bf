//! Domains, proxies and bucket credentials.

use serde_json::{Value, json};

use super::model::{Domain, Table, TcpProxy};
use super::world::{self, World};
use crate::args::Args;
use crate::error::Refusal;

pub(super) fn custom_domain_create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let name = input.text("domain")?.to_owned();
    if world.custom_domains.values().any(|d| d.domain == name) {
        return Err(Refusal::invalid("Domain is already in use"));
    }
    let domain = new_domain(world, input, name)?;
    world
        .custom_domains
        .insert(domain.id.clone(), domain.clone());
    Ok(world::json(&domain))
}

pub(super) fn service_domain_create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let service = &world.service(input.text("serviceId")?)?.name;
    let name = format!("{service}-{}.up.railway.app", world.next_number + 1);
    let domain = new_domain(world, input, name)?;
    world
        .service_domains
        .insert(domain.id.clone(), domain.clone());
    Ok(world::json(&domain))
}

fn new_domain(world: &mut World, input: Args<'_>, domain: String) -> Result<Domain, Refusal> {
    let (service_id, environment_id) = (input.text("serviceId")?, input.text("environmentId")?);
    world.service_instance(service_id, environment_id)?;
    let now = world.now();
    Ok(Domain {
        id: world.new_id(),
        domain,
        project_id: world.service(service_id)?.project_id.clone(),
        environment_id: environment_id.to_owned(),
        service_id: service_id.to_owned(),
        target_port: input.int("targetPort"),
        created_at: now.clone(),
        updated_at: now,
    })
}

pub(super) fn custom_domain_delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    remove(&mut world.custom_domains, "Custom domain", args)
}

pub(super) fn service_domain_delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    remove(&mut world.service_domains, "Service domain", args)
}

/// Opens a service to the internet.
pub(super) fn tcp_proxy_create(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    let input = args.object("input")?;
    let (service_id, environment_id) = (input.text("serviceId")?, input.text("environmentId")?);
    world.service_instance(service_id, environment_id)?;
    let id = world.new_id();
    let now = world.now();
    let proxy = TcpProxy {
        id: id.clone(),
        domain: "proxy.rlwy.example".to_owned(),
        environment_id: environment_id.to_owned(),
        service_id: service_id.to_owned(),
        application_port: input.int("applicationPort").unwrap_or_default(),
        proxy_port: 30_000 + i64::from(world.next_number),
        created_at: now.clone(),
        updated_at: now,
    };
    world.tcp_proxies.insert(id, proxy.clone());
    Ok(world::json(&proxy))
}

pub(super) fn tcp_proxy_delete(world: &mut World, args: Args<'_>) -> Result<Value, Refusal> {
    remove(&mut world.tcp_proxies, "TCP proxy", args)
}

fn remove<T>(table: &mut Table<T>, kind: &'static str, args: Args<'_>) -> Result<Value, Refusal> {
    let id = args.text("id")?;
    table.remove(id).ok_or_else(|| world::not_found(kind, id))?;
    Ok(json!(true))
}

/// The old key stops working, the answer holds the new one.
pub(super) fn bucket_credentials_reset(
    world: &mut World,
    args: Args<'_>,
) -> Result<Value, Refusal> {
    let bucket_id = args.text("bucketId")?;
    let key = world.new_secret("tid_");
    let secret = world.new_secret("tsec_");
    let now = world.now();
    let found = world
        .bucket_mut(bucket_id)?
        .credentials
        .get_mut(args.text("environmentId")?);
    let credentials = found.ok_or_else(|| world::not_found("Bucket", bucket_id))?;
    credentials.access_key_id = key;
    credentials.secret_access_key = secret;
    credentials.created_at = now;
    Ok(world::json(credentials))
}
