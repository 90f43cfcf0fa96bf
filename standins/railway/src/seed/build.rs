//! Puts the seed together.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::*;
use crate::state::{
    ApiToken, Backup, Bucket, BucketCredentials, DeleteMode, Deployment, Domain, Environment,
    Project, ProjectToken, Sandbox, Service, ServiceInstance, Table, Variables, Volume,
    VolumeInstance, Workspace, World, display, schedule, timestamp,
};

/// The seed uses the seconds before this one.
const SEEDED_TICKS: u32 = 10;

/// The state at the beginning.
pub(crate) fn world(account_token: &str, delete_mode: DeleteMode) -> World {
    World {
        delete_mode,
        workspaces: table([workspace()], |w| &w.id),
        projects: table(projects(), |p| &p.id),
        environments: table(environments(), |e| &e.id),
        staged_patches: Table::new(),
        committed_patches: Vec::new(),
        services: table(services(), |s| &s.id),
        service_instances: table(service_instances(), |i| &i.id),
        volumes: table(volumes(), |v| &v.id),
        volume_instances: table(volume_instances(), |i| &i.id),
        backups: table(backups(), |b| &b.id),
        backup_schedules: table(schedules(), |s| &s.id),
        buckets: table([bucket()], |b| &b.id),
        custom_domains: table([custom_domain()], |d| &d.id),
        service_domains: table([service_domain()], |d| &d.id),
        tcp_proxies: Table::new(),
        deployments: table(deployments(), |d| &d.id),
        sandboxes: table([sandbox()], |s| &s.id),
        api_tokens: table(api_tokens(account_token), |t| &t.id),
        project_tokens: table([project_token()], |t| &t.id),
        shell_tokens: Vec::new(),
        workflows: Table::new(),
        ticks: SEEDED_TICKS,
        next_number: 0,
    }
}

fn table<T>(rows: impl IntoIterator<Item = T>, id: impl Fn(&T) -> &String) -> Table<T> {
    rows.into_iter()
        .map(|row| (id(&row).clone(), row))
        .collect()
}

fn numbered(prefix: &str, number: usize) -> String {
    format!("{prefix}-0000-4000-8000-5e{number:010}")
}

fn workspace() -> Workspace {
    Workspace {
        id: WORKSPACE.to_owned(),
        name: "Booking Ltd".to_owned(),
        created_at: timestamp(0),
        updated_at: timestamp(0),
    }
}

fn projects() -> [Project; 2] {
    let project = |id: &str, name: &str, base: &str| Project {
        id: id.to_owned(),
        name: name.to_owned(),
        description: None,
        workspace_id: WORKSPACE.to_owned(),
        base_environment_id: Some(base.to_owned()),
        is_public: false,
        pr_deploys: true,
        bot_pr_environments: false,
        focused_pr_environments: false,
        created_at: timestamp(0),
        updated_at: timestamp(0),
        deleted_at: None,
    };
    [
        project(PROJECT, "booking-app", PRODUCTION),
        project(BLOG_PROJECT, "blog", BLOG_PRODUCTION),
    ]
}

fn environments() -> [Environment; 4] {
    let environment = |id: &str, name: &str, project: &str, age: u32| Environment {
        id: id.to_owned(),
        name: name.to_owned(),
        project_id: project.to_owned(),
        is_ephemeral: id == PR_ENVIRONMENT,
        source_environment_id: (id == PR_ENVIRONMENT).then(|| STAGING.to_owned()),
        shared_variables: variables(&[("LOG_LEVEL", "info")]),
        created_at: timestamp(age),
        updated_at: timestamp(age),
    };
    [
        environment(PRODUCTION, "production", PROJECT, 0),
        environment(STAGING, "staging", PROJECT, 1),
        environment(PR_ENVIRONMENT, "booking-app-pr-41", PROJECT, 2),
        environment(BLOG_PRODUCTION, "production", BLOG_PROJECT, 0),
    ]
}

fn services() -> [Service; 3] {
    let service = |id: &str, name: &str, project: &str| Service {
        id: id.to_owned(),
        name: name.to_owned(),
        icon: None,
        project_id: project.to_owned(),
        created_at: timestamp(0),
        updated_at: timestamp(0),
    };
    [
        service(API_SERVICE, "api", PROJECT),
        service(POSTGRES_SERVICE, "postgres", PROJECT),
        service(BLOG_SERVICE, "ghost", BLOG_PROJECT),
    ]
}

