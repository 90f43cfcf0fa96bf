//! Where agents come in: one listener for all databases. The database that an agent names is the name of an
//! upstream, or an alias of one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use tagout_core::pipeline::{Caller, Peer, Vault};
use tagout_core::proposal::Upstream;
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::session::Sessions;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::adapter::{Committed, SessionAdapter};
use crate::catalog::Catalog;
use crate::catalog::database::Database;
use crate::catalog::memory::Memory;
use crate::endpoint::{Endpoint, Transport, strip_scheme};
use crate::error::PostgresError;
use crate::refused;
use crate::session::ground::OnLink;
use crate::session::link::{End, Link};
use crate::session::settle::Settler;
use crate::session::vetted::Listed;
use crate::session::{Parts, PendingHolds, Session};
use crate::sign_in::{
    Accepted, AgentTls, Arrival, Backend, CancelTarget, Cancels, Door, DoorLimits, Registered,
    Role, ServerAddress, ServerTls, connect, signed_in,
};
use crate::understand::Reader;

/// Opens the life of an operation for a session.
pub trait Opener: Send + Sync {
    /// The pipeline of one session.
    fn open(&self, adapter: Arc<SessionAdapter>) -> Arc<dyn Sessions<Committed>>;

    /// The pipeline for those who are still signing in.
    fn door(&self) -> Arc<dyn Sessions<Committed>>;
}

/// An upstream that sessions can be opened at.
pub(crate) struct Registry {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) endpoint: Endpoint,
    pub(crate) address: ServerAddress,
    memory: Memory,
}

/// What agents' PostgreSQL listener serves.
pub struct PostgresSurface {
    door: Door,
    opener: Arc<dyn Opener>,
    pub(crate) vault: Arc<dyn Vault>,
    reader: Arc<Reader>,
    cancels: Arc<Cancels>,
    pending: Arc<PendingHolds>,
    upstreams: Arc<RwLock<Registries>>,
}

/// Upstreams by the names that agents may give as the database.
type Registries = HashMap<String, Arc<Registry>>;

/// How long signing in at a server may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

impl PostgresSurface {
    /// A surface without upstreams.
    ///
    /// # Errors
    /// [`PostgresError`] without randomness or threads.
    pub fn new(
        opener: Arc<dyn Opener>,
        vault: Arc<dyn Vault>,
        tls: Option<AgentTls>,
        reader: Arc<Reader>,
    ) -> Result<Self, PostgresError> {
        let door = Door::new(tls, DoorLimits::default());
        Ok(Self {
            door: door.map_err(|error| PostgresError::Broken(error.to_string()))?,
            opener,
            vault,
            reader,
            cancels: Arc::default(),
            pending: Arc::default(),
            upstreams: Arc::default(),
        })
    }

