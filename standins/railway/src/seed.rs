//! What the server starts with: fixed ids and a small company that takes bookings.

mod build;

pub(crate) use build::world;

/// The account token of a server that was not given one: a bearer token that reaches everything.
pub const ACCOUNT_TOKEN: &str = "5f0f4d1e-6b0c-4b39-8f67-a0c0de000001";
/// A token for one environment: `staging` of the booking project (`Project-Access-Token`).
pub const STAGING_PROJECT_TOKEN: &str = "5f0f4d1e-6b0c-4b39-8f67-a0c0de000002";
/// A bearer token for the workspace.
pub const WORKSPACE_TOKEN: &str = "5f0f4d1e-6b0c-4b39-8f67-a0c0de000003";
/// The user behind the account token.
pub const USER: &str = "0a1f6c52-1d3e-4b8a-9c57-5e0000000001";
/// The only workspace.
pub const WORKSPACE: &str = "1b7d9e04-52c6-4f1b-a8d3-5e0000000001";

/// Project `booking-app`.
pub const PROJECT: &str = "2c4e8a10-77b1-4d29-93f5-5e0000000001";
/// Its primary environment, named `production`.
pub const PRODUCTION: &str = "3a90c7de-0f24-4c68-b1a2-5e0000000001";
/// Its environment `staging`.
pub const STAGING: &str = "3a90c7de-0f24-4c68-b1a2-5e0000000002";
/// Its ephemeral environment of a pull request, forked from `staging`.
pub const PR_ENVIRONMENT: &str = "3a90c7de-0f24-4c68-b1a2-5e0000000003";
/// Service `api`.
pub const API_SERVICE: &str = "4d51b6f3-83aa-47e0-8c1d-5e0000000001";
/// Service `postgres`.
pub const POSTGRES_SERVICE: &str = "4d51b6f3-83aa-47e0-8c1d-5e0000000002";
/// Project-level volume `postgres-data`, with an instance in production and one in staging.
pub const POSTGRES_VOLUME: &str = "3d2c42fb-9a17-4be5-8f3c-5e0000000001";
/// Its instance in production: 4.2 GB used of 10.
pub const PRODUCTION_VOLUME_INSTANCE: &str = "6e08d2a9-4b7c-4f05-a9e6-5e0000000001";
/// Its instance in staging.
pub const STAGING_VOLUME_INSTANCE: &str = "6e08d2a9-4b7c-4f05-a9e6-5e0000000002";
/// Backups of the production instance, oldest first.
pub const PRODUCTION_BACKUPS: [&str; 4] = [
    "7f13a5c8-6d2e-4a90-b7f4-5e0000000001",
    "7f13a5c8-6d2e-4a90-b7f4-5e0000000002",
    "7f13a5c8-6d2e-4a90-b7f4-5e0000000003",
    "7f13a5c8-6d2e-4a90-b7f4-5e0000000004",
];
/// The one backup of the staging instance.
pub const STAGING_BACKUP: &str = "7f13a5c8-6d2e-4a90-b7f4-5e0000000005";
/// Bucket `uploads`, in production.
pub const BUCKET: &str = "8a64f0b7-95d1-4c3a-8e02-5e0000000001";
/// Custom domain `api.booking-app.example` of `api` in production.
pub const CUSTOM_DOMAIN: &str = "9b25e7d1-c840-4f76-a31b-5e0000000001";
/// Provider-given domain of `api` in staging.
pub const STAGING_SERVICE_DOMAIN: &str = "9b25e7d1-c840-4f76-a31b-5e0000000002";
/// The running deployment of `api` in production.
pub const PRODUCTION_DEPLOYMENT: &str = "a04c9f86-2be7-4d15-96c8-5e0000000001";
/// The running deployment of `api` in staging.
pub const STAGING_DEPLOYMENT: &str = "a04c9f86-2be7-4d15-96c8-5e0000000002";
/// A sandbox in staging.
pub const SANDBOX: &str = "b61d30e5-7f92-4a8c-85d7-5e0000000001";

/// Project `blog`, for operations on the wrong target.
pub const BLOG_PROJECT: &str = "2c4e8a10-77b1-4d29-93f5-5e0000000002";
/// Its environment, also named `production`.
pub const BLOG_PRODUCTION: &str = "3a90c7de-0f24-4c68-b1a2-5e0000000004";
/// Its service.
pub const BLOG_SERVICE: &str = "4d51b6f3-83aa-47e0-8c1d-5e0000000003";
/// Its volume `blog-data`.
pub const BLOG_VOLUME: &str = "3d2c42fb-9a17-4be5-8f3c-5e0000000002";
/// The volume's only instance.
pub const BLOG_VOLUME_INSTANCE: &str = "6e08d2a9-4b7c-4f05-a9e6-5e0000000003";

/// Secret values that reads of variables and bucket credentials return; none may reach an agent.
pub const SECRETS: [&str; 6] = [
    "production-pw-7hQ2vXk9",
    "staging-pw-Zt4mB1sd",
    "sk_live_standin_51KxProduction",
    "sk_test_standin_51KxStaging",
    "tsec_standin_production_uploads",
    "blog-pw-9cVw3LrA",
];
