//! The ways messages take between stdin, a socket and stdout, one function a family of patterns.
//!
//! What it is not: setting up and ending (`pipes.rs`). Invariant: a step that waits is bounded by the timeout;
//! what stdin gave is sent in order, or the flow ends with an error.

use std::future::Future;
use std::time::Duration;

use taipan::{AnySocket, Message, SendError, SendErrorKind, SocketKind};

use crate::args::PipeArgs;
use crate::failure::{Failure, messages, say};
use crate::input::Input;
use crate::output::Output;

/// Messages taken from the socket and written at once.
const BATCH: usize = 1024;

/// A socket, its output, and how far things have come.
pub struct Flow {
    pub socket: AnySocket,
    pub echo: bool,
    /// Messages accepted by the socket.
    pub sent: u64,
    /// Messages written to stdout.
    pub received: u64,
    output: Output,
    count: Option<u64>,
    timeout: Option<Duration>,
    peers: usize,
    quiet: bool,
    unroutable: u64,
}

impl Flow {
    pub fn new(socket: AnySocket, args: &PipeArgs, echo: bool, output: Output) -> Flow {
        let peers = args
            .peers
            .unwrap_or(usize::from(socket.kind() == SocketKind::Pub));
        Flow {
            socket,
            echo,
            sent: 0,
            received: 0,
            output,
            count: args.count,
            timeout: args.timeout,
            peers,
            quiet: args.quiet,
            unroutable: 0,
        }
    }

    /// What an interrupt means: the usual end of a command that would go on for ever, a failure of one that
    /// had something left to do.
    pub fn interrupted(&self) -> Result<(), Failure> {
        let endless = self.count.is_none()
            && self.socket.kind().can_recv()
            && self.socket.kind() != SocketKind::Req;
        if endless {
            self.all_routed()
        } else {
            Err(Failure::Interrupted)
        }
    }

    pub async fn wait_for_peers(&self) -> Result<(), Failure> {
        if self.peers == 0 {
            return Ok(());
        }
        let (peers, socket) = (self.peers, &self.socket);
        if socket.kind() == SocketKind::Pub {
            let what = format!("fewer than {peers} subscribers came");
            return within(self.timeout, &what, socket.wait_for_subscribers(peers)).await;
        }
        within(
            self.timeout,
            &format!("fewer than {peers} peers came"),
            socket.wait_for_peers(peers),
        )
        .await
    }

    pub async fn send_all(&mut self, mut input: Input) -> Result<(), Failure> {
        while self.count.is_none_or(|count| self.sent < count) {
            let Some(message) = input.next().await? else {
                break;
            };
            self.send(message).await?;
        }
        Ok(())
    }

    pub async fn receive_all(&mut self) -> Result<(), Failure> {
        let mut batch = Vec::new();
        loop {
            let left = self
                .count
                .map_or(BATCH as u64, |count| count - self.received);
            if left == 0 {
                return Ok(());
            }
            let max = usize::try_from(left).unwrap_or(BATCH).min(BATCH);
            let received = within(
                self.timeout,
                "nothing arrived",
                self.socket.recv_many(&mut batch, max),
            )
            .await?;
            received.map_err(|error| Failure::Runtime(error.to_string()))?;
            self.write(&batch).await?;
            batch.clear();
        }
    }

    pub async fn ask(&mut self, mut input: Input) -> Result<(), Failure> {
        while self.count.is_none_or(|count| self.received < count) {
            let Some(message) = input.next().await? else {
                break;
            };
            self.send(message).await?;
            let reply = self.receive("no reply arrived").await?;
            self.write(&[reply]).await?;
        }
        Ok(())
    }

    pub async fn echo(&mut self) -> Result<(), Failure> {
        while self.count.is_none_or(|count| self.sent < count) {
            let request = self.receive("no request arrived").await?;
            self.write(std::slice::from_ref(&request)).await?;
            self.send(request).await?;
        }
        Ok(())
    }