    /// Replaces the accepted upstreams; those that are not PostgreSQL's are none of ours. The answer says why
    /// one can't be used.
    #[must_use = "an upstream that is not usable is left out, and somebody must be told"]
    pub fn configure(&self, upstreams: &[Upstream]) -> Vec<PostgresError> {
        let mut errors = Vec::new();
        let mut all = HashMap::new();
        for upstream in upstreams
            .iter()
            .filter(|it| strip_scheme(&it.url).is_some())
        {
            match self.registry(upstream) {
                Ok(registry) => {
                    let names = std::iter::once(upstream.name.to_string());
                    for name in names.chain(upstream.aliases.iter().cloned()) {
                        all.insert(name, Arc::clone(&registry));
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        *self
            .upstreams
            .write()
            .unwrap_or_else(PoisonError::into_inner) = all;
        errors
    }

    fn registry(&self, upstream: &Upstream) -> Result<Arc<Registry>, PostgresError> {
        if let Some(known) = self.named(upstream.name.as_str())
            && known.upstream.as_ref() == upstream
        {
            return Ok(known);
        }
        let endpoint = Endpoint::parse(&upstream.url, upstream.ca_file.as_deref())?;
        let tls = match &endpoint.transport {
            Transport::Plain => ServerTls::Off,
            Transport::VerifiedTls { ca_file } => ServerTls::verified(ca_file.as_deref())
                .map_err(|error| PostgresError::Broken(error.to_string()))?,
        };
        let address = ServerAddress {
            host: endpoint.host.clone(),
            port: endpoint.port,
            tls,
            patience: PATIENCE,
        };
        Ok(Arc::new(Registry {
            upstream: Arc::new(upstream.clone()),
            endpoint,
            address,
            memory: Memory::default(),
        }))
    }

    pub(crate) fn named(&self, name: &str) -> Option<Arc<Registry>> {
        let upstreams = self
            .upstreams
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        upstreams.get(name).cloned()
    }

    /// Serves one connection to its end.
    async fn serve(self: Arc<Self>, socket: TcpStream, peer: Peer) {
        let door = self.opener.door();
        match self.door.welcome(door.as_ref(), socket, &peer).await {
            Ok(Arrival::Session(accepted)) => self.session(*accepted).await,
            Ok(Arrival::Cancel { process, secret }) => self.cancel(process, &secret).await,
            Err(error) => tracing::debug!(%error, "a client was not signed in"),
        }
    }

    async fn cancel(&self, process: u32, secret: &[u8]) {
        let now = Instant::now().into_std();
        if let Some(target) = self.cancels.find(process, secret, now)
            && let Err(error) = target.cancel().await
        {
            tracing::warn!(%error, "a statement could not be cancelled");
        }
    }

    async fn session(&self, accepted: Accepted) {
        let caller = accepted.caller.connection.clone();
        match self.open(accepted).await {
            Ok((session, _key)) => {
                if let Err(error) = session.run().await {
                    tracing::debug!(%error, connection = %caller, "a session ended");
                }
            }
            Err(error) => tracing::debug!(%error, connection = %caller, "no session was opened"),
        }
    }

    /// Opens the server's side, and lets the agent begin.
    async fn open(&self, accepted: Accepted) -> Result<(Session, Registered), PostgresError> {
        let Accepted {
            transport,
            frames,
            caller,
            database,
            settings,
            minor,
        } = accepted;
        let mut client = End::client(transport, Some(frames));
        let opened = self.server(&caller, &database, settings).await;
        let (registry, role, backend) = match opened {
            Ok(opened) => opened,
            Err(refusal) => return Err(turn_away(&mut client, &refusal).await),
        };
        let key = self.cancels.register(minor);
        let key = key.map_err(|error| PostgresError::Broken(error.to_string()))?;
        let target = backend.target.clone();
        key.stops(target.clone());
        let parameters = backend.parameters.clone();
        let mut link = Link {
            client,
            server: End::server(backend.transport, Some(backend.frames)),
            out_of_step: false,
        };
        let database = self.identify(&registry, &mut link).await?;
        let reported = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let (process, secret) = (key.key().process, key.key().secret.clone());
        signed_in(&mut link.client.out, reported, process, &secret);
        let session = self.assemble(link, &registry, role, (caller, database), target);
        Ok((session, key))
    }

    async fn identify(
        &self,
        registry: &Registry,
        link: &mut Link,
    ) -> Result<Database, PostgresError> {
        let goes_on = || true;
        let mut ask = OnLink {
            link,
            goes_on: &goes_on,
        };
        Database::identify(&mut ask, &registry.endpoint.address())
            .await
            .map_err(|error| PostgresError::Broken(error.to_string()))
    }

    fn assemble(
        &self,
        link: Link,
        registry: &Registry,
        role: Role,
        (caller, database): (Caller, Database),
        target: Option<CancelTarget>,
    ) -> Session {
        let door = self.opener.door();
        let (watched, watcher) = (caller.clone(), Arc::clone(&door));
        let (upstreams, mine) = (Arc::clone(&self.upstreams), Arc::clone(&registry.upstream));
        // What a session was opened under must be what is in force: a mode that was tightened, or another
        // server, holds for sessions that are open as well.
        let goes_on = Box::new(move || {
            let all = upstreams.read().unwrap_or_else(PoisonError::into_inner);
            let current = all.get(mine.name.as_str());
            current.is_some_and(|it| Arc::ptr_eq(&it.upstream, &mine)) && watcher.goes_on(&watched)
        });
        let (asker, upstream) = (caller.clone(), registry.upstream.name.clone());
        let leave = Box::new(move || door.leave_to_sign_in(&asker, &upstream).ok());
        let settler = Settler {
            address: registry.address.clone(),
            upstream: registry.upstream.name.clone(),
            role,
            vault: Arc::clone(&self.vault),
            leave,
        };
        let adapter = Arc::new(SessionAdapter::new(
            registry.upstream.name.clone(),
            Arc::clone(&self.reader),
            link,
            goes_on,
            settler,
        ));
        let pipeline = self.opener.open(Arc::clone(&adapter));
        Session::new(Parts {
            adapter,
            pipeline,
            caller,
            mode: registry.upstream.mode,
            catalog: Catalog::new(registry.memory.clone(), Arc::new(Listed)),
            database,
            pending: Arc::clone(&self.pending),
            target,
        })
    }

    async fn server(
        &self,
        caller: &Caller,
        database: &str,
        settings: Vec<crate::sign_in::Setting>,
    ) -> Result<(Arc<Registry>, Role, Backend), Box<Refusal>> {
        let unknown = || {
            Box::new(Refusal::new(
                RefusalKind::Denied,
                &format!(
                    "`{}` is not a registered database; name an upstream of tagout as the database. Nothing was sent.",
                    database.escape_debug()
                ),
            ))
        };
        let registry = self.named(database).ok_or_else(unknown)?;
        let role = Role {
            user: registry.endpoint.role.clone(),
            database: registry.endpoint.database.clone(),
            settings,
            newest_minor: 0,
        };
        let door = self.opener.door();
        let leave = door.leave_to_sign_in(caller, &registry.upstream.name)?;
        let vault = self.vault.as_ref();
        let name = &registry.upstream.name;
        let connected = connect(&registry.address, name, &role, vault, leave).await;
        match connected {
            Ok(backend) => Ok((registry, role, backend)),
            Err(error) => Err(Box::new(Refusal::new(
                RefusalKind::Upstream,
                &format!("the database could not be reached: {error}."),
            ))),
        }
    }
}

async fn turn_away(client: &mut End, refusal: &Refusal) -> PostgresError {
    refused::error_response(&mut client.out, "FATAL", refusal);
    // It may have gone already; then there is nobody to tell.
    let _ = client.flush().await;
    PostgresError::Broken(refusal.line.clone())
}

/// Serves a listener for ever.
///
/// `peer_of` looks up who is at the other end.
pub async fn serve<P>(
    listener: TcpListener,
    surface: Arc<PostgresSurface>,
    peer_of: impl Fn(SocketAddr, SocketAddr) -> P,
) where
    P: Future<Output = Peer> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                // Without it each answer would wait for more to come.
                let _ = socket.set_nodelay(true);
                let local = socket.local_addr().unwrap_or(address);
                let (surface, peer) = (Arc::clone(&surface), peer_of(address, local));
                tokio::spawn(async move { surface.serve(socket, peer.await).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}
