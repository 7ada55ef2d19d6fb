//! What every server has: is it well, and what does it serve.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::typed::support;
use crate::ext::rpc::model::{Method, MethodKind, MsgPack, Reply, Request, Service};

/// The name of the service that every server has. `health` returns `"ok"`, `list` what it serves ([`Listed`]).
pub const SERVICE: &str = "taipan.rpc";

/// A service, as `taipan.rpc.list` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it has.
    pub methods: Vec<ListedMethod>,
}

/// A method of a [`Listed`] service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedMethod {
    /// Its name within the service.
    pub name: String,
    /// Arguments and result, as in Rust.
    pub signature: String,
    /// `call`, `idempotent`, `signal` or `stream`.
    pub kind: String,
}

pub(super) struct BuiltIn(Vec<Listed>);

impl BuiltIn {
    pub(super) fn of(services: &[Arc<dyn Service>]) -> Self {
        let listed = |service: &Arc<dyn Service>| Listed {
            name: service.name().to_owned(),
            methods: service.methods().into_iter().map(listed_method).collect(),
        };
        let mut all: Vec<_> = services.iter().map(listed).collect();
        all.push(Listed {
            name: SERVICE.to_owned(),
            methods: own_methods().map(listed_method).into(),
        });
        all.sort_by(|one, other| one.name.cmp(&other.name));
        BuiltIn(all)
    }
}

fn own_methods() -> [Method; 2] {
    [("health", "() -> String"), ("list", "() -> Vec<Service>")].map(|(name, signature)| Method {
        name: name.to_owned(),
        signature: signature.to_owned(),
        kind: MethodKind::Idempotent,
    })
}

fn listed_method(method: Method) -> ListedMethod {
    ListedMethod {
        name: method.name,
        signature: method.signature,
        kind: method.kind.as_str().to_owned(),
    }
}

impl Service for BuiltIn {
    fn name(&self) -> &str {
        SERVICE
    }

    fn methods(&self) -> Vec<Method> {
        own_methods().into()
    }

    fn call(self: Arc<Self>, request: Request) -> Reply {
        let result = match request.method_name() {
            "health" => support::result::<MsgPack, _>("ok"),
            "list" => support::result::<MsgPack, _>(&self.0),
            _ => Err(support::no_such_method(&request)),
        };
        Box::pin(std::future::ready(result))
    }
}
