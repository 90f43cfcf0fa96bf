//! The command line: `tagout <noun> <verb>`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Stands between AI agents and what they can break.
#[derive(Debug, Parser)]
#[command(name = "tagout", version, arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  tagout init --console-url http://localhost:8443\n  tagout serve\n  tagout connection add --agent cursor --workspace booking-app\n  tagout hold list"
)]
pub(crate) struct Cli {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        env = "TAGOUT_CONFIG",
        default_value = "tagout.toml"
    )]
    pub(crate) config: PathBuf,
    /// What to log on standard error: `warn`, `info`, `tagout_http=debug`.
    #[arg(long, global = true, env = "TAGOUT_LOG")]
    pub(crate) log: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a configuration file, a data folder and the installation's key.
    Init(InitArgs),
    /// Run the gateway and the console.
    Serve,
    /// Watch the nine-second incident and its relatives attack a real gateway.
    Demo(DemoArgs),
    /// Look whether everything is as it should be.
    Doctor {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// What stands behind the gateway.
    #[command(subcommand)]
    Upstream(UpstreamCommand),
    /// Agents and their tokens.
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Rights for one task.
    #[command(subcommand)]
    Grant(GrantCommand),
    /// What waits for a person. Deciding happens in the console, with a passkey.
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Propose what an environment's id means: production, staging, development.
    Label(LabelArgs),
    /// Stop everything, now.
    Freeze {
        /// Why, for the record.
        #[arg(default_value = "from the command line")]
        reason: String,
    },
    /// Propose the end of a freeze; a person accepts it in the console.
    Thaw,
    /// The record.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// The rules.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Say what a request would do, without sending it.
    #[command(subcommand)]
    Explain(ExplainCommand),
    /// Telling people that something waits.
    #[command(subcommand)]
    Notice(NoticeCommand),
    /// Print the configuration for an agent.
    Connect(ConnectArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// One JSON object a line, and no waiting.
    #[arg(long)]
    pub(crate) json: bool,
    /// No pauses; end when the story ends.
    #[arg(long)]
    pub(crate) fast: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The console's public origin. Passkeys are bound to it, so it can't change later.
    #[arg(long, default_value = "http://localhost:8443")]
    pub(crate) console_url: String,
    /// Where the console listens.
    #[arg(long, default_value = "127.0.0.1:8443")]
    pub(crate) console_listen: std::net::SocketAddr,
    /// Where agents connect.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) agents_listen: std::net::SocketAddr,
    /// Where state and ledger lie; relative to the configuration file.
    #[arg(long, default_value = "tagout-data")]
    pub(crate) data: PathBuf,
    /// Where the installation's key is put. Never inside the data folder.
    #[arg(long)]
    pub(crate) key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UpstreamCommand {
    /// Propose an upstream; a person accepts it in the console.
    Add(UpstreamArgs),
    /// Those in force.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// The environments of an upstream, by id, with the labels they have.
    Places {
        /// The upstream's name.
        name: String,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UpstreamArgs {
    /// Its name: lower-case letters, digits and `-`.
    #[arg(long)]
    pub(crate) name: String,
    /// Its address, like `https://backboard.railway.com`.
    #[arg(long)]
    pub(crate) url: String,
    /// Another host that means the same upstream. May be repeated.
    #[arg(long = "alias")]
    pub(crate) aliases: Vec<String>,
    /// What Tagout knows of it: the name of a pack.
    #[arg(long, default_value = "rest-default")]
    pub(crate) pack: String,
    /// Where its credential comes from: `env:NAME`, `file:PATH`, `systemd:NAME` or `none`.
    #[arg(long, default_value = "none")]
    pub(crate) credential: String,
    /// The header that carries the credential, and the text before it.
    #[arg(long, default_value = "authorization: Bearer")]
    pub(crate) header: String,
    /// A file with the certificate authority to trust for it.
    #[arg(long)]
    pub(crate) ca_file: Option<String>,
    /// What Tagout itself lives on there, as `kind:id`; agents may only read it. May be
    /// repeated.
    #[arg(long = "ourselves")]
    pub(crate) ourselves: Vec<String>,
    /// How strictly it is guarded: `observe`, `guard` or `strict`.
    #[arg(long, default_value = "guard")]
    pub(crate) mode: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// Propose a connection for an agent; a person accepts it in the console.
    Add {
        /// Which agent: `cursor`, `claude-code`.
        #[arg(long)]
        agent: String,
        /// Where it works.
        #[arg(long, default_value = "")]
        workspace: String,
        /// Rights other than the standing ones: a JSON file with a list of clauses.
        #[arg(long)]
        rights: Option<PathBuf>,
    },
    /// Those in force.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make a connection with fewer rights below another, for a helper of the agent. Takes nobody's
    /// consent: it can only narrow, and ends with its parent.
    Narrow {
        /// The parent's id.
        parent: String,
        /// Which agent.
        #[arg(long)]
        agent: String,
        /// Its rights: a JSON file with a list of clauses, each inside one of the parent's.
        #[arg(long)]
        rights: PathBuf,
        /// How many of an effect: `destroy=20`. May be repeated.
        #[arg(long = "budget")]
        budgets: Vec<String>,
    },
    /// Print the token of a connection in force.
    Token {
        /// The connection's id.
        id: String,
    },
    /// End a connection and everything narrowed from it, now.
    Revoke {
        /// The connection's id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum GrantCommand {
    /// Propose rights for one task; a person accepts them in the console.
    Open {
        /// The connection's id.
        #[arg(long)]
        connection: String,
        /// The grant it is below.
        #[arg(long)]
        parent: Option<String>,
        /// The task, in a few words.
        #[arg(long)]
        task: String,
        /// The upstream; all if left out. May be repeated.
        #[arg(long = "upstream")]
        upstreams: Vec<String>,
        /// The effects: `write`, `destroy` … May be repeated.
        #[arg(long = "effect", required = true)]
        effects: Vec<String>,
        /// The resources, as `kind:id` or `kind:*`. May be repeated.
        #[arg(long = "resource", default_value = "*:*")]
        resources: Vec<String>,
        /// The environments: `development`, `staging`, `production`. May be repeated.
        #[arg(long = "environment", required = true)]
        environments: Vec<String>,
        /// How many of an effect: `destroy=20`. May be repeated.
        #[arg(long = "budget")]
        budgets: Vec<String>,
        /// For how many hours.
        #[arg(long, default_value_t = 8)]
        hours: u64,
    },
    /// Those that are not revoked.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// End a grant and everything narrowed from it, now.
    Revoke {
        /// The grant's id.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// What waits, and what was decided last.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// One hold.
    Show {
        /// Its id.
        id: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    /// The upstream.
    #[arg(long)]
    pub(crate) upstream: String,
    /// The environment's id at the provider.
    #[arg(long)]
    pub(crate) place: String,
    /// What the provider calls it, for the person to recognise.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// `production`, `staging` or `development`.
    pub(crate) environment: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// The last entries.
    Tail {
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        count: u64,
        /// Whole entries, one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Check the whole log against its signed checkpoint.
    Verify {
        /// The key to check with; else this installation's.
        #[arg(long)]
        key: Option<String>,
        /// An older checkpoint, kept elsewhere, that the log must extend.
        #[arg(long)]
        extends: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// The proof that an entry is in the log, as a file for an auditor.
    Prove {
        /// The entry's index.
        index: u64,
    },
    /// Every entry, one JSON object a line.
    Export {
        /// With the text beside the log, where it has not expired: what was asked and signed.
        #[arg(long)]
        bodies: bool,
    },
    /// The public key that outsiders check this log with.
    Key,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check policy files without loading them anywhere.
    Check {
        /// Cedar files, beside the default pack.
        files: Vec<PathBuf>,
    },
    /// Run must-hold and must-allow cases.
    Test {
        /// Cedar files, beside the default pack.
        #[arg(long = "policy")]
        policies: Vec<PathBuf>,
        /// Case files; the default pack's own if left out.
        cases: Vec<PathBuf>,
    },
    /// Propose policies beside the default pack; a person accepts them in the console.
    Propose {
        /// Cedar files. They replace those accepted before.
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExplainCommand {
    /// Raw HTTP/1.1 requests from standard input.
    Http {
        /// One JSON object a line in, one a line out.
        #[arg(long)]
        batch: bool,
    },
    /// SQL for PostgreSQL from standard input. What only a catalog could tell counts as `opaque`.
    Sql {
        /// One JSON object a line in, one a line out.
        #[arg(long)]
        batch: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum NoticeCommand {
    /// Print the key that webhooks are signed with, for whoever receives them.
    Key,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The connection's id.
    pub(crate) connection: String,
}
