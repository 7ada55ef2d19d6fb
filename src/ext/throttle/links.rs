//! Budgets for single links: a gate of the socket's, behind which a claim waits.

use std::fmt;
use std::task::{Context, Poll};

use super::budget::{Budget, Cost};
use super::claim::Claim;
use crate::socket::{Kind, LinkGate, LinkGates, NewLink, Socket};

/// What a link may carry, each way; `None` for no limit.
#[derive(Debug, Clone, Default)]
pub struct LinkBudgets {
    /// What is sent on the link.
    pub sending: Option<Budget>,
    /// What is received from it.
    pub receiving: Option<Budget>,
}

impl LinkBudgets {
    /// No limit.
    pub fn none() -> LinkBudgets {
        LinkBudgets::default()
    }

    /// A budget for what is sent.
    pub fn sending(budget: &Budget) -> LinkBudgets {
        LinkBudgets {
            sending: Some(budget.clone()),
            receiving: None,
        }
    }

    /// A budget for what is received.
    pub fn receiving(budget: &Budget) -> LinkBudgets {
        LinkBudgets {
            sending: None,
            receiving: Some(budget.clone()),
        }
    }
}

/// Limits each link of a socket that comes up from now on, as `choose` says when it does: by a budget of its own, by one
/// that it shares with others, or not at all.
///
/// What the budget does not let pass yet waits in the link's queue, within the watermark
/// ([`send_hwm`](crate::Options::send_hwm)) in place of what would wait there anyway; a full queue is what it is
/// without a limit: a PUB drops (or waits, with [`xpub_nodrop`](crate::Options::xpub_nodrop)), a PUSH turns to the next
/// peer, all others wait. What is not received yet holds up the peer in the same way. Nothing else on the socket
/// changes: all calls, pollers and streams work as ever.
///
/// ```
/// use taipan::throttle::{Budget, LinkBudgets, Limits, throttle_links};
/// use taipan::{Context, Pub};
///
/// let context = Context::new();
/// let publisher = Pub::new(&context);
/// throttle_links(&publisher, |link| match link.endpoint.starts_with("tcp://") {
///     true => Budget::new(Limits::bytes(1_000_000)).map_or(LinkBudgets::none(), |own| LinkBudgets::sending(&own)),
///     false => LinkBudgets::none(),
/// });
/// publisher.bind("tcp://127.0.0.1:*")?; // each subscriber here gets at most 1 MB/s,
/// publisher.bind("ipc://*")?;           // those here as much as they take
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Budgets may be changed while the link is up ([`Budget::set`]); a later call of this changes later links only.
pub fn throttle_links<K: Kind>(
    socket: &Socket<K>,
    choose: impl Fn(&NewLink) -> LinkBudgets + Send + Sync + 'static,
) {
    socket.gate_links(move |link| {
        let budgets = choose(link);
        LinkGates {
            sending: budgets.sending.map(BudgetGate::boxed),
            receiving: budgets.receiving.map(BudgetGate::boxed),
        }
    });
}

/// The claim of one link, each way.
struct BudgetGate(Claim);

impl BudgetGate {
    fn boxed(budget: Budget) -> Box<dyn LinkGate> {
        Box::new(BudgetGate(Claim::new(budget)))
    }
}

impl fmt::Debug for BudgetGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl LinkGate for BudgetGate {
    fn poll_pass(&mut self, cx: &mut Context<'_>, bytes: usize) -> Poll<()> {
        self.0.poll(cx, Cost::bytes(bytes))
    }

    fn give_back(&mut self, bytes: usize) {
        self.0.budget().give_back(Cost::bytes(bytes));
    }
}
