//! Prepared statements and portals of a session, as the server has them: SQL's PREPARE and the protocol's
//! Parse share one namespace.

use std::collections::HashMap;
use std::sync::Arc;

use super::asked::Control;
use super::halt::Halt;
use super::script::OWN;
use crate::understand::statement::{Flow, Statement};

/// What stands behind a name.
#[derive(Clone, Debug)]
pub(crate) enum Ready {
    /// A statement that is understood.
    Statement(Arc<Statement>),
    /// No statement at all.
    Empty,
    /// One that is not understood.
    Unknown(String),
}

/// The names in use.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    statements: HashMap<String, Ready>,
    portals: HashMap<String, Ready>,
    /// Whether the gateway's own are there.
    own: bool,
}

impl Prepared {
    pub(crate) fn statement(&self, name: &str) -> Option<&Ready> {
        self.statements.get(name)
    }

    pub(crate) fn portal(&self, name: &str) -> Option<&Ready> {
        self.portals.get(name)
    }

    /// Puts a statement behind a name, and gives what stood there.
    pub(crate) fn prepare(&mut self, name: &str, ready: Option<Ready>) -> Option<Ready> {
        match ready {
            Some(ready) => self.statements.insert(name.to_owned(), ready),
            None => self.statements.remove(name),
        }
    }

    pub(crate) fn bind(&mut self, portal: &str, ready: Ready) {
        self.portals.insert(portal.to_owned(), ready);
    }

    pub(crate) fn close_portal(&mut self, portal: &str) {
        self.portals.remove(portal);
    }

    pub(crate) const fn has_own(&self) -> bool {
        self.own
    }

    pub(crate) const fn own_are_there(&mut self) {
        self.own = true;
    }

    /// Portals end with their transaction.
    pub(crate) fn transaction_ended(&mut self) {
        self.portals.clear();
    }

    /// Why a statement may not use a name as it does; what the server calls it, and what to say.
    ///
    /// Behind a name that is not known here, anything may stand; and what acts on the transaction does so
    /// behind `EXECUTE`, too, where nobody would see it.
    pub(crate) fn refuses(&self, statement: &Statement) -> Option<Halt> {
        let (Flow::Prepare { name, .. } | Flow::Execute(name) | Flow::Deallocate(Some(name))) =
            &statement.flow
        else {
            return None;
        };
        if name.starts_with(OWN) {
            return Some(own_name());
        }
        if !matches!(statement.flow, Flow::Execute(_)) {
            return None;
        }
        match self.statements.get(name) {
            None => Some(not_there(name)),
            Some(Ready::Statement(inner))
                if Control::of(inner).is_none() && !matches!(inner.flow, Flow::Execute(_)) =>
            {
                None
            }
            Some(_) => Some(Halt::denied(
                "what stands behind this name can't be run by EXECUTE; send it by itself. It was not executed.",
            )),
        }
    }

    /// Some of these ran and some did not: nobody knows which names they left behind.
    pub(crate) fn doubt(&mut self, statements: &[Statement]) {
        for statement in statements {
            match &statement.flow {
                Flow::Prepare { name, .. } => {
                    let unclear = Ready::Unknown("an error left unclear what it is".to_owned());
                    self.statements.insert(name.clone(), unclear);
                }
                Flow::Deallocate(None) | Flow::Discard("ALL") => self.own = false,
                _ => {}
            }
        }
    }

    /// The statement that really runs: behind `EXECUTE` what was prepared.
    pub(crate) fn effective(&self, statement: &Statement) -> Arc<Statement> {
        if let Flow::Execute(name) = &statement.flow
            && let Some(Ready::Statement(inner)) = self.statements.get(name)
        {
            return Arc::clone(inner);
        }
        Arc::new(statement.clone())
    }

    /// Follows what statements that ran did to the names.
    pub(crate) fn follow(&mut self, statements: &[Statement]) {
        for statement in statements {
            match &statement.flow {
                Flow::Prepare { name, inner } => {
                    let ready = Ready::Statement(Arc::from(inner.as_ref().clone()));
                    self.statements.insert(name.clone(), ready);
                }
                Flow::Deallocate(Some(name)) => {
                    self.statements.remove(name);
                }
                Flow::Deallocate(None) | Flow::Discard("ALL") => {
                    self.statements.clear();
                    self.own = false;
                }
                _ => {}
            }
        }
    }
}

/// The gateway's own names are nobody else's.
pub(crate) fn own_name() -> Halt {
    Halt::denied(&format!(
        "names that begin with `{OWN}` are tagout's own. It was not executed."
    ))
}

/// What the server says of a name that it does not know.
pub(crate) fn not_there(name: &str) -> Halt {
    Halt::Said {
        sqlstate: "26000",
        message: format!("prepared statement \"{name}\" does not exist"),
    }
}
