//! Narrower children of what is in force, and asking for more.
//!
//! A child has less than its parent and spends every ancestor's budget, so making one takes nobody's
//! presence. Asking for more makes a proposal and nothing else.

use tagout_core::grant::{Budget, Connection, GRANT_LIFE_MS};
use tagout_core::ids::{ConnectionId, GrantId, ProposalId};
use tagout_core::pipeline::{Caller, GrantRequest};
use tagout_core::proposal::Change;
use tagout_core::refusal::RefusalKind;
use tagout_core::rights::Rights;
use tagout_core::untrusted::Untrusted;

use crate::check::check_form;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::lane::Stopped;
use crate::leaf::Leaf;
use crate::random::random;
use crate::stop::Stop;

/// The version of a new connection's first token.
const FIRST_TOKEN: u32 = 1;

/// A task is described in so many characters at most.
const LONGEST_TASK: usize = 500;

/// An agent asks for so many clauses at most: a person reads no more.
const MOST_CLAUSES: usize = 20;

/// A narrower grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NarrowGrant {
    /// The grant it is below.
    pub parent: GrantId,
    /// The connection that uses it: the parent's, or one narrowed from that.
    pub connection: ConnectionId,
    /// For what.
    pub task: Untrusted,
    /// Rights inside the parent's.
    pub rights: Rights,
    /// What it may spend, besides every ancestor's budget.
    pub budget: Budget,
    /// For how long, in milliseconds; never longer than the parent.
    pub life_ms: u64,
}

impl Engine {
    /// Makes a connection below another, with rights inside its parent's; gives its id. It spends its
    /// own budget and every ancestor's, and ends with any of them.
    ///
    /// # Errors
    /// [`EngineError::NotInForce`], [`EngineError::Wider`], or what the store or ledger says.
    pub async fn narrow_connection(
        &self,
        parent: &ConnectionId,
        agent: Untrusted,
        rights: Rights,
        budget: Budget,
    ) -> Result<ConnectionId, EngineError> {
        let in_force = self.in_force();
        let parent = in_force.connection(parent);
        let parent = parent.filter(|parent| self.is_alive(parent));
        let parent = parent.ok_or(EngineError::NotInForce("connection"))?;
        let now = self.clock.now();
        let child = Connection {
            id: ConnectionId::from_bits(random().map_err(EngineError::Random)?),
            agent,
            workspace: parent.workspace.clone(),
            owner: parent.owner.clone(),
            parent: Some(parent.id.clone()),
            rights: parent.rights.narrow(rights)?,
            budget,
            token_version: FIRST_TOKEN,
            created: now,
            used: now,
            revoked: false,
        };
        let id = child.id.clone();
        let leaf = Leaf::NarrowedConnection {
            connection: id.clone(),
            parent: parent.id.clone(),
            rights: child.rights.clone(),
            budget: child.budget.clone(),
        };
        self.record.widening(&leaf).await?;
        self.store.add_child_connection(child).await?;
        self.reload().await?;
        Ok(id)
    }

    /// Makes a grant below another; gives its id.
    ///
    /// # Errors
    /// As [`Engine::narrow_connection`].
    pub async fn narrow_grant(&self, narrow: NarrowGrant) -> Result<GrantId, EngineError> {
        let now = self.clock.now();
        let in_force = self.in_force();
        let parent = in_force.grant(&narrow.parent);
        let parent = parent.filter(|parent| parent.open(now));
        let parent = parent.ok_or(EngineError::NotInForce("grant"))?;
        let id = GrantId::from_bits(random().map_err(EngineError::Random)?);
        let expires = now.plus_ms(narrow.life_ms);
        let (rights, budget) = (narrow.rights, narrow.budget);
        let mut child = parent.narrow(id.clone(), narrow.task, rights, budget, expires)?;
        child.connection = narrow.connection;
        let leaf = Leaf::NarrowedGrant {
            grant: id.clone(),
            parent: parent.id.clone(),
            connection: child.connection.clone(),
            rights: child.rights.clone(),
            budget: child.budget.clone(),
            expires: child.expires,
        };
        self.record.widening(&leaf).await?;
        self.store.add_child_grant(child).await?;
        self.reload().await?;
        Ok(id)
    }

    /// An agent asks for rights for one task. A person decides.
    pub(crate) async fn ask_for_grant(
        &self,
        caller: &Caller,
        request: GrantRequest,
    ) -> Stopped<ProposalId> {
        let connection = self.may_try(caller)?;
        check_request(&request)?;
        let change = Change::OpenGrant {
            id: GrantId::from_bits(random().map_err(EngineError::Random)?),
            connection: connection.id.clone(),
            parent: None,
            task: request.task,
            rights: request.rights,
            budget: request.budget,
            life_ms: request.life_ms.unwrap_or(GRANT_LIFE_MS).min(GRANT_LIFE_MS),
        };
        check_form(&change).map_err(|why| Stop::new(RefusalKind::Denied, &why))?;
        let _one = self.proposing.lock().await;
        let from = Untrusted::new(connection.id.as_str());
        let open = self.store.open_proposals(self.clock.now()).await?;
        let mine = open.iter().filter(|proposal| proposal.from == from).count();
        if mine >= self.settings.asked_waiting {
            let line = format!("{mine} of this connection's requests wait for a person already.");
            return Err(Stop::new(RefusalKind::Rate, &line));
        }
        Ok(self.put_proposal(change, from).await?)
    }
}

fn check_request(request: &GrantRequest) -> Stopped<()> {
    let task = request.task.raw().trim();
    let refuse = |why: &str| Err(Stop::new(RefusalKind::Denied, why));
    if task.is_empty() || task.chars().count() > LONGEST_TASK {
        return refuse("describe the task in 1 to 500 characters.");
    }
    if request.rights.0.is_empty() || request.rights.0.len() > MOST_CLAUSES {
        return refuse("ask for 1 to 20 clauses of rights.");
    }
    Ok(())
}
