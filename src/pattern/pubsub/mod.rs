//! Publish and subscribe: `PUB`, `XPUB`, `SUB`, `XSUB`.

mod publish;
mod subscribe;
mod wire;

pub(super) use publish::Publisher;
pub(super) use subscribe::Subscriber;
