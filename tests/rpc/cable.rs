//! A tcp connection that can be cut, between a client and a server that do not know of it.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

pub struct Cable {
    pub address: String,
    cut: Arc<Notify>,
    /// Whether new connections are let through.
    open: watch::Sender<bool>,
}

impl Cable {
    /// To a server at `127.0.0.1:port`, given as an endpoint.
    pub async fn to(endpoint: impl ToString) -> Cable {
        let target = endpoint.to_string().replace("tcp://", "");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("tcp://{}", listener.local_addr().expect("an address"));
        let cut = Arc::new(Notify::new());
        let (open, is_open) = watch::channel(true);
        tokio::spawn(listen(listener, target, cut.clone(), is_open));
        Cable { address, cut, open }
    }

    /// Cuts what is connected. What is under way is lost.
    pub fn cut(&self) {
        self.cut.notify_waiters();
    }

    /// Cuts, and lets nobody through until it is mended.
    pub fn unplug(&self) {
        self.open.send_replace(false);
        self.cut();
    }

    pub fn plug(&self) {
        self.open.send_replace(true);
    }
}

async fn listen(
    listener: TcpListener,
    target: String,
    cut: Arc<Notify>,
    open: watch::Receiver<bool>,
) {
    while let Ok((mut near, _)) = listener.accept().await {
        if !*open.borrow() {
            continue;
        }
        let (target, cut) = (target.clone(), cut.clone());
        tokio::spawn(async move {
            let mut over = std::pin::pin!(cut.notified());
            over.as_mut().enable();
            let Ok(mut far) = TcpStream::connect(target).await else {
                return;
            };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                () = over => {}
            }
        });
    }
}