fn service_instances() -> Vec<ServiceInstance> {
    let [production_pw, staging_pw, live_key, test_key, _, blog_pw] = SECRETS;
    let api = |password: &str, key: &str| {
        let url = format!("postgresql://postgres:{password}@postgres.railway.internal:5432/app");
        variables(&[
            ("DATABASE_URL", &url),
            ("STRIPE_SECRET_KEY", key),
            ("PORT", "8080"),
        ])
    };
    let database = |password: &str| variables(&[("POSTGRES_PASSWORD", password)]);
    let blog = format!("mysql://ghost:{blog_pw}@localhost:3306/blog");
    let repository = json!({ "repo": "booking-ltd/api", "image": null });
    let image = json!({ "repo": null, "image": "postgres:16" });
    let ghost = json!({ "repo": null, "image": "ghost:5" });
    [
        (
            API_SERVICE,
            PRODUCTION,
            api(production_pw, live_key),
            &repository,
        ),
        (
            POSTGRES_SERVICE,
            PRODUCTION,
            database(production_pw),
            &image,
        ),
        (API_SERVICE, STAGING, api(staging_pw, test_key), &repository),
        (POSTGRES_SERVICE, STAGING, database(staging_pw), &image),
        (
            API_SERVICE,
            PR_ENVIRONMENT,
            api(staging_pw, test_key),
            &repository,
        ),
        (
            BLOG_SERVICE,
            BLOG_PRODUCTION,
            variables(&[("DATABASE_URL", &blog)]),
            &ghost,
        ),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, (service, environment, variables, source))| {
        service_instance(
            numbered("5c000000", index + 1),
            service,
            environment,
            variables,
            source,
        )
    })
    .collect()
}