    /// The next reply is read ahead, so that the end of stdin is the end even if no request comes any more.
    pub async fn answer(&mut self, mut input: Input) -> Result<(), Failure> {
        while self.count.is_none_or(|count| self.sent < count) {
            let (request, reply) = {
                let request = self.receive("no request arrived");
                tokio::pin!(request);
                tokio::select! {
                    request = &mut request => (request?, None),
                    reply = input.next() => match reply? {
                        Some(reply) => (request.await?, Some(reply)),
                        None => return Ok(()),
                    },
                }
            };
            self.write(&[request]).await?;
            let reply = match reply {
                Some(reply) => Some(reply),
                None => input.next().await?,
            };
            let reply = reply
                .ok_or_else(|| Failure::Runtime("stdin has no reply to the last request".into()))?;
            self.send(reply).await?;
        }
        Ok(())
    }

    /// Ends when stdin has ended and the messages asked for have arrived. A terminal is not waited for.
    pub async fn both_ways(&mut self, mut input: Input) -> Result<(), Failure> {
        use std::io::IsTerminal;
        let mut unread = true;
        let typed = std::io::stdin().is_terminal();
        let mut batch = Vec::new();
        loop {
            let left = self
                .count
                .map_or(BATCH as u64, |count| count.saturating_sub(self.received));
            if left == 0 && (!unread || (typed && self.received > 0)) {
                return self.all_routed();
            }
            let max = usize::try_from(left).unwrap_or(BATCH).min(BATCH);
            let socket = self.socket.clone();
            let message = tokio::select! {
                message = input.next(), if unread => message?,
                received = within(self.timeout, "nothing arrived", socket.recv_many(&mut batch, max)), if left > 0 => {
                    received?.map_err(|error| Failure::Runtime(error.to_string()))?;
                    self.write(&batch).await?;
                    batch.clear();
                    continue;
                }
            };
            match message {
                Some(message) => self.send_while_receiving(message).await?,
                None => unread = false,
            }
        }
    }

    /// A peer that sends and does not receive before that was taken must not bring both to a halt.
    async fn send_while_receiving(&mut self, message: Message) -> Result<(), Failure> {
        let socket = self.socket.clone();
        let mut batch = Vec::new();
        let sending = within(self.timeout, "no peer has room", socket.send(message));
        tokio::pin!(sending);
        loop {
            let left = self
                .count
                .map_or(BATCH as u64, |count| count.saturating_sub(self.received));
            let max = usize::try_from(left).unwrap_or(BATCH).min(BATCH);
            let sent = tokio::select! {
                biased;
                sent = &mut sending => sent?,
                received = socket.recv_many(&mut batch, max), if left > 0 => {
                    received.map_err(|error| Failure::Runtime(error.to_string()))?;
                    self.write(&batch).await?;
                    batch.clear();
                    continue;
                }
            };
            return self.sent(sent);
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Failure> {
        let sent = within(self.timeout, "no peer has room", self.socket.send(message)).await?;
        self.sent(sent)
    }

    fn sent(&mut self, result: Result<(), SendError>) -> Result<(), Failure> {
        match result {
            Ok(()) => self.sent += 1,
            Err(error) if error.kind() == SendErrorKind::Unroutable => {
                self.unroutable += 1;
                if !self.quiet {
                    say(format_args!(
                        "not sent, there is no such peer: {:?}",
                        error.message().first()
                    ));
                }
            }
            Err(error) => return Err(Failure::Runtime(error.to_string())),
        }
        Ok(())
    }

    async fn receive(&self, what: &str) -> Result<Message, Failure> {
        let received = within(self.timeout, what, self.socket.recv()).await?;
        received.map_err(|error| Failure::Runtime(error.to_string()))
    }

    async fn write(&mut self, messages: &[Message]) -> Result<(), Failure> {
        self.output.write(messages).await?;
        self.received += messages.len() as u64;
        Ok(())
    }

    fn all_routed(&self) -> Result<(), Failure> {
        match self.unroutable {
            0 => Ok(()),
            count => Err(Failure::Runtime(format!(
                "{} not sent: no such peer",
                messages(count)
            ))),
        }
    }
}

/// The result of `step`, or a failure that says what did not happen in time.
async fn within<T>(
    timeout: Option<Duration>,
    what: &str,
    step: impl Future<Output = T>,
) -> Result<T, Failure> {
    let Some(timeout) = timeout else {
        return Ok(step.await);
    };
    let done = tokio::time::timeout(timeout, step).await;
    done.map_err(|_| Failure::TimedOut(format!("{what} within {timeout:?}")))
}
