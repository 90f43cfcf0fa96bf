//! Starting and stopping.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::error::StandinError;
use crate::state::{DeleteMode, State};
use crate::{admin, schema, seed, transport};

/// How to start a stand-in.
#[derive(Clone)]
pub struct Config {
    /// Where GraphQL is served, at `/graphql/v2` and `/graphql/internal`. Port 0 picks one.
    pub listen: SocketAddr,
    /// Where tests look inside. Port 0 picks one.
    pub admin: SocketAddr,
    /// The account token to accept.
    pub token: String,
    /// What `volumeDelete` does.
    pub delete_mode: DeleteMode,
    /// TLS for the GraphQL listener; plain TCP without. Set its ALPN protocols to offer HTTP/2.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Default for Config {
    /// Free ports of 127.0.0.1, [`seed::ACCOUNT_TOKEN`], immediate deletes, no TLS.
    fn default() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: loopback,
            admin: loopback,
            token: seed::ACCOUNT_TOKEN.to_owned(),
            delete_mode: DeleteMode::Immediate,
            tls: None,
        }
    }
}

/// The server. See [`Standin::spawn`].
#[derive(Debug)]
pub struct Standin;

/// A server that runs until it is shut down or dropped.
#[derive(Debug)]
pub struct Running {
    /// Where GraphQL is served.
    pub graphql_addr: SocketAddr,
    /// Where tests look inside.
    pub admin_addr: SocketAddr,
    /// What is behind both.
    pub state: State,
    tasks: [JoinHandle<()>; 2],
}

impl Standin {
    /// Binds both listeners and serves in the background of the current tokio runtime.
    ///
    /// # Errors
    /// [`StandinError::Listen`] if a port cannot be bound.
    pub async fn spawn(config: Config) -> Result<Running, StandinError> {
        let state = State::seeded_with(&config.token, config.delete_mode);
        let schema = schema::build(&state)?;
        let (graphql, graphql_addr) = bind(config.listen).await?;
        let (admin, admin_addr) = bind(config.admin).await?;
        let (api_state, admin_state) = (state.clone(), state.clone());
        let tls = config.tls;
        let tasks = [
            tokio::spawn(async move {
                match transport::serve(graphql, schema, api_state, tls).await {}
            }),
            tokio::spawn(async move { match admin::serve(admin, admin_state).await {} }),
        ];
        Ok(Running {
            graphql_addr,
            admin_addr,
            state,
            tasks,
        })
    }
}

impl Running {
    /// Closes both listeners and every connection, and waits until that is done.
    pub async fn shutdown(mut self) {
        for task in &mut self.tasks {
            task.abort();
            // An aborted task ends with an error that says so.
            drop(task.await);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StandinError> {
    let failed = |error: std::io::Error| StandinError::Listen {
        address: address.to_string(),
        cause: error.to_string(),
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
