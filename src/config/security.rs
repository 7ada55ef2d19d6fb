//! How the two ends of a connection prove who they are, and a ready table of users.
//!
//! What it is not: the handshake (that is `zmtp`). Invariants: nothing here prints a password, and a password is
//! compared in a time that does not depend on where it differs.

use std::collections::HashMap;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use super::authenticator::{AuthRequest, Authenticator, Credentials, RejectStatus, Verdict};

/// The security mechanism of a socket; both ends must have the same one. The default is [`Security::Null`].
///
/// ```
/// use std::sync::Arc;
/// use taipan::config::{PlainUsers, Security};
///
/// let users = PlainUsers::new().with_user("ada", "engine");
/// let server = Security::PlainServer { authenticator: Arc::new(users) };
/// let client = Security::plain_client("ada", "engine");
/// assert_eq!(server.mechanism(), client.mechanism());
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Security {
    /// No proof at all.
    #[default]
    Null,
    /// Shows a user name and a password, in clear text.
    PlainClient {
        /// The user name, up to 255 bytes.
        username: String,
        /// The password, up to 255 bytes.
        password: String,
    },
    /// Asks for a user name and a password.
    PlainServer {
        /// Who decides.
        authenticator: Arc<dyn Authenticator>,
    },
}

impl Security {
    /// A client of the PLAIN mechanism.
    pub fn plain_client(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::PlainClient {
            username: username.into(),
            password: password.into(),
        }
    }

    /// A server of the PLAIN mechanism.
    pub fn plain_server(authenticator: impl Authenticator + 'static) -> Self {
        Self::PlainServer {
            authenticator: Arc::new(authenticator),
        }
    }

    /// The name of the mechanism in a greeting: `"NULL"` or `"PLAIN"`.
    pub const fn mechanism(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::PlainClient { .. } | Self::PlainServer { .. } => "PLAIN",
        }
    }

    /// Whether this is the side that asks.
    pub const fn is_server(&self) -> bool {
        matches!(self, Self::PlainServer { .. })
    }
}

impl fmt::Debug for Security {
    /// Shows the user name, never the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::PlainClient { username, .. } => f
                .debug_struct("PlainClient")
                .field("username", username)
                .finish_non_exhaustive(),
            Self::PlainServer { .. } => f.debug_struct("PlainServer").finish_non_exhaustive(),
        }
    }
}

/// A ready [`Authenticator`]: a table of user names and passwords.
///
/// A peer that shows a known pair is accepted under its user name, any other is rejected with 400. Peers of the NULL
/// mechanism are rejected.
#[derive(Clone, Default)]
pub struct PlainUsers {
    passwords: HashMap<Box<[u8]>, Box<[u8]>>,
}

impl PlainUsers {
    /// A table without users: everybody is rejected.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, or gives a known one another password.
    #[must_use]
    pub fn with_user(mut self, username: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        self.passwords.insert(
            username.as_ref().as_bytes().into(),
            password.as_ref().as_bytes().into(),
        );
        self
    }

    /// Whether this is a known pair. An unknown user costs the same comparison as a known one.
    fn knows(&self, username: &[u8], password: &[u8]) -> bool {
        let expected = self.passwords.get(username);
        let same = equal_in_constant_time(password, expected.map_or(&[], |expected| expected));
        same & expected.is_some()
    }
}

impl<U: AsRef<str>, P: AsRef<str>> FromIterator<(U, P)> for PlainUsers {
    fn from_iter<I: IntoIterator<Item = (U, P)>>(users: I) -> Self {
        users
            .into_iter()
            .fold(Self::new(), |table, (username, password)| {
                table.with_user(username, password)
            })
    }
}

impl Authenticator for PlainUsers {
    fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let reject = |text: &str| Verdict::Reject {
            status: RejectStatus::Refused,
            text: text.to_owned(),
        };
        match request.credentials {
            Credentials::Plain { username, password } if self.knows(username, password) => {
                Verdict::Accept {
                    user_id: String::from_utf8_lossy(username).into_owned(),
                }
            }
            Credentials::Plain { .. } => reject("unknown user name or wrong password"),
            Credentials::Null => reject("a user name and a password are needed"),
        }
    }
}

impl fmt::Debug for PlainUsers {
    /// Shows how many users there are, never their passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainUsers({} users)", self.passwords.len())
    }
}

/// Whether two byte strings are equal, in a time that depends on the length of the first one alone: not on where
/// they differ, and not on the length of the secret.
fn equal_in_constant_time(shown: &[u8], secret: &[u8]) -> bool {
    let mut difference = shown.len() ^ secret.len();
    for (at, byte) in shown.iter().enumerate() {
        let expected = secret.get(at).copied().unwrap_or(0);
        difference = black_box(difference | usize::from(byte ^ expected));
    }
    difference == 0
}