fn service_instance(
    id: String,
    service: &str,
    environment: &str,
    service_variables: Variables,
    source: &Value,
) -> ServiceInstance {
    ServiceInstance {
        id,
        service_id: service.to_owned(),
        environment_id: environment.to_owned(),
        service_variables,
        created_at: timestamp(0),
        updated_at: timestamp(0),
        settings: Map::from_iter([
            ("source".to_owned(), source.clone()),
            ("numReplicas".to_owned(), json!(1)),
            ("region".to_owned(), json!("europe-west4")),
        ]),
    }
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn volumes() -> [Volume; 2] {
    let volume = |id: &str, name: &str, project: &str| Volume {
        id: id.to_owned(),
        name: name.to_owned(),
        project_id: project.to_owned(),
        created_at: timestamp(0),
    };
    [
        volume(POSTGRES_VOLUME, "postgres-data", PROJECT),
        volume(BLOG_VOLUME, "blog-data", BLOG_PROJECT),
    ]
}

fn volume_instances() -> [VolumeInstance; 3] {
    let postgres = |id: &str, environment: &str, used: u32, contents: &str| VolumeInstance {
        id: id.to_owned(),
        volume_id: POSTGRES_VOLUME.to_owned(),
        environment_id: environment.to_owned(),
        service_id: Some(POSTGRES_SERVICE.to_owned()),
        mount_path: "/var/lib/postgresql/data".to_owned(),
        size_mb: 10_240,
        current_size_mb: used,
        state: "READY".to_owned(),
        region: Some("europe-west4".to_owned()),
        external_id: Some(format!("vol_{id}")),
        is_pending_deletion: false,
        created_at: timestamp(0),
        deleted_at: None,
        contents: contents.to_owned(),
    };
    [
        postgres(
            PRODUCTION_VOLUME_INSTANCE,
            PRODUCTION,
            4_301,
            "bookings of 24 April",
        ),
        postgres(STAGING_VOLUME_INSTANCE, STAGING, 180, "invented bookings"),
        VolumeInstance {
            volume_id: BLOG_VOLUME.to_owned(),
            service_id: Some(BLOG_SERVICE.to_owned()),
            mount_path: "/var/lib/ghost/content".to_owned(),
            ..postgres(BLOG_VOLUME_INSTANCE, BLOG_PRODUCTION, 310, "posts")
        },
    ]
}

fn backups() -> Vec<Backup> {
    let production = PRODUCTION_BACKUPS
        .iter()
        .zip(1_u32..)
        .map(|(id, day)| Backup {
            contents: format!("bookings of {} April", 19 + day),
            ..backup(id, PRODUCTION_VOLUME_INSTANCE, 4_200, day)
        });
    let staging = backup(STAGING_BACKUP, STAGING_VOLUME_INSTANCE, 180, 1);
    production.chain([staging]).collect()
}

fn backup(id: &str, instance: &str, used_mb: u32, day: u32) -> Backup {
    Backup {
        id: id.to_owned(),
        volume_instance_id: instance.to_owned(),
        name: None,
        creator_id: None,
        schedule_id: Some(numbered("5d000000", 1)),
        external_id: format!("vs_{id}"),
        used_mb,
        referenced_mb: used_mb,
        volume_instance_size_mb: 10_240,
        created_at: format!("2026-04-{}T04:00:00.000Z", 19 + day),
        expires_at: Some(format!("2026-04-{}T04:00:00.000Z", 25 + day)),
        contents: "invented bookings".to_owned(),
    }
}

fn schedules() -> Vec<crate::state::BackupSchedule> {
    let planned = [
        (PRODUCTION_VOLUME_INSTANCE, "DAILY"),
        (PRODUCTION_VOLUME_INSTANCE, "WEEKLY"),
        (STAGING_VOLUME_INSTANCE, "DAILY"),
    ];
    let numbered = planned.iter().enumerate().map(|(index, (instance, kind))| {
        schedule(
            numbered("5d000000", index + 1),
            instance,
            kind,
            timestamp(0),
        )
    });
    numbered.collect()
}

fn bucket() -> Bucket {
    let credentials = BucketCredentials {
        access_key_id: "tid_standin_production_uploads".to_owned(),
        secret_access_key: SECRETS[4].to_owned(),
        bucket_name: "uploads-5e01".to_owned(),
        endpoint: "https://storage.railway.example".to_owned(),
        region: "auto".to_owned(),
        url_style: "virtual".to_owned(),
        created_at: timestamp(0),
    };
    Bucket {
        id: BUCKET.to_owned(),
        name: "uploads".to_owned(),
        project_id: PROJECT.to_owned(),
        created_at: timestamp(0),
        updated_at: timestamp(0),
        credentials: BTreeMap::from([(PRODUCTION.to_owned(), credentials)]),
    }
}

fn custom_domain() -> Domain {
    Domain {
        id: CUSTOM_DOMAIN.to_owned(),
        domain: "api.booking-app.example".to_owned(),
        project_id: PROJECT.to_owned(),
        environment_id: PRODUCTION.to_owned(),
        service_id: API_SERVICE.to_owned(),
        target_port: Some(8080),
        created_at: timestamp(0),
        updated_at: timestamp(0),
    }
}

fn service_domain() -> Domain {
    Domain {
        id: STAGING_SERVICE_DOMAIN.to_owned(),
        domain: "api-staging.up.railway.example".to_owned(),
        environment_id: STAGING.to_owned(),
        ..custom_domain()
    }
}

fn deployments() -> [Deployment; 2] {
    let deployment = |id: &str, environment: &str| Deployment {
        id: id.to_owned(),
        project_id: PROJECT.to_owned(),
        environment_id: environment.to_owned(),
        service_id: API_SERVICE.to_owned(),
        status: "SUCCESS".to_owned(),
        deployment_stopped: false,
        restarts: 0,
        url: None,
        meta: json!({ "commitHash": "4be1f0c" }),
        created_at: timestamp(3),
        updated_at: timestamp(3),
        status_updated_at: Some(timestamp(3)),
    };
    [
        deployment(PRODUCTION_DEPLOYMENT, PRODUCTION),
        deployment(STAGING_DEPLOYMENT, STAGING),
    ]
}

fn sandbox() -> Sandbox {
    Sandbox {
        id: SANDBOX.to_owned(),
        environment_id: STAGING.to_owned(),
        status: "RUNNING".to_owned(),
        network_isolation: "ISOLATED".to_owned(),
        region: "europe-west4".to_owned(),
        created_at: timestamp(4),
        commands: Vec::new(),
    }
}

fn api_tokens(account_token: &str) -> [ApiToken; 2] {
    let token = |number, name: &str, workspace_id: Option<String>, secret: &str| ApiToken {
        id: numbered("5b000000", number),
        name: name.to_owned(),
        workspace_id,
        display_token: display(secret),
        token: secret.to_owned(),
    };
    [
        token(1, "domains-cli", None, account_token),
        token(2, "ci", Some(WORKSPACE.to_owned()), WORKSPACE_TOKEN),
    ]
}

fn project_token() -> ProjectToken {
    ProjectToken {
        id: numbered("5a000000", 1),
        name: "staging-deploy".to_owned(),
        project_id: PROJECT.to_owned(),
        environment_id: STAGING.to_owned(),
        display_token: display(STAGING_PROJECT_TOKEN),
        token: STAGING_PROJECT_TOKEN.to_owned(),
        created_at: timestamp(5),
    }
}
